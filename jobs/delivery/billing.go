package delivery

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

// bill is one execution of billing: which report it makes, and what it has found out for it.
type bill struct {
	*jobs.Run
	zone     *time.Location
	kind     string
	from, to time.Time // to is not part of the period
	logs     []messageLog
	// nothing says why no report is computed; empty: one is.
	nothing string
	figures *db.BillingFigures
}

// Billing stores the activity report of the period since the last one, and mails it to the operator "billing", on
// marketing instances. A due slot gets one report, whatever is repeated; a report whose mail had no address is sent by
// the next run. All figures of a report are of one snapshot.
func Billing(ctx context.Context, r *jobs.Run) error {
	if kind, ok, err := r.Option(ctx, "XtkInstanceType"); err != nil || ok && kind != "marketing" {
		if err == nil {
			r.Log("billing runs on marketing instances only")
		}
		return err
	}
	if err := r.Steps(ctx, "period", "statistics", "figures", "report", "mail"); err != nil {
		return err
	}
	b := &bill{Run: r}
	if err := b.plan(ctx); err != nil {
		return err
	}
	for _, s := range []struct {
		name     string
		computes bool // left out when there is nothing to compute
		do       func(context.Context) error
	}{{"period", false, b.tell}, {"statistics", true, b.completeStatistics}, {"figures", true, b.compute}, {"report", true, b.store},
		{"mail", false, b.mail}} {
		err := r.Step(ctx, s.name, func(ctx context.Context) error {
			if s.computes && b.nothing != "" {
				return nil
			}
			return s.do(ctx)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// plan chooses the period. It is worked out anew by a run that resumes another, whose steps may be kept.
func (b *bill) plan(ctx context.Context) error {
	var err error
	if b.zone, err = instanceZone(ctx, b.Run); err != nil {
		return err
	}
	b.kind, b.to = "manual", b.Now().In(b.zone)
	if origin := b.Origin(); origin.Trigger == "scheduled" || origin.Trigger == "catch_up" {
		b.kind = "scheduled"
		if !origin.Due.IsZero() {
			b.to = origin.Due.In(b.zone)
		}
		b.to = midnight(b.to)
	}
	return b.look(ctx)
}

// look finds where the last scheduled report ended, and what is stored already: the report of this run's own slot, one
// that reaches as far, one that waits to be sent. Who starts the workflow by hand while a report waits wants it sent.
func (b *bill) look(ctx context.Context) error {
	var last *time.Time
	var own, waiting string
	err := b.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&last, &own, &waiting) }, `
		SELECT (SELECT max(period_to) FROM nms.billing WHERE kind = 'scheduled'),
		       COALESCE((SELECT name FROM nms.billing WHERE event_id = $1), ''),
		       COALESCE((SELECT name FROM nms.billing WHERE sent_at IS NULL ORDER BY id LIMIT 1), '')`, b.Origin().Event)
	if err != nil {
		return fmt.Errorf("stored reports: %w", err)
	}
	switch {
	case own != "":
		b.nothing = "report " + own + " of this run is stored"
	case waiting != "" && b.kind == "manual":
		b.nothing = "report " + waiting + " is stored and waits to be sent"
	case last != nil && b.kind == "scheduled" && !last.Before(b.to):
		b.nothing = "the reports reach to " + last.In(b.zone).Format(time.DateOnly)
	}
	b.from = time.Date(b.to.Year(), b.to.Month()-1, 25, 0, 0, 0, 0, b.zone)
	if last != nil {
		b.from = last.In(b.zone)
	}
	if b.nothing == "" {
		b.logs, err = messageLogs(ctx, b.Run)
	}
	return err
}

func midnight(at time.Time) time.Time {
	return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, at.Location())
}

func (b *bill) tell(context.Context) error {
	if b.nothing != "" {
		b.Say("nothing to compute: %s", b.nothing)
		return nil
	}
	b.Log("Period %s → %s", b.from.Format(time.DateOnly), b.to.Format(time.DateOnly))
	b.Say("%s, %s → %s", b.kind, b.from.Format(time.DateOnly), b.to.Format(time.DateOnly))
	return nil
}

// until is the first day that is not in the period. That of a report by hand reaches into today.
func (b *bill) until() time.Time {
	if midnight(b.to).Equal(b.to) {
		return b.to
	}
	return midnight(b.to).AddDate(0, 0, 1)
}

// highestNumber keeps products of an option's value with a count of messages within 64 bits.
const highestNumber = 1_000_000_000

// number reads an option that is a number from 1 to a thousand million; anything else gives the default, with a warning
// when it is set.
func (b *bill) number(ctx context.Context, option string, byDefault int64) (int64, error) {
	value, ok, err := b.Option(ctx, option)
	if err != nil || !ok || value == "" {
		return byDefault, err
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n <= 0 || n > highestNumber {
		b.Warn("%s is %q, not a number from 1 to 1,000,000,000: %d is taken", option, value, byDefault)
		return byDefault, nil
	}
	return n, nil
}

// store writes the report, and how many profiles were active, in one transaction. The name is that of the period's end;
// a second report of that day gets a number.
func (b *bill) store(ctx context.Context) error {
	if err := b.compute(ctx); err != nil {
		return err
	}
	language, err := b.language(ctx)
	if err != nil {
		return err
	}
	file, err := billingCSV(*b.figures)
	if err != nil {
		return err
	}
	return b.Tx(ctx, func(tx pgx.Tx) error {
		name, err := b.name(ctx, tx)
		if err != nil {
			return err
		}
		page, err := billingHTML(language, name, b.from, b.to, *b.figures)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO nms.billing (name, kind, period_from, period_to, data, html, csv, event_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8::bigint, 0))`,
			name, b.kind, b.from, b.to, b.figures, page, file, b.Origin().Event); err != nil {
			return fmt.Errorf("store %s: %w", name, err)
		}
		if err := b.keepProfiles(ctx, tx); err != nil {
			return err
		}
		b.Say("%s %s", name, would(b.Run, "stored", "would be stored"))
		return nil
	})
}

func (b *bill) name(ctx context.Context, tx pgx.Tx) (name string, err error) {
	name = "billing-" + b.to.Format(time.DateOnly)
	// One workflow runs once at a time, so the number is free.
	err = tx.QueryRow(ctx, `
		SELECT $1 || CASE count(*) WHEN 0 THEN '' ELSE '-' || count(*) + 1 END
		FROM nms.billing
		WHERE name = $1 OR starts_with(name, $1 || '-')`, name).Scan(&name)
	if err != nil {
		return "", fmt.Errorf("name the report: %w", err)
	}
	return name, nil
}

// keepProfiles keeps the numbers of active profiles by schema and month.
func (b *bill) keepProfiles(ctx context.Context, tx pgx.Tx) error {
	for _, p := range b.figures.Profiles {
		if _, err := tx.Exec(ctx, `
			INSERT INTO nms.active_contact (schema_name, month, contact_count)
			VALUES ($1, date_trunc('month', $2::date), $3)
			ON CONFLICT (schema_name, month) DO UPDATE
			SET contact_count = excluded.contact_count, computed_at = excluded.computed_at`,
			p.Schema, b.to.Format(time.DateOnly), p.Count); err != nil {
			return fmt.Errorf("active profiles of %s: %w", p.Schema, err)
		}
	}
	return nil
}
