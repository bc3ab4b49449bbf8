package engine

import (
	"fmt"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"nightshift/db"
)

// driftWords is how a language tells of a run that is not as usual.
type driftWords struct {
	subject, body  string // places of the body: workflow, run, how far the run is, what is unusual, link
	running, ended string
	causes         map[string]string
	line, between  string // cause, measured, usually, median, compared with, limit; tenth to ninetieth
	runs           string // how many were compared
	on             map[int]string
	busy           string // how many runs that changed rows
	rows           string
	span           func(d time.Duration) string
}

// lines tell each alarm with its arithmetic.
func (w driftWords) lines(drifts []db.Drift) []string {
	lines := make([]string, len(drifts))
	for i, d := range drifts {
		of := fmt.Sprintf(w.runs, d.Runs)
		switch {
		case d.Busy:
			of = fmt.Sprintf(w.busy, d.Runs)
		case d.Weekday > 0:
			of = fmt.Sprintf(w.on[d.Weekday], d.Runs)
		}
		usual := w.amount(d, d.P90)
		if low := w.amount(d, d.P10); low != usual {
			usual = fmt.Sprintf(w.between, low, usual)
		}
		lines[i] = fmt.Sprintf(w.line, w.causes[d.Cause], w.amount(d, d.Measured), usual, w.amount(d, d.Median), of, w.amount(d, d.Bound))
	}
	return lines
}

// amount writes a number of the alarm with its unit.
func (w driftWords) amount(d db.Drift, n float64) string {
	if d.Cause == "slower" || d.Cause == "faster" {
		return w.span(time.Duration(n * float64(time.Second)))
	}
	return fmt.Sprintf(w.rows, message.NewPrinter(language.English).Sprint(int64(n+0.5)))
}

var driftNotices = map[string]driftWords{
	"en": {
		subject: "Workflow %s: %s",
		body: `Run %[2]d of the workflow %[1]s is not as usual. %[3]s

%[4]s

%[5]s
The console shows it until a run is as usual again, or an administrator has acknowledged it.
`,
		running: "It is still on.", ended: "It has completed.",
		causes: map[string]string{"slower": "slower than usual", "faster": "faster than usual", "more": "more rows than usual", "fewer": "fewer rows than usual"},
		line:   "%s: %s, usually %s, median %s of %s; the limit is %s", between: "%s to %s",
		runs: "%d runs", busy: "%d runs that changed rows", rows: "%s rows",
		on: map[int]string{1: "%d runs on Mondays", 2: "%d runs on Tuesdays", 3: "%d runs on Wednesdays", 4: "%d runs on Thursdays",
			5: "%d runs on Fridays", 6: "%d runs on Saturdays", 7: "%d runs on Sundays"},
		span: func(d time.Duration) string { return spanned(d, " s", " m ", " h ", " m") },
	},
	"ko": {
		subject: "워크플로우 %s: %s",
		body: `워크플로우 %[1]s, 실행 %[2]d: 평소와 다름. %[3]s

%[4]s

%[5]s
이후 실행이 평소 수준으로 돌아오거나 관리자가 확인 처리할 때까지 콘솔에 표시됩니다.
`,
		running: "아직 실행 중입니다.", ended: "실행은 완료되었습니다.",
		causes: map[string]string{"slower": "평소보다 느림", "faster": "평소보다 빠름", "more": "평소보다 많은 행", "fewer": "평소보다 적은 행"},
		line:   "%s: %s (평소 %s, 중앙값 %s, 비교 대상: %s, 한계 %s)", between: "%s~%s",
		runs: "실행 %d회", busy: "행을 변경한 실행 %d회", rows: "%s행",
		on: map[int]string{1: "월요일 실행 %d회", 2: "화요일 실행 %d회", 3: "수요일 실행 %d회", 4: "목요일 실행 %d회",
			5: "금요일 실행 %d회", 6: "토요일 실행 %d회", 7: "일요일 실행 %d회"},
		span: func(d time.Duration) string { return spanned(d, "초", "분 ", "시간 ", "분") },
	},
}

// spanned writes how long something took with the units of a language: 0.4 s, 41 s, 6 m 10 s, 3 h 04 m.
func spanned(d time.Duration, second, minute, hour, minuteLast string) string {
	whole := d.Round(time.Second)
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f%s", d.Seconds(), second)
	case whole < time.Minute:
		return fmt.Sprintf("%d%s", int(whole.Seconds()), second)
	case whole < time.Hour:
		return fmt.Sprintf("%d%s%02d%s", int(whole.Minutes()), minute, int(whole.Seconds())%60, second)
	}
	return fmt.Sprintf("%d%s%02d%s", int(whole.Hours()), hour, int(whole.Minutes())%60, minuteLast)
}
