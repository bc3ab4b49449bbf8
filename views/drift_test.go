package views

import (
	"strings"
	"testing"
	"time"

	"nightshift/views/locale"
)

// Each drift tells its arithmetic: what was measured, what is usual, of which runs, and the limit.
func TestDriftLines(t *testing.T) {
	t.Parallel()
	english, korean := night(t, locale.English, Light), night(t, locale.Korean, Light)
	steady := Drift{Cause: "slower", Run: 1, Measured: 70, Low: .2, Median: .2, High: .2, Bound: 5.2, Runs: 12}
	for _, check := range []struct {
		drift   Drift
		running bool
		en, ko  string
	}{
		{driftOf(1, english.Now), false, "Slower than usual: 6 m 10 s, usually 38 s to 44 s, median 41 s of 28 runs on Mondays; the limit is 53 s.",
			"평소보다 느림: 6분 10초. 평소 38초~44초, 월요일 실행 28회의 중앙값 41초, 한계 53초."},
		{fewerOf(1, english.Now), false, "Fewer rows than usual: 0 rows, usually 4,211 to 5,120 rows, median 4,600 rows of 12 runs that changed rows; the limit is 3,300 rows.",
			"평소보다 적은 행: 0행. 평소 4,211~5,120행, 행을 변경한 실행 12회의 중앙값 4,600행, 한계 3,300행."},
		{steady, true, "Slower than usual: 1 m 10 s so far, usually <1 s in 12 runs; the limit is 5.2 s.",
			"평소보다 느림: 지금까지 1분 10초. 평소 1초 미만 (실행 12회 기준), 한계 5.2초."},
	} {
		for page, want := range map[*Page]string{&english: check.en, &korean: check.ko} {
			if got := strings.ReplaceAll(page.driftLine(check.drift, check.running).Plain(), nnbsp, " "); got != want {
				t.Errorf("%s in %s:\ngot  %s\nwant %s", check.drift.Cause, page.Lang, got, want)
			}
		}
	}
}

// What is worth a look does not need anybody: the title stays calm, the sentence names it.
func TestLooksStayCalm(t *testing.T) {
	t.Parallel()
	o := overviewOf(night(t, locale.English, Light))
	o.Attention, o.Running, o.Accounts, o.Mail = nil, nil, nil, MailNeed{}
	if got, want := o.finding(), "Nothing needs you."; got != want {
		t.Errorf("title: got %q, want %q", got, want)
	}
	if got, want := o.sentence(), "Worth a look: Forecasting, Database cleanup. Next: "; !strings.HasPrefix(got, want) {
		t.Errorf("sentence: got %q, want it to begin with %q", got, want)
	}
}

// A row that needs somebody, or waits for an order, says that; a calm one says that its runs are not as usual. A package
// with such a row is not folded.
func TestRowsSayWhatDrifts(t *testing.T) {
	t.Parallel()
	page := night(t, locale.English, Light)
	drifts := []Drift{driftOf(7, page.Now), fewerOf(7, page.Now)}
	for state, want := range map[State]bool{Started: true, Running: true, Failed: false, Paused: false, Late: false, StopPending: false, Edited: false} {
		if got := (WorkflowRow{State: state, Drifts: drifts}).drifts(); got != want {
			t.Errorf("row that is %s: says what drifts %t, want %t", state, got, want)
		}
	}
	if got, want := page.driftWords(drifts), "slower, fewer rows than usual"; got != want {
		t.Errorf("words: got %q, want %q", got, want)
	}
	quiet := WorkflowRow{State: Started, Last: LastRun{ID: 1, At: page.Now.Add(-24 * time.Hour)}}
	if loud := (WorkflowRow{State: Started, Last: quiet.Last, Drifts: drifts}); (Package{Rows: []WorkflowRow{loud}}).calm(page.Now) || !(Package{Rows: []WorkflowRow{quiet}}).calm(page.Now) {
		t.Error("a package with a drifting workflow is folded, or one without is not; want only the quiet one folded")
	}
}

// A finished run that was not as usual says so in the colour of a warning, and on a phone too, where "as usual" is left out.
func TestUnusualRunIsNotPlain(t *testing.T) {
	t.Parallel()
	page := night(t, locale.English, Light)
	var out strings.Builder
	rows := []RunRow{{ID: 1, State: Finished, Causes: []string{"slower"}}, {ID: 2, State: Finished}}
	if err := RunTable(page, rows, false).Render(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<td class="note tone-late">slower than usual</td>`, `<td class="note muted usual">as usual</td>`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("runs: %q is missing", want)
		}
	}
}
