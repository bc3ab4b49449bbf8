package views

// letterOf is the question whether somebody wants no more messages.
func letterOf(page Page) Letter {
	return Letter{Page: page, Fact: page.T("letter.stop_title"), Why: page.T("letter.stop_email", "k…@example.com"),
		Ask: Ask{Action: "/r/opt-out", Button: page.T("letter.stop"), Note: page.T("letter.note")}}
}

// deadLinkOf is a link that is not one of ours.
func deadLinkOf(page Page) Letter {
	return Letter{Page: page, Fact: page.T("letter.no_link_title"), Why: page.T("letter.no_link")}
}
