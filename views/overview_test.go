package views

import (
	"strings"
	"testing"

	"nightshift/views/locale"
)

// An instance whose workflows all run more often than hourly is not one where nothing is due.
func TestOverviewOfFrequentWorkflows(t *testing.T) {
	t.Parallel()
	o := overviewOf(night(t, locale.English, Light))
	o.Attention, o.Running, o.Accounts, o.Looks, o.Ahead, o.Mail, o.Frequent = nil, nil, nil, nil, nil, MailNeed{}, []string{"deliveryIndicators"}
	if got, want := o.sentence(), "1 workflow more often than hourly."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var page strings.Builder
	if err := OverviewPage(o).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	if got := page.String(); strings.Contains(got, "Nothing is due") || !strings.Contains(got, "<code>deliveryIndicators</code>") {
		t.Error("want the workflow named, and not that nothing is due")
	}
}
