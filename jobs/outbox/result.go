package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// failure says what became of a message that was not taken. Neither refused nor unknown: it is tried again, not before
// after when that is set. A broken connection serves no further message.
type failure struct {
	refused, unknown, broken bool
	after                    time.Duration
	text                     string
	account                  *db.AccountProblem // not nil: the account failed, not only this message
}

func (f *failure) Error() string { return f.text }

// result is what one attempt to send a message came to; failure is nil when it was taken.
type result struct {
	message
	answer  string
	failure *failure
}

// backOff is the pause before the next try, by how many are left ($1): 1, 5 and 30 minutes, 2 and 6 hours.
const backOff = `(ARRAY['6 hours', '2 hours', '30 minutes', '5 minutes', '1 minute']::interval[])[tries_left]`

// record writes a result, and on the workflow a warning when nobody tries again. A message that was given up as lost
// meanwhile takes the late truth, unless somebody had it repeated.
func (s *sender) record(ctx context.Context, r result) error {
	end, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	f := r.failure
	if f == nil {
		f = &failure{}
	}
	err := pgx.BeginFunc(end, s.session, func(tx pgx.Tx) error {
		var state string
		err := tx.QueryRow(end, `
			UPDATE nms.notification
			SET state = CASE WHEN @sent THEN 'sent' WHEN @unknown THEN 'unknown' WHEN @refused OR tries_left <= 0 THEN 'error' ELSE 'pending' END,
			    next_try_at = CASE WHEN @sent OR @unknown OR @refused OR tries_left <= 0 THEN NULL
			                       ELSE clock_timestamp() + GREATEST(`+backOff+`, @after::interval) END,
			    sent_at = CASE WHEN @sent THEN clock_timestamp() END,
			    answer = CASE WHEN @sent THEN left(@answer, 500) ELSE answer END,
			    last_error = CASE WHEN @sent THEN NULL ELSE left(@text, 500) END
			WHERE id = @id
			  AND attempts = @attempt
			  AND state IN ('sending', 'unknown')
			RETURNING state`, pgx.StrictNamedArgs{"id": r.id, "attempt": r.attempt, "sent": r.failure == nil, "unknown": f.unknown,
			"refused": f.refused, "after": f.after, "answer": r.answer, "text": f.text}).Scan(&state)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return warn(end, tx, r.message, state, f.text)
	})
	if err != nil {
		return fmt.Errorf("outbox: result of message %d: %w", r.id, err)
	}
	return nil
}

// writeLate writes the result that a lost session kept back.
func (s *sender) writeLate(ctx context.Context) error {
	if s.late == nil {
		return nil
	}
	if err := s.record(ctx, *s.late); err != nil {
		return err
	}
	s.late = nil
	return nil
}

// warn leaves a line on the workflow whose message nobody sends by himself any more. Its state stays.
func warn(ctx context.Context, tx pgx.Tx, m message, state, text string) error {
	if m.workflow == "" || state != "error" && state != "unknown" {
		return nil
	}
	var id int64
	err := tx.QueryRow(ctx, `SELECT id FROM xtk.workflow WHERE internal_name = $1`, m.workflow).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	what := "was not sent"
	if state == "unknown" {
		what = "may or may not have been sent"
	}
	return db.LogWorkflow(ctx, tx, id, 0, "warning", fmt.Sprintf("Message %d (%s) %s: %s", m.id, m.subject, what, text))
}

// settleLost gives up the messages of a lane whose sender was lost: nobody knows whether they were handed over.
func (s *sender) settleLost(ctx context.Context, l lane) error {
	return s.settle(ctx, `
		UPDATE nms.notification
		SET state = 'unknown', next_try_at = NULL, last_error = @text
		WHERE channel = @channel
		  AND (@account = 0 OR account_id = @account)
		  AND state = 'sending'
		RETURNING id, state, subject, COALESCE(workflow_name, '')`, l, "the process that was sending it was lost")
}

// putOff notes that an account could not be reached. All that is due waits for its next try, or is given up.
func (s *sender) putOff(ctx context.Context, l lane, account db.ExtAccount, reason error) error {
	s.outbox.config.Logger.WarnContext(ctx, "an account cannot be reached", "account", account.Name, "error", reason)
	if err := s.outbox.config.DB.AccountFailed(ctx, account.ID, problemOf(reason)); err != nil {
		return err
	}
	return s.settle(ctx, `
		UPDATE nms.notification
		SET attempts = attempts + 1,
		    tries_left = tries_left - 1,
		    state = CASE WHEN tries_left <= 1 THEN 'error' ELSE 'pending' END,
		    next_try_at = CASE WHEN tries_left > 1 THEN clock_timestamp() + `+backOffBefore+` END,
		    last_error = left(@text, 500)
		WHERE channel = @channel
		  AND (@account = 0 OR account_id = @account)
		  AND state = 'pending'
		  AND next_try_at <= clock_timestamp()
		RETURNING id, state, subject, COALESCE(workflow_name, '')`, l, reason.Error())
}

// backOffBefore is backOff in a statement that counts the try itself.
const backOffBefore = `(ARRAY['6 hours', '2 hours', '30 minutes', '5 minutes', '1 minute']::interval[])[tries_left - 1]`

// settle changes messages of a lane and warns about those that nobody sends any more.
func (s *sender) settle(ctx context.Context, sql string, l lane, text string) error {
	err := pgx.BeginFunc(ctx, s.session, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, pgx.StrictNamedArgs{"channel": s.channel.name, "account": l.account, "text": text})
		if err != nil {
			return err
		}
		type settled struct {
			message
			state string
		}
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m settled, err error) {
			return m, row.Scan(&m.id, &m.state, &m.subject, &m.workflow)
		})
		if err != nil {
			return err
		}
		for _, m := range all {
			if err := warn(ctx, tx, m.message, m.state, text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("outbox: settle messages: %w", err)
	}
	return nil
}
