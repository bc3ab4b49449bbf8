package delivery

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

const (
	// pausedItself is never processed by its own run.
	pausedItself = "cleanupPausedWorkflows"
	// maxNotices is after how many reminders a workflow is stopped.
	maxNotices = 4
	pausedDays = 7
)

// pausedWorkflow is one that has been paused for longer than the period.
type pausedWorkflow struct {
	id          int64
	name, label string
	since       time.Time
	notices     int // sent since then
}

// pausedTooLong selects workflows of normal severity, technical or not, failed or not, that are paused for at least the
// period. One that was reminded of less than a period ago, but for a margin, waits: a second run in the same week must
// not use up a reminder. A reminder from before the pause does not count.
const pausedTooLong = `
	    w.state = 'paused'
	AND w.severity = 'normal'
	AND w.internal_name <> 'cleanupPausedWorkflows'
	AND w.paused_at <= $1::timestamptz - $2::interval
	AND (w.pause_last_notice_at IS NULL
	     OR w.pause_last_notice_at < w.paused_at
	     OR w.pause_last_notice_at <= $1::timestamptz - $2::interval + LEAST(interval '1 day', $2::interval / 2))`

const pausedColumns = `
	w.id, w.internal_name, w.label, w.paused_at,
	CASE WHEN w.pause_last_notice_at >= w.paused_at THEN w.pause_notice_count ELSE 0 END`

// CleanupPausedWorkflows reminds supervisors, creator and last editor of workflows of normal severity that stay paused,
// once a period, and stops them unconditionally when four reminders have passed. A workflow that cannot be stopped does
// not keep the others waiting; the run fails at the end.
func CleanupPausedWorkflows(ctx context.Context, r *jobs.Run) error {
	if err := r.Steps(ctx, "paused_since", "reminders", "warnings"); err != nil {
		return err
	}
	period, err := pausedPeriod(ctx, r)
	if err != nil {
		return err
	}
	if err := r.Step(ctx, "paused_since", func(ctx context.Context) error { return fillPausedSince(ctx, r) }); err != nil {
		return err
	}
	if err := r.Step(ctx, "reminders", func(ctx context.Context) error { return remindOrStop(ctx, r, period) }); err != nil {
		return err
	}
	return r.Step(ctx, "warnings", func(ctx context.Context) error {
		_, err := r.Exec(ctx, "warnings of workflows no longer paused taken back", `
			UPDATE xtk.workflow
			SET pause_warning = false
			WHERE pause_warning
			  AND state <> 'paused'`)
		return err
	})
}

// pausedPeriod is the time between two reminders, in whole days; 7 when the option says nothing of use.
func pausedPeriod(ctx context.Context, r *jobs.Run) (time.Duration, error) {
	value, ok, err := r.Option(ctx, "NmsServer_PausedWorkflowPeriod")
	if err != nil {
		return 0, err
	}
	days, parseErr := strconv.Atoi(value)
	if ok && value != "0" && (parseErr != nil || days < 0 || days > 36500) {
		r.Warn("NmsServer_PausedWorkflowPeriod is '%s': %d days are taken", value, pausedDays)
	}
	if !ok || parseErr != nil || days <= 0 || days > 36500 {
		days = pausedDays
	}
	return time.Duration(days) * day, nil
}

// fillPausedSince gives a paused workflow that does not say since when the date of its last change.
func fillPausedSince(ctx context.Context, r *jobs.Run) error {
	rows, err := r.Exec(ctx, "paused workflows without a date given that of their last change", `
		UPDATE xtk.workflow
		SET paused_at = last_modified
		WHERE state = 'paused'
		  AND paused_at IS NULL`)
	if rows > 0 {
		r.Warn("%d paused workflows did not say since when: their last change is taken", rows)
	}
	return err
}

func remindOrStop(ctx context.Context, r *jobs.Run, period time.Duration) error {
	due, err := duePaused(ctx, r, period)
	if err != nil {
		return err
	}
	paused, beyond, err := countPaused(ctx, r, period)
	if err != nil {
		return err
	}
	url, _, err := r.Option(ctx, "NmsServer_URL")
	if err != nil {
		return err
	}
	reminded, stopped := 0, 0
	var failed []error
	for i, w := range due {
		done, err := w.process(ctx, r, period, url)
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("%s: %w", w.name, err))
		case done == "reminded":
			reminded++
		case done == "stopped":
			stopped++
		}
		r.Progress(int64(i+1), int64(len(due)), "workflows")
	}
	r.Say("%d paused workflows, %d beyond %d days: %d %s, %d %s", paused, beyond, int(period/day),
		reminded, would(r, "notified", "would be notified"), stopped, would(r, "stopped", "would be stopped"))
	return errors.Join(failed...)
}

