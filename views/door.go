package views

import "time"

// SignIn is the page that asks who is there. It says nothing of the instance but its name.
type SignIn struct {
	Page
	Login   string // typed before
	Back    string // local path to go to afterwards
	Trouble string // why it was refused; empty: first try
	Idle    time.Duration
	// PasswordSet says that the password was chosen just now.
	PasswordSet bool
}

// SetUp is the page behind the one-time link: the instance and its first operator.
type SetUp struct {
	Page
	Token      string
	Database   string        // what was found: "A private PostgreSQL 15.13 runs in the data folder."
	Tables     int           // tables made by the migrations
	Workflows  int           // workflows installed
	EndsIn     time.Duration // until the link ends
	Fields     SetUpFields
	Trouble    string
	Kinds      []Option // instance types
	Zones      []Option // time zones, each with the time that it is there
	PasswordIs string   // help: what a password needs
}

// SetUpFields are the inputs of the first set-up, each with its error.
type SetUpFields struct {
	Instance, Kind, Zone, Login, Email, Password Field
}

// Notice is a page that stands for one that cannot be shown: not found, too large, not answered.
type Notice struct {
	Page
	Status int
	Fact   string // "Nightshift could not read this page."
	Why    string // "PostgreSQL did not answer within 5 s."
	Next   []Link
}

// Refusal is the page of an attempt that needs a right: what you may, what you may not, which right, who can grant it.
type Refusal struct {
	Page
	Fact   string // "You may see cleanup, not stop it."
	Right  string // the right that is missing
	Grants []string
	Back   string
}
