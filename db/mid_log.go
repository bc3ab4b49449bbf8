package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNotSettled says that no second after the one asked for is over, or that a transaction still writes in it.
var ErrNotSettled = errors.New("nothing after this date is settled yet")

// estimateAtMost bounds what counting the logs that are left may cost.
const estimateAtMost = 100_000

// MidLog is what became of one message that is carried for an instance. RemoteID is its id there.
type MidLog struct {
	RemoteID          int64   `json:"remote_id"`
	EmitterDeliveryID int64   `json:"emitter_delivery_id"`
	Address           *string `json:"address"`
	Status            string  `json:"status"`
	FailureType       *string `json:"failure_type"`
	FailureReason     int16   `json:"failure_reason"`
	MsgMD5            *string `json:"msg_md5"`
	EventDate         *Stamp  `json:"event_date"`
	Flags             int32   `json:"flags"`
	LastModified      Stamp   `json:"last_modified"`
}

// LogWindow is what an instance asks for: logs changed at Start or later and before End, which may be zero for no end, at
// most Count of them but never a part of a second. EmitterDate is its own clock, zero when it does not say.
type LogWindow struct {
	Start, End, EmitterDate time.Time
	Count                   int
}

// LogPage is an answer to that. Next is where the next window starts: after Start always, and all that was changed
// between them is in Logs. Left is about how many logs there were from Start on, counted up to 100,000.
type LogPage struct {
	Logs       []MidLog `json:"logs"`
	Next       Stamp    `json:"next_date"`
	ServerDate Stamp    `json:"server_date"`
	Left       int      `json:"left"`
}

// MidLogs reads a page of the logs that are carried for an instance. Dates of events are told by the clock of the
// instance; a difference of less than two seconds is the network's and left. ErrNotSettled: come back a little later.
func (d *DB) MidLogs(ctx context.Context, c Caller, w LogWindow) (LogPage, error) {
	var page LogPage
	until, now, err := settled(ctx, d.Pool)
	if err != nil {
		return page, err
	}
	if page.ServerDate.Time = now; !w.End.IsZero() && w.End.Before(until) {
		until = w.End
	}
	if !until.After(w.Start) {
		return page, ErrNotSettled
	}
	// A full page ends with the second of its last log, which is given whole however many logs it has.
	err = d.Pool.QueryRow(ctx, `
		SELECT CASE WHEN count(*) = $4 THEN LEAST($3, date_trunc('second', max(last_modified)) + interval '1 second') ELSE $3 END,
		       (SELECT count(*) FROM (
				SELECT FROM nms.broad_log_mid
				WHERE emitter_account_id = $1 AND last_modified >= $2 AND last_modified < $3
				LIMIT $5) AS counted)
		FROM (
			SELECT last_modified
			FROM nms.broad_log_mid
			WHERE emitter_account_id = $1 AND last_modified >= $2 AND last_modified < $3
			ORDER BY last_modified, id
			LIMIT $4) AS page`, c.ID, w.Start, until, w.Count, estimateAtMost).Scan(&page.Next, &page.Left)
	if err != nil {
		return page, fmt.Errorf("carried logs: %w", err)
	}
	rows, err := d.Pool.Query(ctx, `
		SELECT l.remote_id, d.emitter_delivery_id, l.address, l.status, l.failure_type, l.failure_reason, m.md5 AS msg_md5,
		       l.event_date - make_interval(secs => $5) AS event_date, l.flags, l.last_modified
		FROM nms.broad_log_mid l
		JOIN nms.delivery d ON d.id = l.delivery_id
		LEFT JOIN nms.broad_log_msg m ON m.id = l.msg_id
		WHERE `+carried+`
		  AND l.emitter_account_id = $1
		  AND l.last_modified >= $3
		  AND l.last_modified < $4
		ORDER BY l.last_modified, l.id`, c.ID, c.FolderID, w.Start, page.Next.Time, ahead(now, w.EmitterDate).Seconds())
	if err == nil {
		page.Logs, err = pgx.CollectRows(rows, pgx.RowToStructByName[MidLog])
	}
	if err != nil {
		return page, fmt.Errorf("carried logs: %w", err)
	}
	return page, nil
}

