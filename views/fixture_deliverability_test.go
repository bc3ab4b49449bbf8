package views

import "time"

func deliverabilityOf(page Page) Deliverability {
	page.Section, page.Path, page.Title = SectionSending, "/deliverability", page.T("rail.deliverability")
	page.Crumbs = []Crumb{{page.Title, ""}}
	at := page.Now.Add(-26 * time.Hour)
	set := func(name, kind, mode string, state State, word string, rules int64, version string) RuleSetRow {
		return RuleSetRow{Name: name, Label: page.T("deliverability.set_" + kind), Mode: mode, State: state, Word: page.T(word), Rules: rules, Version: version,
			Hidden: kind == "suppression", At: at}
	}
	standard := page.T("deliverability.mode_standard")
	view := Deliverability{Page: page, Version: "2026-07-24.3", Waiting: 14, Status: "to_qualify", Paging: Paging{Older: "/deliverability?after=1.2"},
		Sets: []RuleSetRow{set("defaultMXRules", "mx", page.T("deliverability.mode_custom"), NotHere, "deliverability.own", 171, ""),
			set("defaultInMail", "inbound", standard, Started, "deliverability.once", 412, "2026-07-24.3"),
			set("defaultDomainRules", "domain", standard, Started, "deliverability.once", 38, "2026-07-24.3"),
			set("defaultSuppression", "suppression", standard, Started, "deliverability.once", 12_004, "2026-07-24.3")},
		Host: Field{Name: "host", Label: page.T("mx.host"), Value: "alt1.gmail-smtp-in.l.google.com", Mono: true, Placeholder: "alt1.gmail-smtp-in.l.google.com"},
		Ruled: MXFinding{Host: "alt1.gmail-smtp-in.l.google.com", Mask: "*.google.com", Order: 2,
			Limits: []string{page.T("mx.connections", "20"), page.T("mx.per_hour", "10,000", "833"), page.T("mx.each"), page.T("mx.tls", "opportunistic")}},
		Texts: []BounceRow{
			{ID: 14, Text: "550 5.7.1 [*] Our system has detected that this message is likely unsolicited mail. #xxx#", Meaning: page.T("bounce.type_soft") + " · " + page.T("bounce.reason_0"),
				Why: page.T("bounce.by_nobody"), Hits: 100_000, Capped: true, Waits: true},
			{ID: 9, Text: "550 5.1.1 <*>: Recipient address rejected: User unknown in virtual mailbox table", Meaning: page.T("bounce.type_hard") + " · " + page.T("bounce.reason_1"),
				Why: page.T("bounce.by_rule", `5\.1\.1|user is unknown`), Hits: 1204, Waits: true}}}
	for _, value := range []string{"to_qualify", "keep", "ignore"} {
		view.Statuses = append(view.Statuses, Option{value, page.T("bounce.status_" + value)})
	}
	return view
}

func bounceOf(page Page) BounceForm {
	list := deliverabilityOf(page)
	page = list.Page
	page.Crumbs = []Crumb{{page.Title, "/deliverability"}, {page.T("bounce.texts"), "/deliverability#texts"}}
	row := list.Texts[1]
	row.Rule = `5\.1\.1|user is unknown`
	option := func(key, value string) Option { return Option{value, page.T(key + value)} }
	return BounceForm{Page: page, BounceRow: row, First: "550 5.1.1 <kim.minseo@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
		Word: page.T("bounce.status_to_qualify"), State: Waiting, Seen: "to_qualify", Created: page.Now.AddDate(0, 0, -3), Trouble: page.T("bounce.conflict"),
		Decision: Field{Name: "status", Label: page.T("bounce.decision"), Value: "keep", Help: page.T("bounce.decision_help"), Options: []Option{option("bounce.status_", "keep"), option("bounce.status_", "ignore"), option("bounce.status_", "to_qualify")}},
		Type:     Field{Name: "type", Label: page.T("bounce.type"), Value: "hard", Help: page.T("bounce.type_help"), Options: []Option{option("bounce.type_", "hard"), option("bounce.type_", "soft")}},
		Reason:   Field{Name: "reason", Label: page.T("bounce.reason"), Value: "1", Options: []Option{option("bounce.reason_", "1")}}}
}
