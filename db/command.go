package db

// Command is an operator's order to a workflow. Its text is the word kept in xtk.workflow_job.
type Command string

// The nine orders, with what each does in each state.
const (
	// Start puts a workflow to work. Being edited or finished: from the beginning, its variables emptied; nothing runs
	// before its schedule fires. Paused: it goes on where it stopped, slots skipped meanwhile give one run. Failed: the
	// failed step and those after it run again. Refused in all other states.
	Start Command = "start"
	// Pause lets the run in progress end and then begins no other. Started: at once, or after the run in progress.
	// Start pending: the start is taken back. Refused in all other states. Args may carry a reason and an end.
	Pause Command = "pause"
	// Stop cancels the run in progress at its next safe point and takes back what is due; batches done stay done.
	// Started, start pending, pause pending, paused: the workflow ends finished. Being edited, finished: only the
	// rehearsal or single run in progress ends. Refused while a stop is pending.
	Stop Command = "stop"
	// UnconditionalStop sets finished at once, whatever the run does. Every state but being edited and finished; there
	// only for a run in progress. What happens to its session is the option WdbcKillSessionPolicy.
	UnconditionalStop Command = "unconditional_stop"
	// Restart stops and starts from the beginning, with the variables kept. Started, paused, failed, finished, and stop
	// pending, where Stop is not possible any more.
	Restart Command = "restart"
	// PurgeHistory deletes processed events, ended runs and their log lines, never the run in progress. Every state.
	PurgeHistory Command = "cleanup"
	// Simulate rehearses one run and takes back all it did. Being edited, started, paused, finished, when nothing runs.
	Simulate Command = "simulate"
	// Wakeup runs what is due next now; the schedule does not move. Started only, when nothing runs.
	Wakeup Command = "wakeup"
	// RunNow makes one run with its own parameters, besides the schedule. Being edited, started, finished, when nothing
	// runs; the state stays.
	RunNow Command = "run"
)

// Commands lists the nine orders in the order in which a menu shows them.
func Commands() []Command {
	return []Command{Start, Pause, Stop, Restart, Wakeup, RunNow, Simulate, PurgeHistory, UnconditionalStop}
}

// AuditName is the name that the audit trail gives the order.
func (c Command) AuditName() string {
	names := map[Command]string{Start: "Start", Pause: "Pause", Stop: "Stop", UnconditionalStop: "Unconditional Stop",
		Restart: "Restart", PurgeHistory: "Cleanup", Simulate: "Simulate", Wakeup: "Wakeup", RunNow: "Run"}
	return names[c]
}

// States of a workflow. Failed is not one of them: it is paused, or finished, with the failed flag.
const (
	BeingEdited  = "being_edited"
	StartPending = "start_pending"
	Started      = "started"
	PausePending = "pause_pending"
	Paused       = "paused"
	StopPending  = "stop_pending"
	Finished     = "finished"
)

// Situation is what decides whether an order is possible.
type Situation struct {
	State  string
	Failed bool
	// Built is false for a workflow that this version has no code for.
	Built bool
	// Running is true while a run of any mode is in progress.
	Running bool
}

// Refusal says why an order is not possible now. Key names a text of the console, State is the workflow's state.
// It answers 409: nothing was queued.
type Refusal struct {
	Command Command
	Key     string
	State   string
}

func (r *Refusal) Error() string {
	return string(r.Command) + " is refused while the workflow is " + r.State + " (" + r.Key + ")"
}

// Reasons of a refusal: keys of the console's texts.
const (
	refusedUnknown     = "order.refused.unknown"
	refusedNotBuilt    = "order.refused.not_built"
	refusedRequested   = "order.refused.requested"
	refusedStarting    = "order.refused.starting"
	refusedStarted     = "order.refused.started"
	refusedPausing     = "order.refused.pausing"
	refusedPaused      = "order.refused.paused"
	refusedPausedOnce  = "order.refused.paused_already"
	refusedStopping    = "order.refused.stopping"
	refusedFinished    = "order.refused.finished"
	refusedNeverBegun  = "order.refused.being_edited"
	refusedRunning     = "order.refused.running"
	refusedNothingRuns = "order.refused.nothing_runs"
)

// Judge says whether a workflow in a situation takes an order: nil when it does. Before a queued order is applied it is
// judged again by the engine, because other orders may have come between.
func (c Command) Judge(s Situation) *Refusal {
	no := func(key string) *Refusal { return &Refusal{Command: c, Key: key, State: s.State} }
	refused, known := c.refusals()
	if !known {
		return no(refusedUnknown)
	}
	if key := refused[s.State]; key != "" {
		return no(key)
	}
	idle := s.State == BeingEdited || s.State == Finished
	switch {
	case c.begins() && !s.Built:
		return no(refusedNotBuilt)
	case (c == Simulate || c == Wakeup || c == RunNow) && s.Running:
		return no(refusedRunning)
	case (c == Stop || c == UnconditionalStop) && idle && !s.Running:
		return no(refusedNothingRuns)
	}
	return nil
}

// begins reports an order that makes something run, which a workflow without code cannot.
func (c Command) begins() bool {
	return c == Start || c == Restart || c == Simulate || c == Wakeup || c == RunNow
}

// refusals maps the states in which the order is not possible to the reason; a state that is not there takes it.
func (c Command) refusals() (map[string]string, bool) {
	switch c {
	case Start:
		return map[string]string{StartPending: refusedRequested, Started: refusedStarted, PausePending: refusedPausing,
			StopPending: refusedStopping}, true
	case Pause:
		return map[string]string{BeingEdited: refusedNeverBegun, PausePending: refusedRequested, Paused: refusedPausedOnce,
			StopPending: refusedStopping, Finished: refusedFinished}, true
	case Stop:
		return map[string]string{StopPending: refusedRequested}, true
	case Restart:
		return map[string]string{BeingEdited: refusedNeverBegun, StartPending: refusedStarting, PausePending: refusedPausing}, true
	case Simulate:
		return map[string]string{StartPending: refusedStarting, PausePending: refusedPausing, StopPending: refusedStopping}, true
	case Wakeup:
		return map[string]string{BeingEdited: refusedNeverBegun, StartPending: refusedStarting, PausePending: refusedPausing,
			Paused: refusedPaused, StopPending: refusedStopping, Finished: refusedFinished}, true
	case RunNow:
		return map[string]string{StartPending: refusedStarting, PausePending: refusedPausing, Paused: refusedPaused,
			StopPending: refusedStopping}, true
	case UnconditionalStop, PurgeHistory:
		return nil, true
	}
	return nil, false
}

// pending is the state that a workflow shows from the order until the engine has applied it; empty: it stays.
func (c Command) pending(s Situation) string {
	switch {
	case c == Start, c == Restart && !s.Running && s.State != StopPending:
		return StartPending
	case c == Pause:
		return PausePending
	case c == Restart, c == Stop && s.State != BeingEdited && s.State != Finished:
		return StopPending
	}
	return ""
}
