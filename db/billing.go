package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// BillingFigures are the figures of an activity report, as nms.billing.data keeps them.
type BillingFigures struct {
	Customer      string            `json:"customer"` // NmsServer_CustomerId when the report was made
	Zone          string            `json:"zone"`     // of its dates
	DatabaseBytes int64             `json:"database_bytes"`
	Actions       int64             `json:"actions"` // the counts of all types together
	Threshold     int64             `json:"threshold"`
	VolumeUnit    int64             `json:"volume_unit"` // bytes
	Profiles      []BillingProfiles `json:"profiles"`
	Types         []BillingType     `json:"types"`
}

// BillingProfiles is how many profiles of one schema were active in the twelve months before the report.
type BillingProfiles struct {
	Schema string `json:"schema"`
	Count  int64  `json:"count"`
}

// BillingType is what was sent by one type of message, with its lines and their totals.
type BillingType struct {
	MessageType int           `json:"message_type"`
	Deliveries  int           `json:"deliveries"`
	Aggregated  int           `json:"aggregated"` // of them, those that stand in a line together with others
	Messages    int64         `json:"messages"`
	Volume      int64         `json:"volume"` // bytes
	Count       int64         `json:"count"`
	Lines       []BillingLine `json:"lines"`
}

// BillingLine is one delivery, or the small ones of a day (Small above 0: their number). Volumes are in bytes.
type BillingLine struct {
	Start      string `json:"start"` // date of the first send, 2026-06-25
	Label      string `json:"label"`
	Small      int    `json:"small,omitempty"`
	Volume     int64  `json:"volume"`
	Average    int64  `json:"average"`
	Messages   int64  `json:"messages"`
	Multiplier int64  `json:"multiplier"`
	Count      int64  `json:"count"`
}

// ActiveProfiles is the sum over all schemas: who stands in two of them counts twice.
func (f BillingFigures) ActiveProfiles() (sum int64) {
	for _, p := range f.Profiles {
		sum += p.Count
	}
	return sum
}

// BillingReport is a stored activity report. SentAt is zero while its mail waits for an address.
type BillingReport struct {
	ID         int64
	Name, Kind string // kind: scheduled or manual
	From, To   time.Time
	Figures    BillingFigures // of a list, without the lines
	SentTo     string
	SentAt     time.Time
	Created    time.Time
}

const billingColumns = `
	b.id, b.name, b.kind, b.period_from, b.period_to, COALESCE(b.sent_to, ''), COALESCE(b.sent_at, 'epoch'), b.created`

func scanBilling(row pgx.Row) (b BillingReport, err error) {
	err = row.Scan(&b.ID, &b.Name, &b.Kind, &b.From, &b.To, &b.SentTo, &b.SentAt, &b.Created, &b.Figures)
	if b.SentAt.Unix() == 0 {
		b.SentAt = time.Time{}
	}
	return b, err
}

// BillingReports lists the stored reports, newest first, those below an id when before is above 0, and says whether
// there are more.
func (d *DB) BillingReports(ctx context.Context, before int64, limit int) ([]BillingReport, bool, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT `+billingColumns+`, b.data - 'types'
		FROM nms.billing b
		WHERE $1::bigint = 0 OR b.id < $1
		ORDER BY b.id DESC
		LIMIT $2`, before, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("billing reports: %w", err)
	}
	reports, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (BillingReport, error) { return scanBilling(row) })
	if err != nil {
		return nil, false, fmt.Errorf("billing reports: %w", err)
	}
	if len(reports) > limit {
		return reports[:limit], true, nil
	}
	return reports, false, nil
}

// BillingReport reads one report with all its lines; ErrNotFound when there is none of this id.
func (d *DB) BillingReport(ctx context.Context, id int64) (BillingReport, error) {
	b, err := scanBilling(d.Pool.QueryRow(ctx, `
		SELECT `+billingColumns+`, b.data
		FROM nms.billing b
		WHERE b.id = $1`, id))
	if errors.Is(err, pgx.ErrNoRows) {
		return b, ErrNotFound
	}
	if err != nil {
		return b, fmt.Errorf("billing report %d: %w", id, err)
	}
	return b, nil
}

// BillingCSV reads the file of a report, as its mail carries it, with the report's name.
func (d *DB) BillingCSV(ctx context.Context, id int64) (name, csv string, err error) {
	err = d.Pool.QueryRow(ctx, `
		SELECT name, csv
		FROM nms.billing
		WHERE id = $1`, id).Scan(&name, &csv)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", "", ErrNotFound
	}
	if err != nil {
		return "", "", fmt.Errorf("file of billing report %d: %w", id, err)
	}
	return name, csv, nil
}
