package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestScheduleIsEdited(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	version := c.count(`SELECT version FROM xtk.workflow WHERE internal_name = 'offerMgt'`)
	typed := func(fields ...string) url.Values {
		values := url.Values{"version": {fmt.Sprint(version)}, "do": {"save"}}
		for i := 0; i < len(fields); i += 2 {
			values.Add(fields[i], fields[i+1])
		}
		return values
	}
	const path = "/workflows/offerMgt/schedule"
	got, body := c.ask("kim", http.MethodPost, path, typed("kind", "cron", "cron", "0 25 * * *"))
	if want := "Hour 25 does not exist. Hours run from 0 to 23."; got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, want) {
		t.Errorf("got %d without the sentence, want 422 with %q", got.StatusCode, want)
	}
	wants(t, body, "The schedule cannot be read yet")
	lacks(t, body, "It runs on a signal or by hand only")
	preview := typed("kind", "daily", "times", "03:00", "every_days", "10", "valid_from", "2099-01-05T00:00")
	preview.Set("do", "preview")
	got, body = c.ask("kim", http.MethodPost, path, preview)
	for _, date := range []string{"2099-01-05T03:00", "2099-01-15T03:00", "2099-04-05T03:00"} {
		if got.StatusCode != http.StatusOK || !strings.Contains(body, date) {
			t.Errorf("got %d, want a preview of every tenth day from the first valid one, %s among them", got.StatusCode, date)
		}
	}
	got, body = c.ask("kim", http.MethodPost, path, typed("kind", "weekly", "times", "05:00", "weekdays", "1"))
	if got.StatusCode != http.StatusSeeOther {
		t.Fatalf("got %d, want 303\n%s", got.StatusCode, body)
	}
	if n := c.count(`
		SELECT count(*)
		FROM xtk.workflow
		WHERE internal_name = 'offerMgt'
		  AND schedule = '{"kind": "weekly", "times": ["05:00"], "weekdays": [1], "signal": true}'`); n != 1 {
		t.Error("got another schedule, want Mondays at 05:00 and still on a signal")
	}
}
