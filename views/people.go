package views

import "time"

// Operators is the list of who may sign in, with the groups beside it.
type Operators struct {
	Page
	Rows   []OperatorRow
	Groups []GroupRow
	Active int // operators who can sign in
	Admins int // of them, those who hold ADMINISTRATION
}

// OperatorRow is one operator in the list.
type OperatorRow struct {
	Login, Name, Email string
	Groups, Rights     []string // in words
	State              State    // Started: can sign in; Edited: no password yet; NotHere: disabled or not for people
	Why                string   // behind the state's word
	Sessions           int
	LastLogin          time.Time
}

// GroupRow is one group with what it gives.
type GroupRow struct {
	Name, Label string
	Rights      []string
	Members     int
}

// OperatorForm is the page of one operator, or of a new one.
type OperatorForm struct {
	Page
	New                   bool
	Name, Login           string
	State                 State
	Why                   string
	Fields                OperatorFields
	Groups, Rights        []Choice
	Effective             []string // rights that hold now, in words
	Sessions              []SessionRow
	Link                  string // one-time link just made; shown once
	LinkHolds             time.Duration
	Trouble               string
	LastLogin, PasswordAt time.Time
}

// OperatorFields are the inputs of an operator.
type OperatorFields struct {
	Login, Label, Email, Language, Zone, Disabled Field
}

// Choice is one of several things to tick.
type Choice struct {
	Name, Value, Text, Note string
	Checked                 bool
}

// SessionRow is a signed-in browser.
type SessionRow struct {
	Name, Address, Browser  string
	Created, LastSeen, Ends time.Time
	Here                    bool // it is the one this page is shown in
}

// GroupForm is the page of a group: the rights that it gives, and who is in it.
type GroupForm struct {
	Page
	Name, Label string
	Rights      []Choice
	Members     []Link
	Trouble     string
}

// Account is what an operator sets of his own.
type Account struct {
	Page
	Login                 string
	Groups, Rights        []string
	Label, Mail, Language Field
	Theme, TimeZone       Field
	Current, Fresh        Field
	Sessions              []SessionRow
}

// Confirm asks for the password again before something that matters. What was typed goes along unseen; a secret is in no
// page, so one that was typed is asked for again.
type Confirm struct {
	Page
	Action  string // where the form was sent to
	Back    string // the page it stood on
	Sent    []Sent
	Secret  bool // a secret was typed
	Trouble string
}

// Sent is a field of a form as it was sent.
type Sent struct {
	Name, Value string
}

// Reset is the page behind a one-time link: a new password.
type Reset struct {
	Page
	Token, Login string
	Password     Field
}

func (p OperatorForm) action() string {
	if p.New {
		return "/operators"
	}
	return "/operators/" + p.Login
}

func (p OperatorForm) verb() string {
	if p.New {
		return "operator.add"
	}
	return "operator.save"
}
