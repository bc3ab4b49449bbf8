package views

import (
	"fmt"
	"time"
)

// Accounts is the list of the external accounts.
type Accounts struct {
	Page
	Rows    []AccountRow
	Failing int
	Mail    MailNeed
}

// AccountRow is one external account.
type AccountRow struct {
	Name, Label, Kind, Server string
	State                     State  // Started: it worked; Failed; Edited: never used; NotHere: switched off
	Word                      string // the state in words
	Why                       string // of a failure
	At                        time.Time
}

// MailNeed is what the outbox needs a person for.
type MailNeed struct {
	Waiting, Errors, Unknown int
	Since                    time.Time // since when the oldest message that is due waits
	NoAccount                bool
	None                     bool // there is no message at all
}

// Calls reports whether somebody is needed.
func (n MailNeed) Calls() bool { return n.NoAccount || n.Errors > 0 || n.Unknown > 0 }

// AccountKinds asks of which type a new account is.
type AccountKinds struct {
	Page
	Kinds []AccountKindRow
}

// AccountKindRow is a type of account, and what it is for.
type AccountKindRow struct{ Type, Label, About string }

// AccountForm is the page of one external account, or of a new one.
type AccountForm struct {
	Page
	New                  bool
	Name, Label          string
	Type, Kind, About    string
	Usable, HasSecret    bool // usable: this version knows the type
	State                State
	Word, Why, Said      string // Why: the failure in the page's language; Said: what was said
	LastOK, LastFailed   time.Time
	SecretSet            time.Time
	Fields               []Field // in their order
	Secret, Authority    Field
	Active, Forget, Uses Field
	Trouble              string
	Troubles             []AccountTrouble // workflows that fail with it again and again
	Log                  []AuditLine
}

func (p AccountForm) action() string {
	if p.New {
		return "/accounts"
	}
	return "/accounts/" + p.Name
}

func (p AccountForm) verb() string {
	if p.New {
		return "accounts.add_verb"
	}
	return "accounts.save"
}

// Outbox is the list of messages, newest first.
type Outbox struct {
	Page
	Rows           []MessageRow
	Channel, State string // the filter
	States         []Option
	Need           MailNeed
	Paging         Paging
}

// MessageRow is one mail or message.
type MessageRow struct {
	ID                    int64
	State                 State
	Word                  string
	To, Subject, Workflow string
	Channel               string // in words
	Tries                 int
	Note                  string // what was said, or why it failed
	At                    time.Time
	AtWord                string // what At is
	Again                 bool   // it can be sent again
}

// Message is one message with its text.
type Message struct {
	Page
	MessageRow
	Key, Text, File string
	Made            time.Time
	Answer          string
}

func messagePath(id int64) string { return fmt.Sprintf("/mail/%d", id) }
