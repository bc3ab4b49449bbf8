package views

import "time"

func accountsOf(page Page) Accounts {
	page.Section, page.Path, page.Title = SectionAccounts, "/accounts", page.T("rail.accounts")
	page.Crumbs = []Crumb{{page.Title, ""}}
	at := page.Now.Add(-20 * time.Minute)
	return Accounts{Page: page, Failing: 1, Mail: MailNeed{Waiting: 3, Errors: 2, Since: at}, Rows: []AccountRow{
		{Name: "mail", Label: "Mail relay", Kind: page.T("accounts.type_tech_smtp"), Server: "relay.example.com:587", State: Failed,
			Word: page.T("accounts.failing"), Why: page.T("accounts.problem_certificate"), At: at},
		{Name: "defaultEmailMid", Label: "Mid-sourcing e-mail", Kind: page.T("accounts.type_mid_sourcing"), Server: "https://mid.example.com", State: Started,
			Word: page.T("accounts.ok"), At: at},
		{Name: "deliverability", Label: "Deliverability", Kind: page.T("accounts.type_deliverability"), State: Edited, Word: page.T("accounts.unused")},
		{Name: "old", Label: "Old relay", Kind: page.T("accounts.type_tech_smtp"), Server: "old.example.com:25", State: NotHere, Word: page.T("accounts.off")}}}
}

func accountFormOf(page Page) AccountForm {
	list := accountsOf(page)
	page = list.Page
	page.Crumbs = []Crumb{{page.Title, "/accounts"}, {"Mail relay", ""}}
	set := page.Now.AddDate(0, -2, 0)
	return AccountForm{Page: page, Name: "mail", Label: "Mail relay", Type: "tech_smtp", Kind: page.T("accounts.type_tech_smtp"), About: page.T("accounts.about_tech_smtp"),
		Usable: true, HasSecret: true, State: Failed, Word: page.T("accounts.failing"), Why: page.T("accounts.problem_certificate"),
		Said:   "connect to relay.example.com:587: tls: failed to verify certificate: x509: certificate signed by unknown authority",
		LastOK: page.Now.Add(-26 * time.Hour), LastFailed: page.Now.Add(-20 * time.Minute), SecretSet: set,
		Troubles: []AccountTrouble{{Name: "mail", Workflows: []string{"Mid-sourcing (delivery counters)"}, Runs: 3, Run: 8788, Message: "i/o timeout"}},
		Fields: []Field{{Name: "label", Label: page.T("accounts.label"), Value: "Mail relay"},
			{Name: "server", Label: page.T("accounts.server"), Value: "relay.example.com", Mono: true, Help: page.T("accounts.server_help")},
			{Name: "port", Label: page.T("accounts.port"), Value: "587x", Error: page.T("accounts.port_invalid")},
			{Name: "encryption", Label: page.T("accounts.encryption"), Value: "starttls", Options: []Option{{"starttls", page.T("accounts.encryption_starttls")}}, Help: page.T("accounts.encryption_help")},
			{Name: "from", Label: page.T("accounts.from"), Value: "Nightshift <ops@example.com>", Help: page.T("accounts.from_help")},
			{Name: "login", Label: page.T("accounts.login"), Value: "nightshift", Help: page.T("accounts.login_mail")}},
		Secret:    Field{Name: "secret", Label: page.T("accounts.secret"), Type: "password", Help: page.T("accounts.secret_kept", page.Stamp(set))},
		Forget:    Field{Name: "forget", Label: page.T("accounts.forget")},
		Authority: Field{Name: "authority", Label: page.T("accounts.authority"), Help: page.T("accounts.authority_help")},
		Active:    Field{Name: "active", Label: page.T("accounts.active"), Value: "on", Help: page.T("accounts.active_help")}}
}

func outboxOf(page Page) Outbox {
	page.Section, page.Path, page.Title = SectionMail, "/mail", page.T("rail.mail")
	page.Crumbs = []Crumb{{page.T("rail.accounts"), "/accounts"}, {page.Title, ""}}
	at := page.Now.Add(-20 * time.Minute)
	row := func(id int64, state State, name, to string, tries int) MessageRow {
		return MessageRow{ID: id, State: state, Word: page.T("mail.state_" + name), AtWord: page.T("mail.when_" + name), At: at, To: to, Tries: tries,
			Subject: "Workflow cleanup has failed", Workflow: "cleanup", Channel: page.T("mail.channel_mail"), Again: state == Failed || state == Interrupted}
	}
	rows := []MessageRow{row(9, Waiting, "pending", "kim@example.com", 1), row(8, Failed, "error", "gone@example.com", 1), row(7, Interrupted, "unknown", "lee@example.com", 1),
		row(6, Finished, "sent", "kim@example.com", 1)}
	rows[0].Note, rows[0].At = "451 4.7.1 Greylisted, try again later", page.Now.Add(4*time.Minute)
	rows[1].Note, rows[2].Note = "550 5.1.1 <…> no such user", "the process that was sending it was lost"
	return Outbox{Page: page, Rows: rows, Need: MailNeed{Waiting: 1, Errors: 1, Unknown: 1}, Paging: Paging{Older: "/mail?before=6"},
		States: []Option{{"", page.T("mail.state_")}, {"pending", page.T("mail.state_pending")}, {"error", page.T("mail.state_error")}, {"unknown", page.T("mail.state_unknown")}}}
}

func messageOf(page Page) Message {
	list := outboxOf(page)
	page = list.Page
	page.Crumbs = []Crumb{{page.Title, "/mail"}, {"7", ""}}
	return Message{Page: page, MessageRow: list.Rows[2], Key: "workflow_failed:8841:3", Made: page.Now.Add(-time.Hour), Answer: "",
		Text: "The workflow cleanup has failed in run 8841.\n\nStep: lists\nError: lock timeout on nms.broad_log\n"}
}

func confirmOf(page Page) Confirm {
	page.Title, page.Section = page.T("confirm.title"), SectionAccounts
	page.Crumbs = []Crumb{{Text: page.Title}}
	return Confirm{Page: page, Action: "/accounts", Back: "/accounts/new", Secret: true, Trouble: page.T("operator.password_wrong"),
		Sent: []Sent{{"label", "Letters"}, {"name", "letters"}}}
}
