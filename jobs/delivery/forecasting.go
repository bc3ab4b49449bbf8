package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"nightshift/db"
	"nightshift/jobs"
)

// forecast is one execution of forecasting.
type forecast struct {
	*jobs.Run
	zone     string
	firstDay time.Weekday
	today    int
	weight   string // the formula of the option NmsForecast_MsgWeightFormula
	calendar []*scheduled
	others   int // scheduled deliveries to other targets than recipients
	rules    []*rule
	counted  bool    // the messages sent are counted
	failed   []error // deliveries that could not be forecast
}

// scheduled is a delivery of the provisional calendar.
type scheduled struct {
	id             int64
	label, date    string // date: MM/DD of the contact
	state          string
	typology       int64
	messageType    int16
	contact        time.Time
	day            int
	counts         bool // its messages count for the rules of others
	weight         *int32
	target         []byte // definition; nil: none
	toDeliver      int32
	validity       *time.Time
	logs, excluded string // tables of its messages and of who was excluded
	skipped        bool   // somebody else is at work on it
}

// prepared: its messages are log rows. Of the others there are only provisional ones.
func (d *scheduled) prepared() bool { return d.state != "editing" && d.state != "target_pending" }

// Forecasting works out what the deliveries of the provisional calendar will send: who is targeted (provisional logs),
// how many messages people have already got, the availability of capacity rules, and whom the pressure and capacity rules
// exclude. What it finds is an indicator; sending applies the rules again. A delivery or a rule with an error leaves the
// others alone and fails the run at its end; a delivery that somebody else works on is left for the next night, and no
// delivery's state is ever changed. The provisional logs of a delivery are written in a transaction of their own, what the
// rules exclude in one of a few deliveries.
func Forecasting(ctx context.Context, r *jobs.Run) error {
	if err := r.Steps(ctx, "housekeeping", "availability lines", "provisional logs", "current period", "arbitration"); err != nil {
		return err
	}
	f := &forecast{Run: r}
	if err := f.plan(ctx); err != nil {
		return err
	}
	var failed []error
	for _, s := range []struct {
		name string
		do   func(context.Context) error
	}{{"housekeeping", f.tidy}, {"availability lines", f.addLines}, {"provisional logs", f.forecastAll},
		{"current period", f.keepPressure}, {"arbitration", f.arbitrate}} {
		err := r.Step(ctx, s.name, s.do)
		var part *partial
		if err != nil && (!errors.As(err, &part) || ctx.Err() != nil) {
			return err
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// partial is what some rules or deliveries got wrong, while the rest of the step was done.
type partial struct{ error }

func (p *partial) Unwrap() error { return p.error }

// partly makes one error of several; nil of none.
func partly(errs ...error) error {
	if err := errors.Join(errs...); err != nil {
		return &partial{err}
	}
	return nil
}

// plan reads what the steps share. A run that resumes another plans anew, since its steps may be kept.
func (f *forecast) plan(ctx context.Context) error {
	zone, err := instanceZone(ctx, f.Run)
	if err != nil {
		return fmt.Errorf("read the zone: %w", err)
	}
	f.zone = zone.String()
	year, month, day := f.Now().In(zone).Date()
	f.today = dayNumber(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
	first, _, err := f.Option(ctx, "NmsForecast_FirstDayOfWeek")
	if err != nil {
		return fmt.Errorf("read the first day of the week: %w", err)
	}
	f.firstDay = map[string]time.Weekday{"": time.Monday, "1": time.Monday, "6": time.Saturday, "7": time.Sunday}[first]
	for _, read := range []func(context.Context) error{f.makeTables, f.readWeight, f.readRules, f.readCalendar} {
		if err := read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// makeTables makes the temporary tables of the run: target is the delivery being forecast, scope and sent are messages
// that count for a rule, message is what the rules decide on, out is what one of them excludes.
func (f *forecast) makeTables(ctx context.Context) error {
	return f.Tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			CREATE TEMPORARY TABLE IF NOT EXISTS forecast_target (recipient_id bigint PRIMARY KEY, address text, weight int NOT NULL, excluded_by bigint);
			CREATE TEMPORARY TABLE IF NOT EXISTS forecast_scope (rule_id bigint NOT NULL, delivery_id bigint NOT NULL, since timestamptz NOT NULL);
			CREATE TEMPORARY TABLE IF NOT EXISTS forecast_sent (rule_id bigint NOT NULL, recipient_id bigint NOT NULL, day int NOT NULL, sent int NOT NULL);
			CREATE TEMPORARY TABLE IF NOT EXISTS forecast_message (id bigint GENERATED ALWAYS AS IDENTITY, delivery_id bigint NOT NULL,
				recipient_id bigint NOT NULL, log_id bigint, weight int NOT NULL, was bigint, excluded_by bigint);
			CREATE TEMPORARY TABLE IF NOT EXISTS forecast_out (message_id bigint NOT NULL);
			TRUNCATE pg_temp.forecast_target, pg_temp.forecast_scope, pg_temp.forecast_sent, pg_temp.forecast_message, pg_temp.forecast_out`)
		if err != nil {
			return fmt.Errorf("temporary tables: %w", err)
		}
		return nil
	})
}

func (f *forecast) readCalendar(ctx context.Context) error {
	err := f.Query(ctx, func(rows pgx.Rows) error {
		d := &scheduled{}
		recipients := false
		err := rows.Scan(&d.id, &d.label, &d.date, &d.state, &d.typology, &d.messageType, &d.contact, &d.day, &d.counts, &d.weight,
			&d.target, &d.toDeliver, &d.validity, &d.logs, &d.excluded, &recipients)
		d.logs, d.excluded = qualified(d.logs), qualified(d.excluded)
		if recipients {
			f.calendar = append(f.calendar, d)
		} else {
			f.others++
		}
		return err
	}, `
		SELECT d.id, d.label, to_char(d.contact_date AT TIME ZONE $2, 'MM/DD'), d.state, coalesce(d.typology_id, 0), d.message_type,
		       d.contact_date, (d.contact_date AT TIME ZONE $2)::date - DATE '1970-01-01', d.analysis_mode = 'target_and_personalize',
		       d.weight, d.target_def, d.to_deliver, d.validity, t.logs, coalesce(m.broad_log_excl_schema, 'nms.exclude_log'),
		       EXISTS (
		           SELECT 1
		           FROM pg_attribute a
		           WHERE a.attrelid = to_regclass(t.logs)
		             AND a.attname = 'recipient_id'
		             AND NOT a.attisdropped)
		FROM nms.delivery d
		LEFT JOIN nms.delivery_mapping m ON m.id = d.mapping_id
		CROSS JOIN coalesce(m.broad_log_schema, 'nms.broad_log') AS t (logs)
		WHERE `+db.InCalendar+`
		ORDER BY d.contact_date, d.id`, f.Now(), f.zone)
	if err != nil {
		return fmt.Errorf("read the provisional calendar: %w", err)
	}
	return nil
}

// lock takes the rows of deliveries for the rest of the transaction, and returns those that are free and still as they were
// read: the others somebody else is processing, and they are left alone for the rest of the run.
func (f *forecast) lock(ctx context.Context, tx pgx.Tx, all ...*scheduled) ([]*scheduled, error) {
	ids, states, contacts := make([]int64, len(all)), make([]string, len(all)), make([]time.Time, len(all))
	for i, d := range all {
		ids[i], states[i], contacts[i] = d.id, d.state, d.contact
	}
	rows, err := tx.Query(ctx, `
		SELECT d.id
		FROM unnest($2::bigint[], $3::text[], $4::timestamptz[]) AS v (id, state, contact_date)
		JOIN nms.delivery d USING (id, state, contact_date)
		WHERE d.id = ANY ($2)
		  AND `+db.InCalendar+`
		FOR UPDATE OF d SKIP LOCKED`, f.Now(), ids, states, contacts)
	if err != nil {
		return nil, err
	}
	taken, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, err
	}
	mine := map[int64]bool{}
	for _, id := range taken {
		mine[id] = true
	}
	var free []*scheduled
	for _, d := range all {
		if d.skipped = !mine[d.id]; d.skipped {
			f.Warn("Delivery %d skipped: being processed", d.id)
		} else {
			free = append(free, d)
		}
	}
	return free, nil
}

// number writes a count with commas between the thousands.
func number(n int64) string { return message.NewPrinter(language.English).Sprint(n) }

// few gives up a line per object after some.
func (f *forecast) few(lines []string) {
	for i, line := range lines {
		if i == namedLines {
			f.Log("… and %d more", len(lines)-namedLines)
			return
		}
		f.Log("%s", line)
	}
}

// calendarWords tells how many deliveries there are.
func (f *forecast) calendarWords() string {
	words := []string{fmt.Sprintf("%d deliveries in the provisional calendar", len(f.calendar))}
	if f.others > 0 {
		words = append(words, fmt.Sprintf("%d to other targets than recipients left out", f.others))
	}
	return strings.Join(words, ", ")
}