// ahead is by how many whole seconds our clock is ahead of the instance's.
func ahead(now, emitter time.Time) time.Duration {
	difference := now.Sub(emitter).Round(time.Second)
	if emitter.IsZero() || difference.Abs() < 2*time.Second {
		return 0
	}
	return difference
}

// MidMessage is a distinct text of an error and what it means here. The text has no address in it.
type MidMessage struct {
	MD5           string `json:"md5"`
	Text          string `json:"text"`
	MessageType   int16  `json:"message_type"`
	FailureType   string `json:"failure_type"`
	FailureReason int16  `json:"failure_reason"`
	QualifStatus  string `json:"qualif_status"`
	LastModified  Stamp  `json:"last_modified"`
	ID            int64  `json:"id"`
}

const midMessageColumns = `
	md5, text_normalized AS text, message_type, failure_type, failure_reason, qualif_status, last_modified, id`

// MidMessages reads the texts of errors with the checksums given.
func (d *DB) MidMessages(ctx context.Context, checksums []string) ([]MidMessage, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT `+midMessageColumns+`
		FROM nms.broad_log_msg
		WHERE md5 = ANY ($1)
		ORDER BY last_modified, id`, checksums)
	return collect[MidMessage](rows, err, "error texts")
}

// MidMessagesSince lists the texts of errors that changed at a moment or later; at the moment itself those with an id
// above after.
func (d *DB) MidMessagesSince(ctx context.Context, since time.Time, after int64, limit int) ([]MidMessage, error) {
	until, _, err := settled(ctx, d.Pool)
	if err != nil {
		return nil, err
	}
	rows, err := d.Pool.Query(ctx, `
		SELECT `+midMessageColumns+`
		FROM nms.broad_log_msg
		WHERE (last_modified, id) > ($1, $2) AND last_modified < $3
		ORDER BY last_modified, id
		LIMIT $4`, since, after, until, limit)
	return collect[MidMessage](rows, err, "error texts")
}

// MidAddress is the state of an address to which a message of the instance went last.
type MidAddress struct {
	ID               int64   `json:"id"`
	Address          string  `json:"address"`
	Type             string  `json:"type"`
	Status           string  `json:"status"`
	QuarantineReason *string `json:"quarantine_reason"`
	ConsecutiveError int32   `json:"consecutive_error"`
	LastError        *Stamp  `json:"last_error"`
	LastModified     Stamp   `json:"last_modified"`
}

// MidAddresses lists the addresses whose last error came from a delivery that is carried for the instance, in the order
// in which they changed, page by page like MidDeliveries.
func (d *DB) MidAddresses(ctx context.Context, c Caller, since time.Time, after int64, limit int) ([]MidAddress, error) {
	until, _, err := settled(ctx, d.Pool)
	if err != nil {
		return nil, err
	}
	rows, err := d.Pool.Query(ctx, `
		SELECT a.id, a.address, a.type, a.status, a.quarantine_reason, a.consecutive_error, a.last_error, a.last_modified
		FROM nms.address a
		JOIN nms.delivery d ON d.id = a.delivery_id
		WHERE `+carried+`
		  AND (a.last_modified, a.id) > ($3, $4)
		  AND a.last_modified < $5
		ORDER BY a.last_modified, a.id
		LIMIT $6`, c.ID, c.FolderID, since, after, until, limit)
	return collect[MidAddress](rows, err, "addresses")
}

// collect reads rows into structs by the names of their columns.
func collect[T any](rows pgx.Rows, err error, what string) ([]T, error) {
	var all []T
	if err == nil {
		all, err = pgx.CollectRows(rows, pgx.RowToStructByName[T])
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return all, nil
}
