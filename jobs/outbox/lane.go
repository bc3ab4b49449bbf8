package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// lane is the messages that go through one account. Whoever holds its lock is its only sender, so a message of it that
// is being sent when the lock is taken has lost its sender.
type lane struct{ account int64 } // 0: the mail account, whichever it is

// message is what is to be sent.
type message struct {
	id                           int64
	attempt                      int
	key, to, subject, text, html string
	fileName, fileType           string
	file                         []byte
	workflow                     string
	stale                        bool
}

// lanes lists those with messages that are due, or that lost their sender.
func (s *sender) lanes(ctx context.Context) ([]lane, error) {
	rows, err := s.session.Query(ctx, `
		SELECT DISTINCT COALESCE(account_id, 0)
		FROM nms.notification
		WHERE channel = $1
		  AND (state = 'pending' AND next_try_at <= clock_timestamp()
		       OR state = 'sending')
		ORDER BY 1`, s.channel.name)
	if err != nil {
		return nil, fmt.Errorf("outbox: what is due: %w", err)
	}
	lanes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l lane, err error) { return l, row.Scan(&l.account) })
	if err != nil {
		return nil, fmt.Errorf("outbox: what is due: %w", err)
	}
	return lanes, nil
}

// serve sends what is due in a lane, unless another sender is at it.
func (s *sender) serve(ctx context.Context, l lane) error {
	var mine bool
	if err := s.session.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2)`, db.LockOutbox, int32(l.account)).Scan(&mine); err != nil {
		return fmt.Errorf("outbox: take the lane: %w", err)
	}
	if !mine {
		return nil
	}
	if err := errors.Join(s.settleLost(ctx, l), s.deliver(ctx, l)); err != nil {
		return err // the session ends, and with it the lock
	}
	if _, err := s.session.Exec(ctx, `SELECT pg_advisory_unlock($1, $2)`, db.LockOutbox, int32(l.account)); err != nil {
		return fmt.Errorf("outbox: leave the lane: %w", err)
	}
	return nil
}

// deliver sends a lane empty. Without an account its messages wait, and the console says so.
func (s *sender) deliver(ctx context.Context, l lane) error {
	for ctx.Err() == nil {
		due, err := s.anyDue(ctx, l)
		if err != nil || !due {
			return err
		}
		account, err := s.account(ctx, l)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if again, err := s.connected(ctx, l, account); err != nil || !again {
			return err
		}
	}
	return nil
}

// connected connects once and sends message after message, until nothing is due or the connection is of no more use and
// another is needed. An account that cannot be reached puts all that is due off.
func (s *sender) connected(ctx context.Context, l lane, account db.ExtAccount) (again bool, err error) {
	c, err := s.channel.dial(ctx, account)
	if err != nil {
		if ctx.Err() != nil {
			return false, nil
		}
		return false, s.putOff(ctx, l, account, err)
	}
	defer c.close()
	for ctx.Err() == nil {
		if err := s.outbox.config.DB.Beat(ctx, s.channel.name); err != nil {
			return false, err
		}
		m, err := s.claim(ctx, l)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		r := s.hand(ctx, c, m)
		if err := s.record(ctx, r); err != nil {
			s.late = &r
			return false, err
		}
		switch {
		case r.failure != nil && r.failure.account != nil:
			return false, s.putOff(ctx, l, account, r.failure.account)
		case r.failure != nil && r.failure.broken:
			return true, nil
		case m.stale:
			continue
		}
		if err := s.outbox.config.DB.AccountWorked(ctx, account.ID); err != nil {
			return false, err
		}
	}
	return false, nil
}

// hand gives one message to the courier. The end of the process leaves it some seconds: what is cut off is unknown.
func (s *sender) hand(ctx context.Context, c courier, m message) result {
	if m.stale {
		return result{message: m, failure: &failure{refused: true, text: "it waited for more than seven days without anybody to send it"}}
	}
	limited, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	ending := context.AfterFunc(ctx, func() { time.AfterFunc(endWithin, cancel) })
	defer ending()
	answer, err := c.send(limited, m)
	r := result{message: m, answer: answer}
	if err != nil && !errors.As(err, &r.failure) {
		r.failure = &failure{text: err.Error(), broken: true}
	}
	return r
}

func (s *sender) anyDue(ctx context.Context, l lane) (due bool, err error) {
	err = s.session.QueryRow(ctx, `
		SELECT EXISTS (
			SELECT FROM nms.notification
			WHERE `+dueInLane+`)`, s.channel.name, l.account).Scan(&due)
	if err != nil {
		return false, fmt.Errorf("outbox: what is due: %w", err)
	}
	return due, nil
}

// dueInLane selects the messages of a channel ($1) and account ($2) whose time has come.
const dueInLane = `
	    channel = $1
	AND ($2 = 0 OR account_id = $2)
	AND state = 'pending'
	AND next_try_at <= clock_timestamp()`

// claim takes the next message that is due. From here to its result it is being sent, whatever happens to this process.
// What has been due for more than a week tells nobody anything new.
func (s *sender) claim(ctx context.Context, l lane) (m message, err error) {
	err = s.session.QueryRow(ctx, `
		UPDATE nms.notification n
		SET state = 'sending', attempts = n.attempts + 1, tries_left = n.tries_left - 1
		FROM (
			SELECT id, next_try_at < clock_timestamp() - interval '7 days' AS stale
			FROM nms.notification
			WHERE `+dueInLane+`
			ORDER BY next_try_at, id
			LIMIT 1
			FOR UPDATE SKIP LOCKED
		) AS next
		WHERE n.id = next.id
		RETURNING n.id, n.attempts, n.effect_key, n.to_address, n.subject, n.body_text, COALESCE(n.body_html, ''),
		          COALESCE(n.attachment_name, ''), COALESCE(n.attachment_type, ''), n.attachment,
		          COALESCE(n.workflow_name, ''), next.stale`, s.channel.name, l.account).
		Scan(&m.id, &m.attempt, &m.key, &m.to, &m.subject, &m.text, &m.html, &m.fileName, &m.fileType, &m.file, &m.workflow, &m.stale)
	if err != nil {
		return m, fmt.Errorf("outbox: claim a message: %w", err)
	}
	return m, nil
}

// account is the lane's: that of the webhook, or the mail account. One that is switched off is not there.
func (s *sender) account(ctx context.Context, l lane) (db.ExtAccount, error) {
	if l.account == 0 {
		return s.outbox.config.DB.MailAccount(ctx)
	}
	return s.outbox.config.DB.ActiveAccount(ctx, l.account)
}
