package views

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Node is a process that serves, with its modules. One that is missing has not said that it ended.
type Node struct {
	ID                  int
	Name, Host, Version string
	PID, Running        int
	Seen                time.Time
	Missing             bool
	Modules             []Module
}

// Module is a part of a process. Its state is up, starting, off, failing or missing.
type Module struct {
	Name, State   string
	Node          string
	Started, Seen time.Time // zero: it was not heard yet
	Account       string    // the one that fails
}

// Retire asks before a node is retired.
type Retire struct {
	Page
	Node    Node
	Trouble string // why it cannot be
}

func retirePath(id int) string { return "/monitoring/nodes/" + strconv.Itoa(id) + "/retire" }

// counts are an alert for a process that is missing, else for each of its modules that is.
func (n Node) counts() (alerts, warnings int64) {
	for _, m := range n.Modules {
		switch m.state() {
		case Failed:
			alerts++
		case Late:
			warnings++
		}
	}
	if n.Missing {
		return 1, 0
	}
	return alerts, warnings
}

// facts are where the process is, and what it does or when it was last heard.
func (n Node) facts(p Page) string {
	last := p.N("monitor.runs_on", int64(n.Running))
	if n.Missing {
		last = p.T("monitor.heard", p.Stamp(n.Seen))
	}
	return strings.Join([]string{n.Host, "pid " + strconv.Itoa(n.PID), n.Version, last}, " · ")
}

// state is the one whose glyph and colour the module has; its word is its own.
func (m Module) state() State {
	switch m.State {
	case "up":
		return Started
	case "starting":
		return Waiting
	case "off":
		return NotHere
	case "failing":
		return Late
	}
	return Failed
}

func (m Module) word(p Page) string {
	switch m.State {
	case "off":
		return p.T("monitor.off_" + m.Name)
	case "failing":
		return p.T("monitor.failing", m.Account)
	}
	return p.T("monitor." + m.State)
}

// journal is where to read what a module did. What only administrators may read is no link for others.
func (m Module) journal(p Page) Link {
	admin := p.Operator != nil && p.Operator.Admin
	link, restricted := Link{p.T("rail.runs"), "/runs"}, false
	switch m.Name {
	case "engine":
		link.Href += "?" + url.Values{"node": {m.Node}}.Encode()
	case "web":
		link, restricted = Link{p.T("rail.audit"), "/audit"}, true
	case "redirection":
		link = Link{p.T("monitor.tracking_runs"), "/runs?workflow=tracking"}
	case "mail", "webhook":
		link, restricted = Link{p.T("rail.mail"), "/mail?channel=" + m.Name}, true
		if m.State == "off" || m.State == "failing" {
			link = Link{p.T("rail.accounts"), "/accounts"}
		}
	}
	if restricted && !admin {
		link.Href = ""
	}
	return link
}
