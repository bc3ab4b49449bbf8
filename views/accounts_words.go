package views

import "net/url"

// finding is the title: how many accounts there are, and how many do not work.
func (p Accounts) finding() string {
	count := p.N("accounts.title", int64(len(p.Rows)))
	if p.Failing == 0 {
		return count
	}
	return p.N("accounts.title_failing", int64(p.Failing), count)
}

// finding says what somebody is needed for, the most urgent first.
func (n MailNeed) finding(p Page) string {
	switch {
	case n.NoAccount:
		return p.N("mail.no_account", int64(n.Waiting))
	case n.Unknown > 0:
		return p.N("mail.unknown", int64(n.Unknown))
	case n.Errors > 0:
		return p.N("mail.errors", int64(n.Errors))
	case n.Waiting > 0:
		return p.N("mail.waiting", int64(n.Waiting))
	}
	if n.None {
		return p.T("mail.nothing")
	}
	return p.T("mail.calm")
}

func (p Outbox) finding() string { return p.Need.finding(p.Page) }

// at is the address of the list with a state.
func (p Outbox) at(state string) string {
	query := url.Values{}
	if state != "" {
		query.Set("state", state)
	}
	if p.Channel != "" {
		query.Set("channel", p.Channel)
	}
	if len(query) == 0 {
		return "/mail"
	}
	return "/mail?" + query.Encode()
}
