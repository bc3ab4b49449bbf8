package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrContent refuses a content that is JSON but more than PostgreSQL holds: numbers too large, nested too deep.
var ErrContent = errors.New("the content is not JSON that PostgreSQL holds")

// MidSubmission is a delivery that an instance wants sent. EmitterID is its id there.
type MidSubmission struct {
	EmitterID             int64
	Label                 string
	MessageType           int16
	Priority              int16
	ContactDate, Validity *time.Time
	Content               []byte // JSON, nil for none
}

// Submitted is what an instance is told of a delivery after it asked for something.
type Submitted struct {
	ID        int64  `json:"id"`
	EmitterID int64  `json:"emitter_id"`
	State     string `json:"state"`
	ToDeliver int32  `json:"to_deliver"`
}

// SubmitDelivery takes a delivery into the folder of the instance. Submitted again as long as it is edited, it is as it
// was submitted last; later it stays as it is. A deleted one is ErrConflict. made is false when it was there.
func (d *DB) SubmitDelivery(ctx context.Context, c Caller, s MidSubmission) (one Submitted, made bool, err error) {
	deleted := false
	err = d.Pool.QueryRow(ctx, `
		INSERT INTO nms.delivery AS d (internal_name, label, message_type, priority, contact_date, validity, content,
			folder_id, emitter_account_id, emitter_delivery_id)
		VALUES ('mid-' || $1::bigint || '-' || $3::bigint, $4, $5, $6, $7, $8, $9, $2, $1, $3)
		ON CONFLICT (emitter_account_id, emitter_delivery_id) WHERE emitter_delivery_id IS NOT NULL
		DO UPDATE SET (label, message_type, priority, contact_date, validity, content) = (
			SELECT CASE WHEN edited THEN excluded.label ELSE d.label END,
			       CASE WHEN edited THEN excluded.message_type ELSE d.message_type END,
			       CASE WHEN edited THEN excluded.priority ELSE d.priority END,
			       CASE WHEN edited THEN excluded.contact_date ELSE d.contact_date END,
			       CASE WHEN edited THEN excluded.validity ELSE d.validity END,
			       CASE WHEN edited THEN excluded.content ELSE d.content END
			FROM (SELECT d.state = 'editing' AND d.delete_status = 'no') AS t (edited))
		RETURNING d.id, d.emitter_delivery_id, d.state, d.to_deliver, d.delete_status <> 'no' OR d.folder_id <> $2, d.xmax = 0`,
		c.ID, c.FolderID, s.EmitterID, s.Label, s.MessageType, s.Priority, s.ContactDate, s.Validity, s.Content).
		Scan(&one.ID, &one.EmitterID, &one.State, &one.ToDeliver, &deleted, &made)
	var refused *pgconn.PgError
	switch {
	case err == nil && deleted:
		err = ErrConflict
	case errors.As(err, &refused) && (strings.HasPrefix(refused.Code, "22") || strings.HasPrefix(refused.Code, "54")):
		return one, false, ErrContent
	}
	if err != nil {
		return one, false, fmt.Errorf("submit a delivery: %w", err)
	}
	return one, made, nil
}

// MidPart is some of the messages of a delivery, column by column; the ids are those that the instance knows them by.
type MidPart struct {
	RemoteIDs []int64
	Addresses []string
	Flags     []int32
}