func duePaused(ctx context.Context, r *jobs.Run, period time.Duration) ([]pausedWorkflow, error) {
	var due []pausedWorkflow
	err := r.Query(ctx, func(rows pgx.Rows) error {
		w, err := scanPaused(rows)
		due = append(due, w)
		return err
	}, `
		SELECT `+pausedColumns+`
		FROM xtk.workflow w
		WHERE `+pausedTooLong+`
		ORDER BY w.id`, r.Now(), period)
	if err != nil {
		return nil, fmt.Errorf("paused workflows: %w", err)
	}
	r.Read(int64(len(due)))
	return due, nil
}

func scanPaused(row pgx.Row) (w pausedWorkflow, err error) {
	err = row.Scan(&w.id, &w.name, &w.label, &w.since, &w.notices)
	return w, err
}

// countPaused counts the paused workflows of normal severity, and those of them that are beyond the period.
func countPaused(ctx context.Context, r *jobs.Run, period time.Duration) (paused, beyond int, err error) {
	err = r.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&paused, &beyond) }, `
		SELECT count(*), count(*) FILTER (WHERE paused_at <= $1::timestamptz - $2::interval)
		FROM xtk.workflow
		WHERE state = 'paused'
		  AND severity = 'normal'`, r.Now(), period)
	return paused, beyond, err
}

// process reminds of a workflow or stops it, in one transaction with its traces and mails. The workflow is looked at
// again under its lock: one that was resumed meanwhile is left alone.
func (w pausedWorkflow) process(ctx context.Context, r *jobs.Run, period time.Duration, url string) (done string, err error) {
	mails, people := int64(0), int64(0)
	err = r.Tx(ctx, func(tx pgx.Tx) error {
		done = ""
		now, err := scanPaused(tx.QueryRow(ctx, `
			SELECT `+pausedColumns+`
			FROM xtk.workflow w
			WHERE `+pausedTooLong+`
			  AND w.id = $3
			FOR UPDATE`, r.Now(), period, w.id))
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		w = now
		if w.notices < maxNotices {
			done, err = "reminded", w.remind(ctx, tx, r)
		} else {
			done, err = "stopped", r.StopWorkflow(ctx, tx, w.id, fmt.Sprintf("paused since %s, %d notices", w.date(), w.notices))
		}
		if err != nil {
			return err
		}
		mails, people, err = w.mail(ctx, tx, done, url)
		return err
	})
	var refused *db.Refusal
	switch {
	case errors.As(err, &refused):
		return "", fmt.Errorf("not stopped: %w", err)
	case err != nil:
		return "", err
	case done == "":
		r.Log("%s is not paused any more", w.name)
		return "", nil
	}
	if mails == 0 {
		r.Warn("%s: nobody to tell has an e-mail address", w.name)
	}
	what := would(r, "stopped", "would stop")
	if done == "reminded" {
		what = fmt.Sprintf("%s %d of %d", would(r, "notice", "would be notice"), w.notices+1, maxNotices)
	}
	r.Log("%s, paused since %s: %s, %d mails, %d people without an address", w.name, w.date(), what, mails, people)
	return done, nil
}

func (w pausedWorkflow) remind(ctx context.Context, tx pgx.Tx, r *jobs.Run) error {
	if _, err := tx.Exec(ctx, `
		UPDATE xtk.workflow
		SET pause_notice_count = $2,
		    pause_last_notice_at = $3,
		    pause_warning = true
		WHERE id = $1`, w.id, w.notices+1, r.Now()); err != nil {
		return fmt.Errorf("count the notice: %w", err)
	}
	return db.LogWorkflow(ctx, tx, w.id, 0, "warning",
		fmt.Sprintf("Paused since %s (notice %d of %d)", w.date(), w.notices+1, maxNotices))
}

func (w pausedWorkflow) date() string { return w.since.UTC().Format("2006-01-02 15:04 MST") }
