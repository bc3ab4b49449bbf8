package views

func (p Runs) title() string {
	if p.State == "running" && p.Workflow == "" {
		return p.N("runs.running", int64(len(p.Rows)))
	}
	return p.T("rail.runs")
}

func (p Runs) filtered() bool {
	return p.Workflow != "" || p.State != "" || p.Mode != "" || p.Node != "" || p.From != "" || p.To != "" || p.Warnings
}

func (p Runs) states() []Option {
	return []Option{
		{"running", p.T(Running.key())}, {"completed", p.T(Finished.key())}, {"failed", p.T(Failed.key())},
		{"stopped", p.T(Stopped.key())}, {"interrupted", p.T(Interrupted.key())},
	}
}

func (p Runs) modes() []Option {
	return []Option{{"normal", p.T("runs.normal")}, {"simulation", p.T("runs.simulation")}}
}
