package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// What an instance sees of the deliveries d that this one carries: those that it submitted, as long as they lie in its
// folder and are not deleted. $1 is its operator, $2 its folder.
const carried = `
	d.emitter_account_id = $1
	AND d.folder_id = $2
	AND d.emitter_delivery_id IS NOT NULL
	AND d.delete_status = 'no'`

// settled is the moment before which no row will still get its last_modified: a row bears the beginning of the
// transaction that wrote it, and shows when that commits, so whoever has read up to the present misses those that were
// still being written. It is the end of the last whole second that began before each open transaction; one second is
// kept off for a transaction that begins just now and is not in the list yet. Read it before the rows.
func settled(ctx context.Context, q querier) (until, now time.Time, err error) {
	err = q.QueryRow(ctx, `
		SELECT date_trunc('second', LEAST(clock_timestamp() - interval '1 second', min(xact_start))), clock_timestamp()
		FROM pg_stat_activity
		WHERE datname = current_database()
		  AND backend_type = 'client backend'
		  AND pid <> pg_backend_pid()`).Scan(&until, &now)
	if err != nil {
		return until, now, fmt.Errorf("the settled moment: %w", err)
	}
	return until, now, nil
}

// MidDelivery is what an instance is told of a delivery that is carried for it: its counts, not who opened it.
type MidDelivery struct {
	ID                  int64   `json:"id"`
	EmitterID           int64   `json:"emitter_id"`
	State               string  `json:"state"`
	ContactDate         *Stamp  `json:"contact_date"`
	StartDate           *Stamp  `json:"start_date"`
	BroadStart          *Stamp  `json:"broad_start"`
	BroadEnd            *Stamp  `json:"broad_end"`
	Validity            *Stamp  `json:"validity"`
	ToDeliver           int32   `json:"to_deliver"`
	Processed           int32   `json:"processed"`
	Success             int32   `json:"success"`
	SuccessWithoutSeeds int32   `json:"success_without_seeds"`
	Sent                int32   `json:"sent"`
	Error               int32   `json:"error"`
	Reject              int32   `json:"reject"`
	NewQuarantine       int32   `json:"new_quarantine"`
	UnknownUser         int32   `json:"unknown_user"`
	InvalidDomain       int32   `json:"invalid_domain"`
	Unreachable         int32   `json:"unreachable"`
	Disabled            int32   `json:"disabled"`
	MailboxFull         int32   `json:"mailbox_full"`
	NotConnected        int32   `json:"not_connected"`
	Refused             int32   `json:"refused"`
	FailedMessage       *string `json:"failed_message"`
	LastModified        Stamp   `json:"last_modified"`
}

const midDeliveryColumns = `
	d.id, d.emitter_delivery_id AS emitter_id, d.state, d.contact_date, d.start_date, d.broad_start, d.broad_end, d.validity,
	d.to_deliver, d.processed, d.success, d.success_without_seeds, d.sent, d.error, d.reject, d.new_quarantine,
	d.unknown_user, d.invalid_domain, d.unreachable, d.disabled, d.mailbox_full, d.not_connected, d.refused,
	d.failed_message, d.last_modified`

// MidDeliveryPage is a list of deliveries. Settled is up to where a cursor may go: before it nothing will change any more.
type MidDeliveryPage struct {
	Deliveries []MidDelivery `json:"deliveries"`
	Settled    Stamp         `json:"settled_date"`
	ServerDate Stamp         `json:"server_date"`
}

// MidDeliveries lists what is carried for an instance and changed at the moment given or later, in the order of change.
// At the moment given itself, only deliveries with an id above after are listed: the next page begins at the last
// delivery of this one. What changed just now is listed, too: one that is being sent changes all the time.
func (d *DB) MidDeliveries(ctx context.Context, c Caller, since time.Time, after int64, limit int) (MidDeliveryPage, error) {
	var page MidDeliveryPage
	until, now, err := settled(ctx, d.Pool)
	if err != nil {
		return page, err
	}
	page.Settled.Time, page.ServerDate.Time = until, now
	rows, err := d.Pool.Query(ctx, `
		SELECT `+midDeliveryColumns+`
		FROM nms.delivery d
		WHERE `+carried+`
		  AND (d.last_modified, d.id) > ($3, $4)
		ORDER BY d.last_modified, d.id
		LIMIT $5`, c.ID, c.FolderID, since, after, limit)
	page.Deliveries, err = collect[MidDelivery](rows, err, "carried deliveries")
	return page, err
}

// midFolder gives an operator who has no folder one below Mid-sourcing that is named after the account.
func midFolder(ctx context.Context, tx pgx.Tx, operatorID int64) error {
	_, err := tx.Exec(ctx, `
		WITH own AS (
			INSERT INTO xtk.folder AS f (internal_name, label, parent_id, full_name, entity)
			SELECT 'midSourcing-' || lower(o.login), o.login, p.id, p.full_name || lower(o.login) || '/', 'nms:delivery'
			FROM xtk.operator o, xtk.folder p
			WHERE o.id = $1 AND o.folder_id IS NULL AND p.internal_name = 'midSourcing'
			ON CONFLICT (internal_name) DO UPDATE SET label = f.label
			RETURNING id)
		UPDATE xtk.operator o SET folder_id = own.id
		FROM own
		WHERE o.id = $1`, operatorID)
	if err != nil {
		return fmt.Errorf("folder of operator %d: %w", operatorID, err)
	}
	return nil
}
