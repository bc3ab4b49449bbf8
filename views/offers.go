package views

import "time"

// Offers lists the packages of offers that other instances have sent, newest first.
type Offers struct {
	Page
	Rows            []OffersRow
	Recent, Refused int // of the last Days
	Days            int
	Paging          Paging
}

// OffersRow is one package.
type OffersRow struct {
	At                         time.Time
	Login, From                string // who signed on, and the address
	Account, Environment       string // the account at the sender, and the environment without it; empty: not known
	Offers, Categories, Spaces int64
	State                      State // Finished: taken; Failed: refused
	Word, Note                 string
	Audit                      string // where its changes stand; empty: nowhere
}

// count is a number of objects, a dash when the package could not be read.
func (r OffersRow) count(n int64) string {
	if r.Environment == "" {
		return OrNone("")
	}
	return Number(n)
}

// finding is the title: how many came, and whether all were taken.
func (p Offers) finding() string {
	switch {
	case p.Recent == 0 && len(p.Rows) == 0:
		return p.T("offers.nothing")
	case p.Recent == 0:
		return p.T("offers.none_recent", p.Days)
	case p.Refused > 0:
		return p.N("offers.title_refused", int64(p.Refused), p.Days)
	}
	return p.N("offers.title", int64(p.Recent), p.Days)
}
