package views

// Letter is a page for somebody who got a message and followed a link in it. It says nothing of the console.
type Letter struct {
	Page
	Fact string
	Why  string
	Ask  Ask // what the person may do here; empty: nothing
}

// Ask is a form of one button.
type Ask struct {
	Action string // path and query to post to
	Button string
	Note   string // what is left as it is
}
