package views

import "time"

// driftOf is a run that took nine times as long as on other Mondays.
func driftOf(run int64, since time.Time) Drift {
	return Drift{Cause: "slower", Run: run, Measured: 370, Low: 38, Median: 41, High: 44, Bound: 52.8, Runs: 28, Weekday: 1, Since: since}
}

// fewerOf is a run that changed nothing, of a workflow that mostly has nothing to do.
func fewerOf(run int64, since time.Time) Drift {
	return Drift{Cause: "fewer", Run: run, Low: 4211, Median: 4600, High: 5120, Bound: 3300, Runs: 12, Busy: true, Since: since}
}

// moreOf is a run that has changed more rows than any comparable one.
func moreOf(run int64, since time.Time) Drift {
	return Drift{Cause: "more", Run: run, Measured: 1128904, Low: 512000, Median: 560000, High: 604000, Bound: 743000, Runs: 30, Since: since}
}
