// Package outbox sends what the rows of nms.notification ask for: mails through the mail account, messages to webhooks.
// Every node that serves does it. A message is handed over once: what was begun by a process that is lost ends with its
// result unknown, and only a person has it repeated.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

const (
	// pollEvery is how often a node looks for work that no bell told of, and keeps its session alive.
	pollEvery   = 20 * time.Second
	backOffFrom = 200 * time.Millisecond
	backOffTo   = 10 * time.Second
	// endWithin is what the end of the process leaves to a message that is being handed over.
	endWithin = 15 * time.Second
)

// Config says whose messages are sent, and what this process calls itself.
type Config struct {
	DB     *db.DB
	Node   string
	Logger *slog.Logger // nil: slog.Default
}

// Outbox is one process's share of the sending.
type Outbox struct{ config Config }

// New makes an outbox. It does nothing before Run.
func New(config Config) *Outbox {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	return &Outbox{config}
}

// Run sends until ctx ends; a message that is being handed over then has some seconds to end. While PostgreSQL does not
// answer it waits for it.
func (o *Outbox) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	for _, c := range o.channels() {
		loops.Go(func() { (&sender{outbox: o, channel: c}).run(ctx) })
	}
	loops.Wait()
	return nil
}

// channel is a way out: where its messages go, and who carries them.
type channel struct {
	name string
	dial func(ctx context.Context, account db.ExtAccount) (courier, error)
}

// courier carries messages of one account, one after the other. An error of send is a *failure.
type courier interface {
	send(ctx context.Context, m message) (answer string, err error)
	close()
}

func (o *Outbox) channels() []channel {
	return []channel{{db.ModuleMail, o.dialMail}, {db.ModuleWebhook, o.dialWebhook}}
}

// sender works for one channel on a session of its own, which hears the bell and holds the locks of lanes.
type sender struct {
	outbox  *Outbox
	channel channel
	session *pgx.Conn
	// late is a result that could not be written because the session was lost.
	late *result
}

// run opens a session again and again; what is wrong with the database is told once.
func (s *sender) run(ctx context.Context) {
	wait := time.Duration(0)
	for ctx.Err() == nil {
		began := time.Now()
		err := s.work(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > backOffTo {
			wait = 0
		}
		if wait == 0 {
			s.outbox.config.Logger.WarnContext(ctx, "the outbox's session was lost", "channel", s.channel.name, "error", err)
		}
		wait = min(max(2*wait, backOffFrom), backOffTo)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// work sends what is due whenever the bell rings, until the session is lost.
func (s *sender) work(ctx context.Context) (err error) {
	config := s.outbox.config.DB.Pool.Config().ConnConfig
	config.RuntimeParams["application_name"] = "nightshift outbox " + s.channel.name + " " + s.outbox.config.Node
	config.RuntimeParams["idle_session_timeout"] = "60s" // a process that stands still loses its lanes
	if s.session, err = pgx.ConnectConfig(ctx, config); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	defer func() {
		end, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer done()
		_ = s.session.Close(end)
	}()
	if _, err := s.session.Exec(ctx, "LISTEN "+db.ChannelOutbox); err != nil {
		return fmt.Errorf("outbox: listen: %w", err)
	}
	for ctx.Err() == nil {
		if err := errors.Join(s.outbox.config.DB.Beat(ctx, s.channel.name), s.writeLate(ctx)); err != nil {
			return err
		}
		lanes, err := s.lanes(ctx)
		if err != nil {
			return err
		}
		for _, l := range lanes {
			if err := s.serve(ctx, l); err != nil {
				return err
			}
		}
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wait returns when the bell rings, the next message is due, or it is time to look. Bells that rang meanwhile are one.
func (s *sender) wait(ctx context.Context) error {
	var until float64
	err := s.session.QueryRow(ctx, `
		SELECT COALESCE(extract(epoch FROM min(next_try_at) - clock_timestamp()), 3600)
		FROM nms.notification
		WHERE channel = $1
		  AND state = 'pending'
		  AND next_try_at > clock_timestamp()`, s.channel.name).Scan(&until)
	if err != nil {
		return fmt.Errorf("outbox: next message: %w", err)
	}
	pause := min(max(time.Duration(until*float64(time.Second)), 0)+time.Millisecond, pollEvery)
	for rang := true; rang; pause = time.Millisecond {
		limited, done := context.WithTimeout(ctx, pause)
		_, err = s.session.WaitForNotification(limited)
		rang = err == nil
		done()
	}
	if s.session.IsClosed() {
		return fmt.Errorf("outbox: listen: %w", err)
	}
	return nil
}
