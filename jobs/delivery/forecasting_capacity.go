package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// linesAhead is how many days of availability lines are made in advance.
const linesAhead = 90

// capacityHours are when a capacity rule has capacity: the days of the week (1 is Monday, 7 Sunday), the hours of these
// days in the instance's zone, and the minutes of one line.
type capacityHours struct {
	Days    []int  `json:"days"`
	From    string `json:"from"`
	To      string `json:"to"`
	Minutes int    `json:"minutes"`
}

// read checks the hours; a rule without days has none, and its lines are made by hand.
func (h capacityHours) read() error {
	if len(h.Days) == 0 {
		return nil
	}
	from, errFrom := time.Parse("15:04", h.From)
	to, errTo := time.Parse("15:04", h.To)
	if h.To == "24:00" {
		to, errTo = from.Truncate(24*time.Hour).Add(24*time.Hour), nil
	}
	switch {
	case errFrom != nil || errTo != nil || !from.Before(to):
		return fmt.Errorf("hours from %q to %q, want 09:00 to 17:00 or the like", h.From, h.To)
	case h.Minutes < 1 || h.Minutes > 24*60:
		return fmt.Errorf("lines of %d minutes, want 1 to 1440", h.Minutes)
	case slices.ContainsFunc(h.Days, func(day int) bool { return day < 1 || day > 7 }):
		return errors.New("days of the week are numbers from 1 (Monday) to 7 (Sunday)")
	}
	return nil
}

// addLines makes the availability lines that capacity rules lack, from now to the end of their validity, at most 90 days
// ahead. Lines that exist are never touched, nor overlapped: messages have used them. Hours that a clock change leaves out
// have no line.
func (f *forecast) addLines(ctx context.Context) error {
	var lines []string
	sum, scheduled := int64(0), 0
	for _, r := range f.of("capacity") {
		if r.wrong != nil || len(r.Schedule.Days) == 0 {
			continue
		}
		scheduled++
		until := f.Now().AddDate(0, 0, linesAhead)
		if r.end != nil && r.end.Before(until) {
			until = *r.end
		}
		from := f.Now()
		if r.validFrom != nil && r.validFrom.After(from) {
			from = *r.validFrom
		}
		var added int64
		err := f.Tx(ctx, func(tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, `
				INSERT INTO nms.volume_line (typology_rule_id, start_date, end_date, initial)
				SELECT $1, l.start_date, l.end_date, $8
				FROM generate_series(date_trunc('day', $2 AT TIME ZONE $4), $3 AT TIME ZONE $4, interval '1 day') AS day
				CROSS JOIN LATERAL generate_series(day + $5::interval, day + $6::interval - $7::interval, $7::interval) AS begin
				CROSS JOIN LATERAL (
					SELECT begin AT TIME ZONE $4 AS start_date, (begin + $7::interval) AT TIME ZONE $4 AS end_date) l
				WHERE extract(isodow FROM day) = ANY ($9::int[])
				  AND l.start_date < l.end_date
				  AND l.end_date > $2
				  AND l.start_date < $3
				  AND NOT EXISTS (
				      SELECT 1
				      FROM nms.volume_line o
				      WHERE o.typology_rule_id = $1
				        AND o.start_date < l.end_date
				        AND o.end_date > l.start_date)
				ORDER BY l.start_date
				ON CONFLICT DO NOTHING`, r.id, from, until, f.zone, r.Schedule.From, r.Schedule.To,
				fmt.Sprintf("%d minutes", r.Schedule.Minutes), r.Quantity, r.Schedule.Days)
			added = tag.RowsAffected()
			return err
		})
		if err != nil {
			return fmt.Errorf("availability lines of rule %d: %w", r.id, err)
		}
		if sum += added; added > 0 {
			lines = append(lines, fmt.Sprintf("%s availability lines %s for '%s'", number(added), would(f.Run, "created", "would be created"), r.label))
		}
	}
	f.few(lines)
	f.Say("%d capacity rules with hours, %s lines %s", scheduled, number(sum), would(f.Run, "created", "would be created"))
	return partly(f.wrongOf("capacity")...)
}

// capacity decides for one rule: each message takes one of what its lines have left.
type capacity struct {
	lines  []volumeLine
	spread bool
	places map[int64]place // by delivery
}

type volumeLine struct {
	start, end time.Time
	left       float64
}

// place is which lines a delivery may use.
type place struct{ next, last int }

// readLines reads what is left of a rule's lines. What the deliveries of the calendar have used is given back to them:
// they are decided anew.
func (f *forecast) readLines(ctx context.Context, r *rule, covered []*scheduled) (*capacity, error) {
	c := &capacity{spread: r.Spread, places: map[int64]place{}}
	ids := []int64{}
	for _, d := range covered {
		ids = append(ids, d.id)
	}
	err := f.Query(ctx, func(rows pgx.Rows) error {
		var l volumeLine
		err := rows.Scan(&l.start, &l.end, &l.left)
		c.lines = append(c.lines, l)
		return err
	}, `
		SELECT l.start_date, l.end_date, greatest(l.initial - l.consumed + coalesce(sum(u.consumed), 0), 0)::double precision
		FROM nms.volume_line l
		LEFT JOIN nms.volume_consumed u ON u.volume_line_id = l.id AND u.delivery_id = ANY ($3)
		WHERE l.typology_rule_id = $1
		  AND l.end_date > $2
		GROUP BY l.id
		ORDER BY l.start_date`, r.id, f.Now(), ids)
	if err != nil {
		return nil, fmt.Errorf("availability lines of rule %d: %w", r.id, err)
	}
	for _, d := range covered {
		if p, ok := c.placeOf(d); ok {
			c.places[d.id] = p
		} else {
			f.Warn("Delivery '%s' (%s): '%s' has no availability line for its contact date, so it excludes nobody", d.label, d.date, r.label)
		}
	}
	return c, nil
}

// placeOf is the line that holds the contact date; when spread, all from there, or from the next one, to the end of the
// delivery's validity.
func (c *capacity) placeOf(d *scheduled) (place, bool) {
	for i, l := range c.lines {
		if !l.end.After(d.contact) {
			continue
		}
		p := place{i, i}
		if c.spread {
			for p.last+1 < len(c.lines) && (d.validity == nil || c.lines[p.last+1].start.Before(*d.validity)) {
				p.last++
			}
		}
		return p, c.spread || !l.start.After(d.contact)
	}
	return place{}, false
}

// keeps decides a message. One that was kept the last time, and for which that still holds, is kept whatever is left.
func (c *capacity) keeps(m *candidate) bool {
	if m.fixed != nil && !*m.fixed {
		return false
	}
	return c.takes(m.delivery) || m.fixed != nil
}

// takes gives a message of a delivery its place and reports whether there was one.
func (c *capacity) takes(delivery int64) bool {
	p, ok := c.places[delivery]
	if !ok {
		return true
	}
	for ; p.next <= p.last; p.next++ {
		if c.lines[p.next].left >= 1 {
			c.lines[p.next].left--
			c.places[delivery] = p
			return true
		}
	}
	c.places[delivery] = p
	return false
}