// AddPart adds messages to a delivery that has not been started. A message that is there already is not added again, so
// a part whose answer got lost can be sent once more. added is how many were new.
func (d *DB) AddPart(ctx context.Context, c Caller, delivery int64, p MidPart) (one Submitted, added int64, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		if one, err = ownDelivery(ctx, tx, c, delivery); err != nil {
			return err
		}
		if one.State != "editing" {
			return &StateError{State: one.State}
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO nms.broad_log_mid (delivery_id, emitter_account_id, remote_id, address, flags)
			SELECT $1, $2, m.remote_id, m.address, m.flags
			FROM unnest($3::bigint[], $4::text[], $5::int[]) AS m (remote_id, address, flags)
			ON CONFLICT (delivery_id, remote_id) DO NOTHING`, delivery, c.ID, p.RemoteIDs, p.Addresses, p.Flags)
		if err != nil {
			return err
		}
		if added = tag.RowsAffected(); added == 0 {
			return nil
		}
		return tx.QueryRow(ctx, `
			WITH part AS (
				INSERT INTO nms.delivery_part (delivery_id, rcp_count, validity)
				SELECT id, $2, validity FROM nms.delivery WHERE id = $1)
			UPDATE nms.delivery SET to_deliver = to_deliver + $2, targeted = targeted + $2
			WHERE id = $1
			RETURNING to_deliver`, delivery, added).Scan(&one.ToDeliver)
	})
	if err != nil {
		return one, 0, fmt.Errorf("add a part: %w", err)
	}
	return one, added, nil
}

// StateError refuses an order that a delivery cannot follow in its state.
type StateError struct{ State string }

func (e *StateError) Error() string { return "the delivery is " + e.State }

// MidOrder is what an instance may order for its deliveries.
type MidOrder string

// Start lets a delivery be sent, now or at its contact date, and resumes a paused one. Stop ends it. Pause holds it:
// one that is being sent as soon as the sender has seen it.
const (
	MidStart MidOrder = "start"
	MidStop  MidOrder = "stop"
	MidPause MidOrder = "pause"
)

// follows says what an order makes of a state; a state that is not there refuses it. Given again, an order changes nothing.
var follows = map[MidOrder]map[string]string{
	MidStart: {"editing": "start_pending", "ready": "start_pending", "start_pending": "start_pending", "in_progress": "in_progress",
		"pause_requested": "in_progress", "pause_in_progress": "recovery_pending", "paused": "recovery_pending",
		"recovery_pending": "recovery_pending", "recovery_in_progress": "recovery_in_progress"},
	MidStop: {"editing": "stopped", "ready": "stopped", "start_pending": "stopped", "in_progress": "stopped", "recovery_pending": "stopped",
		"recovery_in_progress": "stopped", "pause_requested": "stopped", "pause_in_progress": "stopped", "paused": "stopped", "stopped": "stopped"},
	MidPause: {"start_pending": "paused", "recovery_pending": "paused", "in_progress": "pause_requested",
		"recovery_in_progress": "pause_requested", "pause_requested": "pause_requested", "pause_in_progress": "pause_in_progress", "paused": "paused"},
}

// OrderDelivery starts, stops or pauses a delivery of the instance, and writes what changed into the audit trail.
func (d *DB) OrderDelivery(ctx context.Context, c Caller, actor Actor, delivery int64, order MidOrder) (Submitted, error) {
	var one Submitted
	err := d.inTx(ctx, func(tx pgx.Tx) (err error) {
		if one, err = ownDelivery(ctx, tx, c, delivery); err != nil {
			return err
		}
		was, state := one.State, follows[order][one.State]
		if state == "" || order == MidStart && one.ToDeliver == 0 {
			return &StateError{State: one.State}
		}
		if one.State = state; was == state {
			return nil
		}
		var name string
		if err := tx.QueryRow(ctx, `
			UPDATE nms.delivery
			SET state = $2,
			    contact_date = CASE WHEN $2 = 'start_pending' THEN COALESCE(contact_date, now()) ELSE contact_date END,
			    start_date = CASE WHEN $2 = 'start_pending' THEN COALESCE(start_date, contact_date, now()) ELSE start_date END,
			    end_date = CASE WHEN $2 = 'stopped' THEN now() ELSE end_date END
			WHERE id = $1
			RETURNING internal_name`, delivery, state).Scan(&name); err != nil {
			return err
		}
		return d.Audit(ctx, tx, AuditEntry{EntityType: "delivery", Entity: name, Action: "Modified", Actor: actor, Allowed: true,
			Detail: map[string]any{"before": map[string]any{"state": was}, "after": map[string]any{"state": state}}})
	})
	if err != nil {
		return one, fmt.Errorf("%s a delivery: %w", order, err)
	}
	return one, nil
}

// ownDelivery locks a delivery of the instance; one of somebody else is not found.
func ownDelivery(ctx context.Context, tx pgx.Tx, c Caller, delivery int64) (Submitted, error) {
	var one Submitted
	err := tx.QueryRow(ctx, `
		SELECT d.id, d.emitter_delivery_id, d.state, d.to_deliver
		FROM nms.delivery d
		WHERE `+carried+`
		  AND d.id = $3
		FOR UPDATE`, c.ID, c.FolderID, delivery).Scan(&one.ID, &one.EmitterID, &one.State, &one.ToDeliver)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return one, err
}

// CleanupDeliveries stops and deletes what is carried for the instance: by its own ids; where remote has ours,
// only if both belong together. Cleanup removes the rows later. It returns how many deliveries it deleted now.
func (d *DB) CleanupDeliveries(ctx context.Context, c Caller, actor Actor, emitter []int64, remote []*int64) (int64, error) {
	var deleted int64
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			UPDATE nms.delivery d
			SET delete_status = 'yes',
			    delete_date = now(),
			    state = CASE WHEN d.state IN ('stopped', 'failed', 'finished', 'deleted') THEN d.state ELSE 'stopped' END
			FROM (SELECT DISTINCT * FROM unnest($3::bigint[], $4::bigint[])) AS asked (emitter_id, remote_id)
			WHERE `+carried+`
			  AND d.emitter_delivery_id = asked.emitter_id
			  AND (asked.remote_id IS NULL OR d.id = asked.remote_id)
			RETURNING d.internal_name`, c.ID, c.FolderID, emitter, remote)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		if deleted = int64(len(names)); deleted == 0 {
			return nil
		}
		return d.Audit(ctx, tx, AuditEntry{EntityType: "delivery", Entity: "of " + c.Login, Action: "Deleted", Actor: actor, Allowed: true,
			Detail: map[string]any{"before": map[string]any{"deliveries": strings.Join(names[:min(len(names), 100)], ", "), "count": deleted}}})
	})
	if err != nil {
		return 0, fmt.Errorf("clean up deliveries: %w", err)
	}
	return deleted, nil
}
