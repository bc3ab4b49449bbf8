package jobs

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrStopped is the cause of the context of a run that somebody stopped.
var ErrStopped = errors.New("stopped")

// ErrUnknown says that an effect outside the database was begun and that nobody knows whether it happened. What Once
// calls may return it (wrapped) when a request was sent, no answer came, and sending it twice would do harm; a call that
// can be repeated returns its error as it is, and is.
var ErrUnknown = errors.New("result unknown")

var (
	errLost   = errors.New("the run's session is gone")
	errNested = errors.New("the run's session is in use: a statement inside Query's scan, or a transaction inside a transaction")
)

// SQLSTATE codes that the run acts on.
const (
	serializationFailure = "40001"
	deadlock             = "40P01"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014"
	undefinedTable       = "42P01"
	wrongObject          = "42809"
	dependentObjects     = "2BP01"
)

// sqlState returns the SQLSTATE of an error, empty for errors that did not come from PostgreSQL.
func sqlState(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// passing reports an error that may be gone a moment later.
func passing(err error) bool {
	switch sqlState(err) {
	case serializationFailure, deadlock, lockNotAvailable:
		return true
	}
	return false
}

// repeat calls try until it succeeds, fails for good, or has used up the run's waits. A simulation does not wait:
// real work comes first.
func (r *Run) repeat(ctx context.Context, try func() error) error {
	for attempt := 0; ; attempt++ {
		err := r.asked(ctx, try())
		if err == nil || r.Simulated() || !passing(err) || attempt >= len(r.waits) || ctx.Err() != nil {
			return err
		}
		r.Warn("%s; again in %s (%d of %d)", shortly(err), duration(r.waits[attempt]), attempt+1, len(r.waits))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(r.waits[attempt]):
		}
	}
}

// asked turns what a cancelled statement says into why it was cancelled, and a broken connection into a lost session. To
// a lock that was not to be had it adds who holds it.
func (r *Run) asked(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case r.session.IsClosed():
		return fmt.Errorf("%w: %w", errLost, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	var known *heldUp
	if by := r.heldBy.Load(); by != nil && sqlState(err) == lockNotAvailable && !errors.As(err, &known) {
		return &heldUp{err, *by}
	}
	return err
}

// shortly is an error as a log line tells it: PostgreSQL's own message without its code, and who holds the lock.
func shortly(err error) string {
	var refused *pgconn.PgError
	var held *heldUp
	switch {
	case errors.As(err, &refused) && errors.As(err, &held):
		return refused.Message + ", " + held.by
	case errors.As(err, &refused):
		return refused.Message
	}
	return err.Error()
}

// detail is what PostgreSQL adds to its message, for whoever mends the cause.
func detail(err error) string {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return ""
	}
	text := ""
	for _, part := range []struct{ name, value string }{
		{"detail", refused.Detail}, {"hint", refused.Hint}, {"where", refused.Where}, {"table", refused.TableName},
		{"constraint", refused.ConstraintName}, {"internal query", refused.InternalQuery},
	} {
		if part.value != "" {
			text += part.name + ": " + part.value + "\n"
		}
	}
	return text
}

var (
	urlPassword = regexp.MustCompile(`(://[^\s:/@]*:)[^\s@]*@`)
	keyPassword = regexp.MustCompile(`(?i)\b((?:password|passwd|secret|token|api[_-]?key|authorization)\s*[=:]\s*)('[^']*'|"[^"]*"|(?:bearer |basic )?\S+)`)
)

// redact takes passwords out of a text that may quote a connection string or a header.
func redact(text string) string {
	text = urlPassword.ReplaceAllString(text, "$1***@")
	return keyPassword.ReplaceAllString(text, "$1***")
}

// discreet is an error whose text is without secrets, whoever logs it.
type discreet struct{ error }

func (d discreet) Error() string { return redact(d.error.Error()) }
func (d discreet) Unwrap() error { return d.error }
