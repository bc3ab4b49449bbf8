package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Message is a row of the outbox: a mail, or a message to a webhook. Text, HTML and File are read for one message only.
type Message struct {
	ID                                    int64
	Channel, Workflow, To, Subject, State string
	Attempts                              int
	Created, NextTry, Sent, Changed       time.Time
	Answer, Error                         string
	Text, HTML, Key, FileName, FileType   string
	FileBytes                             int64
	Account                               string // of a webhook; empty for mails
}

// OutboxStates are the states of a message in the order of a filter.
const OutboxStates = "pending sending sent error unknown"

// OutboxFilter narrows the outbox; empty fields narrow nothing. Before continues a list below that id.
type OutboxFilter struct {
	Channel, State string
	Before         int64
	Limit          int
}

const messageColumns = `
	n.id, n.channel, COALESCE(n.workflow_name, ''), n.to_address, n.subject, n.state, n.attempts, n.created,
	COALESCE(n.next_try_at, 'epoch'), COALESCE(n.sent_at, 'epoch'), n.last_modified, COALESCE(n.answer, ''), COALESCE(n.last_error, ''),
	COALESCE(n.attachment_name, ''), COALESCE(length(n.attachment), 0), COALESCE(a.internal_name, '')`

func (m *Message) columns() []any {
	return []any{&m.ID, &m.Channel, &m.Workflow, &m.To, &m.Subject, &m.State, &m.Attempts, &m.Created, &m.NextTry, &m.Sent, &m.Changed,
		&m.Answer, &m.Error, &m.FileName, &m.FileBytes, &m.Account}
}

func (m *Message) settled() {
	for _, at := range []*time.Time{&m.NextTry, &m.Sent} {
		if at.Unix() == 0 {
			*at = time.Time{}
		}
	}
}

// Messages lists the outbox, newest first, and says whether there is more below.
func (d *DB) Messages(ctx context.Context, f OutboxFilter) ([]Message, bool, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT `+messageColumns+`
		FROM nms.notification n
		LEFT JOIN nms.ext_account a ON a.id = n.account_id
		WHERE (@channel = '' OR n.channel = @channel)
		  AND (@state = '' OR n.state = @state)
		  AND (@before::bigint = 0 OR n.id < @before)
		ORDER BY n.id DESC
		LIMIT @limit`, pgx.StrictNamedArgs{"channel": f.Channel, "state": f.State, "before": f.Before, "limit": f.Limit + 1})
	if err != nil {
		return nil, false, fmt.Errorf("outbox: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Message, err error) {
		err = row.Scan(m.columns()...)
		m.settled()
		return m, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("outbox: %w", err)
	}
	if len(all) > f.Limit {
		return all[:f.Limit], true, nil
	}
	return all, false, nil
}

// Message reads one message with its text; ErrNotFound when there is none.
func (d *DB) Message(ctx context.Context, id int64) (Message, error) {
	var m Message
	err := d.Pool.QueryRow(ctx, `
		SELECT `+messageColumns+`, n.body_text, COALESCE(n.body_html, ''), n.effect_key, COALESCE(n.attachment_type, '')
		FROM nms.notification n
		LEFT JOIN nms.ext_account a ON a.id = n.account_id
		WHERE n.id = $1`, id).Scan(append(m.columns(), &m.Text, &m.HTML, &m.Key, &m.FileType)...)
	m.settled()
	if errors.Is(err, pgx.ErrNoRows) {
		return m, ErrNotFound
	}
	if err != nil {
		return m, fmt.Errorf("message %d: %w", id, err)
	}
	return m, nil
}

// OutboxCounts are how many messages wait, and how many need a person.
type OutboxCounts struct {
	Waiting, Errors, Unknown int
	OldestDue                time.Time // since when the oldest that is due waits; zero: none is due
	NoMailAccount            bool      // mails wait and nothing can send them
	None                     bool      // there is no message at all
}

// OutboxCounts counts what has not been sent.
func (d *DB) OutboxCounts(ctx context.Context) (c OutboxCounts, err error) {
	err = d.Pool.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE state IN ('pending', 'sending')),
		       count(*) FILTER (WHERE state = 'error'),
		       count(*) FILTER (WHERE state = 'unknown'),
		       COALESCE(min(next_try_at) FILTER (WHERE state = 'pending' AND next_try_at < now()), 'epoch'),
		       count(*) FILTER (WHERE state = 'pending' AND channel = 'mail') > 0
		       AND NOT EXISTS (SELECT FROM nms.ext_account WHERE type = $1 AND active),
		       NOT EXISTS (SELECT FROM nms.notification)
		FROM nms.notification
		WHERE state IN ('pending', 'sending', 'error', 'unknown')`, AccountSMTP).
		Scan(&c.Waiting, &c.Errors, &c.Unknown, &c.OldestDue, &c.NoMailAccount, &c.None)
	if err != nil {
		return c, fmt.Errorf("count the outbox: %w", err)
	}
	if c.OldestDue.Unix() == 0 {
		c.OldestDue = time.Time{}
	}
	return c, nil
}

// ErrNotRepeatable refuses to send a message again that was sent, is being sent or is still to be sent.
var ErrNotRepeatable = errors.New("the message is not one to send again")

// SendAgain puts a message that failed, or whose result is unknown, back into the outbox, with all its tries.
func (d *DB) SendAgain(ctx context.Context, actor Actor, id int64) error {
	if err := actor.Require(Administration); err != nil {
		return err
	}
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		var before string
		err := tx.QueryRow(ctx, `
			SELECT state
			FROM nms.notification
			WHERE id = $1
			FOR UPDATE`, id).Scan(&before)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		if before != "error" && before != "unknown" {
			return ErrNotRepeatable
		}
		if _, err := tx.Exec(ctx, `
			UPDATE nms.notification
			SET state = 'pending', tries_left = 6, next_try_at = clock_timestamp()
			WHERE id = $1`, id); err != nil {
			return err
		}
		if err := d.Audit(ctx, tx, AuditEntry{EntityType: "message", Entity: fmt.Sprint(id), Action: "Sent again", Actor: actor, Allowed: true,
			Detail: changed(map[string]any{"state": before}, map[string]any{"state": "pending"})}); err != nil {
			return err
		}
		return Notify(ctx, tx, ChannelOutbox, id)
	})
	if err != nil {
		return fmt.Errorf("send message %d again: %w", id, err)
	}
	return nil
}
