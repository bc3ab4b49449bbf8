package views

import (
	"slices"
	"strings"
)

// matter is what needs someone on the overview besides workflows.
type matter struct {
	state   State
	label   string
	href    string // empty: the reader may not go there
	name    string
	finding string // in the title and the sentence, without a full stop
	word    string // beneath the label
	what    Rich
	follows string
	do      []Action
}

// calls reports whether anybody is needed.
func (p Overview) calls() bool {
	return len(p.Attention)+len(p.Accounts) > 0 || p.Mail.Calls() || p.Hindered.Cause != ""
}

// matters are what needs someone besides workflows. Where the reader may not go, no link leads.
func (p Overview) matters() (all []matter) {
	if p.Hindered.Cause != "" {
		all = append(all, p.Hindered.matter(p.Page))
	}
	for _, a := range p.Accounts {
		all = append(all, a.matter(p.Page))
	}
	if p.Mail.Calls() {
		all = append(all, p.Mail.matter(p.Page))
	}
	if p.Operator == nil || !p.Operator.Admin {
		for i, m := range all {
			all[i].href, all[i].do = "", slices.DeleteFunc(m.do, func(a Action) bool { return !strings.HasPrefix(a.Href, "/runs/") })
		}
	}
	return all
}

// matter is the entry of an account, with the run that tells why and the page that mends it.
func (a AccountTrouble) matter(p Page) matter {
	return matter{state: Failed, label: a.Label, href: "/accounts/" + a.Name, name: a.Name,
		finding: p.T("overview.account_fails", a.Label, a.Runs), word: p.T("overview.account_since", p.About(p.Now.Sub(a.Since))),
		what:    p.R("overview.account_failed", strings.Join(a.Workflows, ", "), a.Runs, a.Message),
		follows: p.T("overview.account_follows"),
		do: []Action{{Text: p.T("overview.account_open"), Href: "/accounts/" + a.Name, Kind: Filled},
			{Text: p.T("overview.open_run", digits(a.Run)), Href: runPath(a.Run)}}}
}

// matter is the entry of the outbox, with the page that mends what is most urgent of it.
func (n MailNeed) matter(p Page) matter {
	m := matter{label: p.T("rail.mail"), href: "/mail", finding: n.finding(p)}
	said := []string{m.finding + "."}
	switch {
	case n.NoAccount:
		m.state, m.follows = Late, p.T("mail.no_account_why")
		m.do = []Action{{Text: p.T("accounts.add_mail"), Href: "/accounts/new?type=tech_smtp", Kind: Filled}}
		if !n.Since.IsZero() {
			m.word = p.T("overview.mail_waits", p.About(p.Now.Sub(n.Since)))
		}
		if n.Unknown > 0 {
			said = append(said, p.N("mail.unknown", int64(n.Unknown))+".")
		}
	case n.Unknown > 0:
		m.state, m.follows = Interrupted, p.T("overview.mail_unknown")
		m.do = []Action{{Text: p.T("overview.mail_open"), Href: "/mail?state=unknown"}}
	default:
		m.state, m.follows = Failed, p.T("overview.mail_errors")
		m.do = []Action{{Text: p.T("overview.mail_open"), Href: "/mail?state=error"}}
	}
	if n.Errors > 0 && m.state != Failed {
		said = append(said, p.N("mail.errors", int64(n.Errors))+".")
	}
	m.what = Rich(strings.Join(said, " "))
	return m
}
