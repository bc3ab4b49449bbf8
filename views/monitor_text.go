package views

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Text writes the page for a terminal: the finding, then a table each of modules, indicators and workflows.
func (m Monitoring) Text(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	row := func(cells ...string) {
		for i, cell := range cells {
			if i > 0 {
				_, _ = fmt.Fprint(table, "\t")
			}
			_, _ = fmt.Fprint(table, cell)
		}
		_, _ = fmt.Fprintln(table)
	}
	row(m.finding())
	row(m.T("monitor.lede", m.Host, m.Build, m.Postgres))
	for _, n := range m.Nodes {
		row()
		row(n.Name, m.T("monitor.state"), m.T("monitor.seen")+" ("+m.ZoneName()+")")
		for _, module := range n.Modules {
			row(m.T("monitor.module_"+module.Name), module.word(m.Page), m.heard(module))
		}
	}
	row()
	row(m.T("monitor.indicator"), m.T("monitor.state"), m.T("monitor.current"), m.T("monitor.max"), m.T("monitor.warns"), m.T("monitor.alerts_at"))
	for _, i := range m.Indicators() {
		row(i.label(m.Page), m.T("monitor."+i.Level()), i.current(m.Page), i.most(m.Page), i.limit(m.Page, i.Warning), i.limit(m.Page, i.Alert), i.Why(m.Page))
	}
	for _, text := range m.NotKnown() {
		row(m.T("monitor.gaps", text))
	}
	row()
	for _, r := range m.Routine {
		row(r.Label, m.T("monitor."+r.Level), r.Text)
	}
	if len(m.Workflows) > 0 {
		row()
	}
	for _, w := range m.Workflows {
		row(w.Workflow, m.T(w.State.key()), w.Why)
	}
	return table.Flush()
}

func (m Monitoring) heard(module Module) string {
	if module.Seen.IsZero() {
		return "—"
	}
	return m.Stamp(module.Seen)
}
