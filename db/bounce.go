package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// What can be decided on a text of bounces, what it can mean, and why it was sent.
const (
	BounceStatuses = "to_qualify keep ignore"
	FailureTypes   = "hard soft ignored"
)

// FailureReasons are the codes of why a message failed.
func FailureReasons() []int16 {
	return []int16{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 20, 25, 127}
}

// BounceText is a text of bounces, and what it means.
type BounceText struct {
	ID                int64
	Text, First       string // normalised, and as it first came
	Status, Type      string
	Reason            int16
	Hits              int
	Origin            string // local: a person here has decided; service: one elsewhere
	Rule              string // the text that the rule searches which proposes it; empty: none
	Created, Modified time.Time
}

// BounceCursor is where a list of texts goes on: below so many bounces, and this id. The zero value begins it.
type BounceCursor struct {
	Hits int
	ID   int64
}

const bounceColumns = `
	m.id, m.text_normalized, COALESCE(m.first_text, ''), m.qualif_status, m.failure_type, m.failure_reason, m.hit_count, m.origin,
	COALESCE((SELECT r.pattern FROM nms.mail_rule r WHERE r.id = m.rule_id), ''), m.created, m.last_modified`

// BounceTexts lists texts of a status, the most frequent first, and says whether there are more. What the installation
// brought is left out: it is nobody's to decide.
func (d *DB) BounceTexts(ctx context.Context, status string, after BounceCursor, limit int) ([]BounceText, bool, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT `+bounceColumns+`
		FROM nms.broad_log_msg m
		WHERE m.qualif_status = @status
		  AND m.origin <> 'builtin'
		  AND (@id::bigint = 0 OR (m.hit_count, m.id) < (@hits, @id))
		ORDER BY m.hit_count DESC, m.id DESC
		LIMIT @limit`, pgx.StrictNamedArgs{"status": status, "hits": after.Hits, "id": after.ID, "limit": limit + 1})
	if err != nil {
		return nil, false, fmt.Errorf("bounce texts: %w", err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[BounceText])
	if err != nil {
		return nil, false, fmt.Errorf("bounce texts: %w", err)
	}
	if len(texts) > limit {
		return texts[:limit], true, nil
	}
	return texts, false, nil
}

// BounceWaiting counts the texts that wait for a decision, up to most.
func (d *DB) BounceWaiting(ctx context.Context, most int) (n int, err error) {
	err = d.Pool.QueryRow(ctx, `
		SELECT count(*)
		FROM (SELECT FROM nms.broad_log_msg WHERE qualif_status = 'to_qualify' AND origin <> 'builtin' LIMIT $1) t`, most).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("texts that wait: %w", err)
	}
	return n, nil
}

// BounceText reads one text; ErrNotFound when there is none of this id.
func (d *DB) BounceText(ctx context.Context, id int64) (BounceText, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT `+bounceColumns+`
		FROM nms.broad_log_msg m
		WHERE m.id = $1
		  AND m.origin <> 'builtin'`, id)
	if err != nil {
		return BounceText{}, fmt.Errorf("bounce text %d: %w", id, err)
	}
	text, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[BounceText])
	if errors.Is(err, pgx.ErrNoRows) {
		return text, ErrNotFound
	}
	if err != nil {
		return text, fmt.Errorf("bounce text %d: %w", id, err)
	}
	return text, nil
}

// BounceDecision is what a person decides on a text. Seen is the status that the person saw; ErrConflict when it is
// another by now.
type BounceDecision struct {
	Seen, Status, Type string
	Reason             int16
}

func (b BounceDecision) check() error {
	var found faults
	found.when(!slices.Contains(strings.Fields(BounceStatuses), b.Status), "status", "bounce.status_invalid")
	found.when(!slices.Contains(strings.Fields(FailureTypes), b.Type), "type", "bounce.type_invalid")
	found.when(!slices.Contains(FailureReasons(), b.Reason), "reason", "bounce.reason_invalid")
	return found.err()
}

// DecideBounce stores a person's decision, which is from now on the one that counts here; audited, before → after.
func (d *DB) DecideBounce(ctx context.Context, actor Actor, id int64, b BounceDecision) error {
	if err := b.check(); err != nil {
		return err
	}
	entry := AuditEntry{EntityType: "bounce", Entity: fmt.Sprint(id), Action: "Modified"}
	return d.asAdministrator(ctx, actor, entry, func(tx pgx.Tx, entry AuditEntry) error {
		var was BounceDecision
		err := tx.QueryRow(ctx, `
			SELECT qualif_status, failure_type, failure_reason
			FROM nms.broad_log_msg
			WHERE id = $1
			  AND origin <> 'builtin'
			FOR UPDATE`, id).Scan(&was.Status, &was.Type, &was.Reason)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return fmt.Errorf("decide on bounce text %d: %w", id, err)
		case was.Status != b.Seen:
			return ErrConflict
		}
		// The moment is that of the statement, not of the transaction: decisions are sent in their order.
		if _, err := tx.Exec(ctx, `
			UPDATE nms.broad_log_msg
			SET qualif_status = @status, failure_type = @type, failure_reason = @reason, origin = 'local', synchronised_at = NULL,
			    last_modified = clock_timestamp()
			WHERE id = @id`, pgx.StrictNamedArgs{"id": id, "status": b.Status, "type": b.Type, "reason": b.Reason}); err != nil {
			return fmt.Errorf("decide on bounce text %d: %w", id, err)
		}
		changed := map[string]any{}
		for field, values := range map[string][2]any{"decision": {was.Status, b.Status}, "failure_type": {was.Type, b.Type}, "failure_reason": {was.Reason, b.Reason}} {
			if values[0] != values[1] {
				changed[field] = map[string]any{"before": values[0], "after": values[1]}
			}
		}
		entry.Detail = map[string]any{"changed": changed}
		return d.Audit(ctx, tx, entry)
	})
}
