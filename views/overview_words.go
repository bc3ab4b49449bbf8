package views

import (
	"slices"
	"strings"
	"time"
)

// finding is the title: how many need someone.
func (p Overview) finding() string {
	switch {
	case p.Hindered.Cause != "":
		return p.Hindered.finding(p.Page) + "."
	case p.NoneYet:
		return p.T("overview.none_yet")
	case !p.calls():
		return p.T("overview.calm")
	case len(p.Attention) == 0:
		return p.matters()[0].finding + "."
	}
	return p.N("overview.need", int64(len(p.Attention)), p.Total)
}

// sentence says who needs someone, what runs, and that the rest is well.
func (p Overview) sentence() string {
	if p.NoneYet {
		return p.T("overview.none_yet_why", p.Total)
	}
	var said []string
	for i, a := range p.Attention {
		if i == 3 {
			said = append(said, p.T("overview.more", len(p.Attention)-3))
			break
		}
		said = append(said, p.T("overview.is_"+a.kind(), a.Label, p.About(p.Now.Sub(a.Since))))
	}
	if len(p.Attention) > 0 {
		for _, m := range p.matters() {
			said = append(said, m.finding)
		}
	}
	text := ""
	if len(said) > 0 {
		text = strings.Join(said, ", ") + ". "
	}
	if n := len(p.Running); n > 0 {
		text += p.N("overview.run_now", int64(n)) + " "
	}
	text += p.looks()
	if len(p.Attention) > 0 && len(p.Looks) == 0 {
		return text + p.T("overview.rest")
	}
	return text + p.nextWords()
}

// kind is the sort of trouble: failed, late or paused.
func (a Attention) kind() string {
	switch a.State {
	case Failed:
		return "failed"
	case Paused:
		return "paused"
	}
	return "late"
}

func (a Attention) since(p Page) string {
	return p.T("row."+a.kind(), p.About(p.Now.Sub(a.Since)))
}

// actions are the run that explains, and the order that helps.
func (a Attention) actions(p Page) []Action {
	var actions []Action
	if a.Run > 0 {
		actions = append(actions, Action{Text: p.T("overview.open_run", digits(a.Run)), Href: runPath(a.Run)})
	}
	if slices.Contains(a.Can, OrderStart) {
		actions = append(actions, p.orderAction(a.Workflow, OrderStart, a.State))
	}
	if len(actions) == 0 {
		actions = append(actions, Action{Text: p.T("row.open"), Href: workflowPath(a.Workflow)})
	}
	if a.State == Failed {
		actions[0].Kind = Filled
	}
	return actions
}

func (p Overview) runningNote() string {
	if p.Places == 0 {
		return ""
	}
	return p.T("overview.places", len(p.Running), p.Places)
}

// nextWords names what is due next.
func (p Overview) nextWords() string {
	var name string
	var at time.Time
	for _, ahead := range p.Ahead {
		if len(ahead.At) > 0 && (at.IsZero() || ahead.At[0].Before(at)) {
			name, at = ahead.Label, ahead.At[0]
		}
	}
	switch {
	case name == "" && len(p.Frequent) > 0:
		return p.N("ahead.frequent", int64(len(p.Frequent))) + "."
	case name == "":
		return p.T("overview.nothing_next")
	}
	return p.T("overview.next_is", name, p.When(at))
}

func (r RunningRow) usualShare() float64 {
	if r.UsualTook == 0 {
		return 0
	}
	return min(1, float64(r.Took)/float64(r.UsualTook))
}

func (r RunningRow) stepText(p Page) string {
	if r.Steps == 0 {
		return r.StepName
	}
	return p.T("overview.step", r.Step, r.Steps, r.StepName)
}

func (r RunningRow) over() time.Duration { return r.Took - r.UsualTook }

func (r RunningRow) left(p Page) string {
	switch {
	case r.UsualTook == 0:
		return ""
	case r.over() > r.UsualTook/10+time.Second:
		return p.T("overview.over", p.About(r.over()))
	case r.over() > 0:
		return p.T("overview.about_done")
	}
	return p.T("overview.left", p.About(-r.over()))
}

func (r RunningRow) leftClass() string {
	if r.UsualTook > 0 && r.over() > r.UsualTook/10+time.Second {
		return "tone-late"
	}
	return "muted"
}
