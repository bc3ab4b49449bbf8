package views

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nightshift/views/locale"
)

func TestStatesHaveShapeAndWord(t *testing.T) {
	t.Parallel()
	for _, state := range States() {
		for _, lang := range locale.All() {
			if word := locale.T(lang, state.key()); strings.HasPrefix(word, "⟦") {
				t.Errorf("%s in %s: got no word", state, lang)
			}
		}
		if state.look().glyph == "" && state.Calls() {
			t.Errorf("%s calls a person: got no glyph", state)
		}
	}
}

func TestOrdersHaveWords(t *testing.T) {
	t.Parallel()
	for _, order := range Orders() {
		for _, key := range []string{"order." + string(order), "ask." + string(order), "effect." + string(order), "verb." + string(order)} {
			if !locale.Has(key) {
				t.Errorf("%s: got no text", key)
			}
		}
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	english, korean := night(t, locale.English, Light), night(t, locale.Korean, Light)
	for d, want := range map[time.Duration][2]string{
		400 * time.Millisecond:     {"<1 s", "1초 미만"},
		2100 * time.Millisecond:    {"2.1 s", "2.1초"},
		9990 * time.Millisecond:    {"10 s", "10초"},
		1052 * time.Second:         {"17 m 32 s", "17분 32초"},
		3599500 * time.Millisecond: {"1 h 00 m", "1시간 00분"},
		127 * time.Minute:          {"2 h 07 m", "2시간 07분"},
		76 * time.Hour:             {"3 d 4 h", "3일 4시간"},
	} {
		for i, page := range []Page{english, korean} {
			if got := strings.ReplaceAll(page.Took(d), nnbsp, " "); got != want[i] {
				t.Errorf("Took(%s) in %s: got %q, want %q", d, page.Lang, got, want[i])
			}
		}
	}
}

func TestDays(t *testing.T) {
	t.Parallel()
	english, korean := night(t, locale.English, Light), night(t, locale.Korean, Light)
	for _, check := range []struct{ got, want string }{
		{english.Day(english.Now), "Wed 29 Jul"}, {korean.Day(korean.Now), "7월 29일 (수)"},
		{english.DayYear(english.Now), "Wed 29 Jul 2026"}, {korean.DayYear(korean.Now), "2026년 7월 29일 (수)"},
		{english.Second(english.Now), "04:17:32 CEST"}, {english.When(english.Now), "04:17 CEST"},
		{english.DayTime(english.Now.AddDate(-1, 0, 0)), "Tue 29 Jul 2025 04:17"},
	} {
		if check.got != check.want {
			t.Errorf("got %q, want %q", check.got, check.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 9999: "9,999", 84112: "84 k", 1204551: "1.2 M", 2_500_000_000: "2.5 G"} {
		if got := strings.ReplaceAll(Short(n), nnbsp, " "); got != want {
			t.Errorf("Short(%d): got %q, want %q", n, got, want)
		}
	}
}

func TestRichText(t *testing.T) {
	t.Parallel()
	for text, want := range map[Rich]string{
		"a **b** c `d`": "0:a |*:b|0: c |`:d", "2 * 3 ** 4": "0:2 *|0: 3 *|0:*|0: 4", "**open": "0:*|0:*|0:open", "": "",
	} {
		var got []string
		for _, piece := range text.pieces() {
			mark := "0"
			if piece.mark != 0 {
				mark = string(piece.mark)
			}
			got = append(got, mark+":"+piece.text)
		}
		if joined := strings.Join(got, "|"); joined != want {
			t.Errorf("pieces of %q: got %s, want %s", text, joined, want)
		}
	}
}

// The verdict says the result first, then trouble, then what is left or what now.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	page := night(t, locale.English, Light)
	live, failed := runOf(page), failedOf(page)
	ended := runOf(page)
	ended.State, ended.Ended, ended.Simulated = Finished, ended.Begun.Add(1551*time.Second), false
	slow := ended
	slow.Drifts = []Drift{driftOf(8841, slow.Ended)}
	rehearsed := runOf(page)
	rehearsed.State, rehearsed.Ended, rehearsed.Simulated = Stopped, page.Now, true
	waiting := runOf(page)
	waiting.Steps = slices.Clone(waiting.Steps)
	for i, step := range waiting.Steps {
		if step.State == Running {
			waiting.Steps[i].Total, waiting.Steps[i].Took = 0, 2*step.Usual+time.Minute
		}
	}
	empty := Run{Page: page, State: Finished, Begun: page.Now.Add(-time.Second), Ended: page.Now}
	for _, check := range []struct {
		run  Run
		want string
	}{
		{live, "1,079,397 rows deleted so far, 13 of 26 steps done. Nothing has failed. About 8 min left, within its usual time."},
		{waiting, "1,079,397 rows deleted so far, 13 of 26 steps done. Nothing has failed."},
		{failed, "canceling statement due to lock timeout ended it at step 14 of 26. 1,079,397 rows deleted before it ended; that stays. 12 steps did not run. The workflow waits, paused: Thu 30 Jul 04:00 will be skipped unless it is resumed."},
		{ended, "1,079,397 rows deleted in 25 m 51 s. Nothing has failed. It took as long as usual."},
		{slow, "1,079,397 rows deleted in 25 m 51 s. Nothing has failed."},
		{rehearsed, "Stopped with 13 of 26 steps done. 1,079,397 rows would be deleted by what was rehearsed; all of it was rolled back."},
		{empty, "No row changed in 1.0 s. Nothing has failed."},
	} {
		if got := strings.ReplaceAll(check.run.verdict().Plain(), nnbsp, " "); got != check.want {
			t.Errorf("verdict of a %s run:\ngot  %s\nwant %s", check.run.State, got, check.want)
		}
	}
}

func TestTapeForThoseWhoDoNotSeeIt(t *testing.T) {
	t.Parallel()
	page := night(t, locale.English, Light)
	if got, want := page.tapeText(), "Next: mcSynch_exec_eu1 05:00"; !strings.Contains(got, "1 failed, 1 late in the last 12 h") || !strings.HasPrefix(got, "Next: ") {
		t.Errorf("got %q, want it to begin like %q and to count the exceptions", got, want)
	}
}

// TestNumbersOfTheRunTapeStandInIt: no number of a run's axis stands out of the tape, not even on a phone, and none
// touches the clock at the needle where numbers are seen.
func TestNumbersOfTheRunTapeStandInIt(t *testing.T) {
	t.Parallel()
	const phone, laptop, number = 328.0, 760.0, 46.0
	for took := time.Second; took < 10*time.Hour; took += took / 7 {
		r := Run{Page: Page{Lang: locale.English, Zone: time.UTC}, State: Failed, Begun: time.Date(2026, 11, 27, 4, 0, 0, 0, time.UTC), UsualTo: 2 * took}
		r.Ended = r.Begun.Add(took)
		numbers := 0
		for _, tick := range r.runTicks(r.runAxis()) {
			at, err := strconv.ParseFloat(strings.TrimSuffix(tick.x, "%"), 64)
			if err != nil {
				t.Fatal(err)
			}
			if tick.text != "" {
				numbers++
			}
			// The clock is 60 pixels wide.
			a := r.runAxis()
			needle := laptop * float64(took) / float64(a.span)
			left := needle - 30
			if a.late(took) {
				left = needle - 60
			}
			if begin := laptop * at / 100; tick.text != "" && begin < needle && begin+number > left {
				t.Errorf("a run of %s: the number %s at %s touches the clock, which begins at %.0f of %.0f pixels", took, tick.text, tick.x, left, laptop)
			}
			if tick.text != "" && phone*at/100+number > phone {
				t.Errorf("a run of %s: the number %s begins at %s of the tape, want it to end in it", took, tick.text, tick.x)
			}
		}
		if numbers == 0 {
			t.Errorf("a run of %s: got no number on its axis", took)
		}
	}
}

// The sky is darkest at night; at noon the lamp has a fifth of its strength.
func TestSkyAndLamp(t *testing.T) {
	t.Parallel()
	page := night(t, locale.English, Light)
	midnight := time.Date(2026, 7, 29, 0, 0, 0, 0, page.Zone)
	if got := sky(midnight).hex(); got != "#0A0F1B" {
		t.Errorf("sky at midnight: got %s, want #0A0F1B", got)
	}
	if got := sky(midnight.Add(12 * time.Hour)).hex(); got != "#40566C" {
		t.Errorf("sky at noon: got %s, want #40566C", got)
	}
	if got := lamp(midnight); got < .99 || got > 1.01 {
		t.Errorf("lamp at midnight: got %.2f, want 1", got)
	}
	if got := lamp(midnight.Add(12 * time.Hour)); got < .19 || got > .21 {
		t.Errorf("lamp at noon: got %.2f, want 0.2", got)
	}
}

// Whatever did not run still has its place on the tape of a run that was stopped or lost.
func TestTapeHoldsWhatDidNotRun(t *testing.T) {
	t.Parallel()
	for _, state := range []State{Stopped, Interrupted, Failed} {
		r := runOf(night(t, locale.English, Light))
		r.State, r.Ended = state, r.Begun.Add(2*time.Second)
		r.Steps = []Step{{Number: 1, Key: "lists", State: state, Begun: r.Begun, Took: 2 * time.Second},
			{Number: 2, Key: "deliveries", State: NotRun, Usual: 3 * time.Second}}
		if a := r.runAxis(); a.span < 5*time.Second {
			t.Errorf("%s: got an axis of %s, want the 5 s of both steps", state, a.span)
		}
	}
}

// TestBriefFailure: the verdict leaves out where it happened and the code, and keeps who was in the way.
func TestBriefFailure(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"lists: items: ERROR: division by zero (SQLSTATE 22012)":                                                       "division by zero",
		"items: ERROR: canceling statement due to lock timeout (SQLSTATE 55P03), the lock on nms.item is held by psql": "canceling statement due to lock timeout, the lock on nms.item is held by psql",
		"no answer within 15 s": "no answer within 15 s",
	} {
		if got := BriefFailure(message); got != want {
			t.Errorf("%s: got %q, want %q", message, got, want)
		}
	}
}
