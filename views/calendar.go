package views

import "time"

// Calendar is the provisional calendar: what is to be sent in the next days, and what the rules leave of it.
type Calendar struct {
	Page
	Days       int
	Rows       []CalendarRow
	More       int       // above 0: only so many are shown
	Forecast   time.Time // the latest; zero: none yet
	Capacities []CalendarCapacity
}

// CalendarRow is a delivery. Waiting: it was not forecast yet.
type CalendarRow struct {
	Label, Channel    string
	Contact           time.Time
	Prepared, Waiting bool
	ToSend, Excluded  int64
	Rules             []CalendarRule
}

// CalendarRule is how many messages a rule excludes.
type CalendarRule struct {
	Rule  string
	Count int64
}

// CalendarCapacity is the availability of a capacity rule in these days.
type CalendarCapacity struct {
	Rule                        string
	Lines, Full, Quantity, Used int64
}

// nobodyLeft: the rules exclude all that it would send.
func (r CalendarRow) nobodyLeft() bool { return !r.Waiting && r.ToSend <= 0 && r.Excluded > 0 }

// state is the word under the name: made, forecast or not yet.
func (r CalendarRow) state() string {
	switch {
	case r.Prepared:
		return "calendar.prepared"
	case r.Waiting:
		return "calendar.waiting"
	}
	return "calendar.forecast"
}

// finding is the title: how many messages the rules leave.
func (c Calendar) finding() string {
	if len(c.Rows) == 0 {
		return c.T("calendar.title")
	}
	var send, excluded int64
	for _, row := range c.Rows {
		send, excluded = send+row.ToSend, excluded+row.Excluded
	}
	return c.N("calendar.finding", int64(len(c.Rows)), Number(send), Number(excluded))
}

// lede says of when the figures are.
func (c Calendar) lede() string {
	if c.Forecast.IsZero() {
		return c.T("calendar.lede_none")
	}
	return c.T("calendar.lede", c.Stamp(c.Forecast))
}
