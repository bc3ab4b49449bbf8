package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ReasonFreeze answers a slot whose moment lay in a freeze.
const ReasonFreeze = "freeze"

// Freeze is a time in which nothing begins by itself: due slots are skipped with the reason freeze; signals, catch-up runs
// and what was due before wait for its end. Runs in progress go on, and what a person orders runs.
type Freeze struct {
	ID           int64
	Reason, By   string
	Since, Until time.Time // Until is zero: until it is lifted
}

// Holds reports whether the freeze is in force at a moment. The zero Freeze never is.
func (f Freeze) Holds(at time.Time) bool {
	return f.ID != 0 && !at.Before(f.Since) && (f.Until.IsZero() || at.Before(f.Until))
}

const freezeNow = `
	SELECT f.id, f.reason, f.by_login, f.since, f.until
	FROM xtk.freeze f
	WHERE tstzrange(f.since, LEAST(f.until, f.lifted_at)) @> now()`

func scanFreeze(row pgx.Row, f *Freeze) error {
	var until *time.Time
	err := row.Scan(&f.ID, &f.Reason, &f.By, &f.Since, &until)
	if errors.Is(err, pgx.ErrNoRows) {
		*f = Freeze{}
		return nil
	}
	if until != nil {
		f.Until = *until
	}
	return err
}

// Freeze reads the freeze that is in force; the zero Freeze when there is none.
func (d *DB) Freeze(ctx context.Context) (Freeze, error) {
	var f Freeze
	if err := scanFreeze(d.Pool.QueryRow(ctx, freezeNow), &f); err != nil {
		return Freeze{}, fmt.Errorf("freeze: %w", err)
	}
	return f, nil
}

// SetFreeze begins a freeze now, until a moment or, when that is zero, until it is lifted. It needs ADMINISTRATION and a
// reason, and is audited; ErrConflict when a freeze is in force already.
func (d *DB) SetFreeze(ctx context.Context, actor Actor, reason string, until time.Time) error {
	if err := d.mayFreeze(ctx, actor, "Freeze"); err != nil {
		return err
	}
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		var since time.Time
		err := tx.QueryRow(ctx, `
			INSERT INTO xtk.freeze (reason, until, by_id, by_login)
			VALUES ($1, $2, NULLIF($3::bigint, 0), $4)
			RETURNING since`, reason, orNull(until), actor.ID, actor.Login).Scan(&since)
		if err != nil {
			return err
		}
		if err := d.Audit(ctx, tx, AuditEntry{EntityType: "freeze", Entity: "instance", Action: "Freeze", Actor: actor, Allowed: true,
			Detail: map[string]any{"after": map[string]any{"until": stamp(orNull(until))}, "reason": reason}}); err != nil {
			return err
		}
		return Notify(ctx, tx, ChannelWork, 0)
	})
	if isExclusion(err, "freeze_one") {
		return ErrConflict
	}
	if err != nil {
		return fmt.Errorf("freeze: %w", err)
	}
	return nil
}

// LiftFreeze ends the freeze that is in force, audited; ErrNotFound when there is none any more.
func (d *DB) LiftFreeze(ctx context.Context, actor Actor) error {
	if err := d.mayFreeze(ctx, actor, "Lift"); err != nil {
		return err
	}
	return d.inTx(ctx, func(tx pgx.Tx) error {
		var f Freeze
		if err := scanFreeze(tx.QueryRow(ctx, freezeNow+` FOR UPDATE`), &f); err != nil {
			return fmt.Errorf("lift the freeze: %w", err)
		}
		if f.ID == 0 {
			return fmt.Errorf("lift the freeze: %w", ErrNotFound)
		}
		if _, err := tx.Exec(ctx, `
			UPDATE xtk.freeze
			SET lifted_at = now(), lifted_by = $2
			WHERE id = $1`, f.ID, actor.Login); err != nil {
			return fmt.Errorf("lift the freeze: %w", err)
		}
		if err := d.Audit(ctx, tx, AuditEntry{EntityType: "freeze", Entity: "instance", Action: "Lift", Actor: actor, Allowed: true,
			Detail: map[string]any{"before": map[string]any{"until": stamp(orNull(f.Until)), "since": stamp(&f.Since), "by": f.By}}}); err != nil {
			return err
		}
		return Notify(ctx, tx, ChannelWork, 0)
	})
}

// mayFreeze lets administrators; the attempt of anybody else is audited.
func (d *DB) mayFreeze(ctx context.Context, actor Actor, action string) error {
	if err := actor.Require(Administration); err != nil {
		return errors.Join(err, d.AuditAlone(ctx, AuditEntry{EntityType: "freeze", Entity: "instance", Action: action, Actor: actor}))
	}
	return nil
}

// WaitingEvents counts what is due and has not begun.
func (d *DB) WaitingEvents(ctx context.Context) (int, error) {
	var waiting int
	if err := d.Pool.QueryRow(ctx, `SELECT count(*) FROM xtk.workflow_event WHERE status = 'pending'`).Scan(&waiting); err != nil {
		return 0, fmt.Errorf("what waits: %w", err)
	}
	return waiting, nil
}
