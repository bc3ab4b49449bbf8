package views

import (
	"slices"
	"strings"
	"time"
)

// verdict is what happened, in two lines: the result in numbers first, then trouble, then what is left or what now.
func (r Run) verdict() Rich {
	var said []string
	switch r.State {
	case Running:
		said = append(said, r.T("verdict.so_far", r.lead()), r.T("verdict.steps_done", r.count(Finished, Warned, Kept), len(r.Steps)), r.trouble(), r.left())
	case Failed:
		said = append(said, r.failure()...)
	case Stopped:
		said = append(said, r.T("verdict.stopped", r.count(Finished, Warned, Kept), len(r.Steps)), r.stays())
	case Interrupted:
		said = append(said, r.T("verdict.interrupted"), r.stays())
	default:
		said = append(said, r.T("verdict.ended", r.lead(), r.Took(r.took())), r.trouble(), r.compared())
	}
	var full []string
	for _, sentence := range said {
		if sentence != "" {
			full = append(full, sentence)
		}
	}
	return Rich(strings.Join(full, " "))
}

// lead is the largest of what the run did to the data: "**1,128,904 rows** deleted".
func (r Run) lead() string {
	deleted, updated, added := r.sums()
	mode := "lead."
	if r.Simulated {
		mode = "lead.would_"
	}
	switch most := max(deleted, updated, added); {
	case most == 0 && r.RowsChanged > 0:
		return r.N(mode+"changed", r.RowsChanged)
	case most == 0:
		return r.T("lead.nothing")
	case most == deleted:
		return r.N(mode+"deleted", most)
	case most == updated:
		return r.N(mode+"updated", most)
	default:
		return r.N(mode+"added", most)
	}
}

func (r Run) trouble() string {
	if r.Warnings > 0 {
		return r.N("verdict.warnings", int64(r.Warnings))
	}
	return r.T("verdict.no_trouble")
}

// stays says what a run that did not come to its end leaves.
func (r Run) stays() string {
	if deleted, updated, added := r.sums(); deleted+updated+added+r.RowsChanged == 0 {
		return r.T("verdict.nothing_changed")
	}
	if r.Simulated {
		return r.T("verdict.rolled_back", r.lead())
	}
	return r.T("verdict.stays", r.lead())
}

// BriefFailure is the message of a failure without what stands beside it: where it happened, and its code.
func BriefFailure(message string) string {
	text := message
	if i := strings.LastIndex(text, "ERROR: "); i >= 0 {
		text = text[i+len("ERROR: "):]
	}
	text, code, _ := strings.Cut(text, " (SQLSTATE ")
	if _, after, coded := strings.Cut(code, ")"); coded {
		text += after // who holds the lock
	}
	return strings.NewReplacer("**", "", "`", "").Replace(text)
}

func (r Run) failure() []string {
	what := ""
	if r.Failure != nil {
		what = BriefFailure(r.Failure.Message)
	}
	said := []string{r.T("verdict.failed", what)}
	if at := r.failedStep(); at > 0 {
		said[0] = r.T("verdict.failed_at", what, at, len(r.Steps))
	}
	said = append(said, r.stays())
	if n := r.count(NotRun, ToCome); n > 0 {
		said = append(said, r.N("verdict.not_run", n))
	}
	switch {
	case r.WorkflowPaused && !r.Next.IsZero():
		said = append(said, r.T("verdict.paused_skips", r.DayTime(r.Next)))
	case r.WorkflowPaused:
		said = append(said, r.T("verdict.paused"))
	case !r.Next.IsZero():
		said = append(said, r.T("verdict.next", r.DayTime(r.Next)))
	}
	return said
}

// remaining is how long the run will still take; 0 when nothing is known.
func (r Run) remaining() time.Duration {
	var left time.Duration
	for _, step := range r.Steps {
		switch step.State {
		case ToCome:
			left += step.Usual
		case Running:
			if share := step.share(); share > .02 {
				left += time.Duration(float64(step.Took) * (1 - share) / share)
			} else {
				left += max(0, step.Usual-step.Took)
			}
		}
	}
	if left == 0 {
		left = max(0, r.UsualTook-r.took())
	}
	return left
}

// endless is a step of which nobody knows how long it still takes: it does not count, and takes longer than usual, as one
// does that waits for a lock.
func (s Step) endless() bool {
	return s.State == Running && s.share() <= .02 && s.Took > s.Usual+s.Usual/2+time.Second
}

func (r Run) left() string {
	left := r.remaining()
	switch {
	case left < time.Second, slices.ContainsFunc(r.Steps, Step.endless):
		return ""
	case r.UsualTo == 0, r.drifts("slower"):
		return r.T("verdict.left", r.About(left))
	case r.took()+left > r.UsualTo+time.Minute:
		return r.T("verdict.left_longer", r.About(left), r.About(r.took()+left-r.UsualTo))
	}
	return r.T("verdict.left_usual", r.About(left))
}

// compared sets the run against its good predecessors.
func (r Run) compared() string {
	switch {
	case r.UsualTo == 0, r.drifts("slower", "faster"):
		return ""
	case r.took() > r.UsualTo+r.UsualTo/10+time.Second:
		return r.T("verdict.longer", r.Lasted(r.took()-r.UsualTook))
	case r.took() < r.UsualFrom-r.UsualFrom/10-time.Second:
		return r.T("verdict.shorter", r.Lasted(r.UsualTook-r.took()))
	}
	return r.T("verdict.as_usual")
}

// drifts reports whether the page says below the verdict that the run is not as usual in one of some ways.
func (r Run) drifts(causes ...string) bool {
	return slices.ContainsFunc(r.Drifts, func(d Drift) bool { return slices.Contains(causes, d.Cause) })
}

func (r Run) sums() (deleted, updated, added int64) {
	for _, effect := range r.Effects {
		deleted += effect.Deleted
		updated += effect.Updated
		added += effect.Added
	}
	return deleted, updated, added
}

// least is the kind of change that a narrow screen leaves out: the one that the run did least of.
func (r Run) least() string {
	switch deleted, updated, added := r.sums(); {
	case added <= deleted && added <= updated:
		return "added"
	case updated <= deleted:
		return "updated"
	}
	return "deleted"
}

func (r Run) effectsNote() string {
	switch {
	case r.Simulated:
		return r.T("run.would")
	case r.State == Running:
		return r.T("run.so_far")
	}
	return ""
}

// touched are the effects on tables that hold business rows; work tables that were only dropped are counted in the sum.
func (r Run) touched() []Effect {
	var touched []Effect
	for _, effect := range r.Effects {
		if effect.Deleted+effect.Updated+effect.Added > 0 {
			touched = append(touched, effect)
		}
	}
	return touched
}

func (r Run) noEffects() string {
	if r.State == Running {
		return r.T("run.no_effects")
	}
	return r.T("lead.none")
}

func (r Run) effectsSum() string {
	tables := r.N("run.tables", int64(len(r.touched())))
	if r.Dropped > 0 {
		return tables + ", " + r.T("run.dropped", r.Dropped)
	}
	return tables
}

// effectShare is the table's part of the largest one.
func (r Run) effectShare(effect Effect) float64 {
	var most int64 = 1
	for _, e := range r.Effects {
		most = max(most, e.Deleted+e.Updated+e.Added)
	}
	return float64(effect.Deleted+effect.Updated+effect.Added) / float64(most)
}
