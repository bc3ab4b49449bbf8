package db

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
)

// Limits of a session. The idle limit is the option XtkSession_IdleTimeoutSec, half of it for who holds ADMINISTRATION.
const (
	SessionLifetime = 12 * time.Hour
	sessionsAtOnce  = 10
	seenEvery       = time.Minute
)

// Visit is one request as the session store sees it. The web puts it into the context; the store fills in the operator
// and his session as they hold now, and takes from it who signs in.
type Visit struct {
	IP    netip.Addr
	Agent string
	// SignsIn is the operator for whom a new session is written; 0 for all requests but those that sign somebody in.
	SignsIn int64

	// Operator is nil for an anonymous visitor. Of an operator with a session, only who he is, how he wants his pages and all
	// his rights are known; DB.Operator reads the rest.
	Operator *Operator
	// Session names the session without giving it away: it stands in lists and in the audit trail.
	Session  string
	LastSeen time.Time
	Ends     time.Time
}

type visitKey struct{}

// WithVisit makes a visit known to the session store.
func WithVisit(ctx context.Context, v *Visit) context.Context {
	return context.WithValue(ctx, visitKey{}, v)
}

func visitOf(ctx context.Context) *Visit {
	if v, ok := ctx.Value(visitKey{}).(*Visit); ok {
		return v
	}
	return &Visit{}
}

// SessionStore keeps sessions in xtk.session_info for scs. A row, once ended, stays ended: no late request brings it
// back, because only a sign-in inserts and everything else updates what is still open.
type SessionStore struct{ db *DB }

// Sessions is the store of the console's sessions.
func (d *DB) Sessions() SessionStore { return SessionStore{d} }

var errNoContext = errors.New("the session store needs the context of the request")

// Find is not used: scs calls FindCtx.
func (s SessionStore) Find(string) ([]byte, bool, error) { return nil, false, errNoContext }

// Commit is not used: scs calls CommitCtx.
func (s SessionStore) Commit(string, []byte, time.Time) error { return errNoContext }

// Delete is not used: scs calls DeleteCtx.
func (s SessionStore) Delete(string) error { return errNoContext }

// openSessions are the sessions s that still count, each with its operator o and the rights that he holds now: not ended,
// not past its absolute end, not idle for too long, its operator free to use the console. Every request asks it.
const openSessions = `
	FROM xtk.session_info s
	JOIN xtk.operator o ON o.id = s.operator_id
	CROSS JOIN LATERAL (
		SELECT COALESCE(array_agg(DISTINCT r.right_name), '{}') AS rights
		FROM xtk.right_grant r
		WHERE r.operator_id = o.id
		   OR r.group_id IN (SELECT m.group_id FROM xtk.operator_group_member m WHERE m.operator_id = o.id)) held
	WHERE s.revoked_at IS NULL AND s.expiration > now() AND NOT o.disabled AND NOT o.forbid_console
	  AND s.last_seen > now() - make_interval(secs =>
	      GREATEST(60, COALESCE((SELECT p.long_value FROM xtk.option p WHERE p.name = 'XtkSession_IdleTimeoutSec'), 1800))
	      / CASE WHEN 'ADMINISTRATION' = ANY(held.rights) THEN 2 ELSE 1 END)`

// visitorColumns reads what a request needs to know of its operator: who he is, how he wants his pages, what he may do.
const visitorColumns = `
	o.id, o.login, o.label, COALESCE(o.email, ''), o.language, o.theme, COALESCE(o.timezone, ''), held.rights`

// visitor are the targets of visitorColumns.
func (o *Operator) visitor() []any {
	return []any{&o.ID, &o.Login, &o.Label, &o.Email, &o.Language, &o.Theme, &o.Timezone, &o.Rights}
}

// FindCtx reads an open session and, in the same statement, its operator with the rights he has now.
func (s SessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	hash, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, false, nil
	}
	var o Operator
	var data []byte
	visit := visitOf(ctx)
	err = s.db.Pool.QueryRow(ctx, `
		SELECT s.data, left(encode(s.token_hash, 'hex'), 16), s.last_seen, s.expiration, `+visitorColumns+openSessions+`
		  AND s.token_hash = $1`, hash).
		Scan(append([]any{&data, &visit.Session, &visit.LastSeen, &visit.Ends}, o.visitor()...)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find the session: %w", err)
	}
	visit.Operator = &o
	return data, true, nil
}

// CommitCtx writes a new session when the visit signs somebody in, else the data of one that is still open.
func (s SessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	hash, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return fmt.Errorf("write the session: %w", err)
	}
	visit, ctx := visitOf(ctx), writing(ctx)
	if visit.SignsIn == 0 {
		_, err = s.db.Pool.Exec(ctx, `
			UPDATE xtk.session_info SET data = $2
			WHERE token_hash = $1 AND revoked_at IS NULL`, hash, data)
	} else {
		err = s.insert(ctx, hash, data, expiry, visit)
	}
	if err != nil {
		return fmt.Errorf("write the session: %w", err)
	}
	return nil
}

func (s SessionStore) insert(ctx context.Context, hash, data []byte, expiry time.Time, visit *Visit) error {
	return s.db.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			INSERT INTO xtk.session_info (token_hash, data, expiration, operator_id, ip, user_agent)
			VALUES ($1, $2, $3, $4, NULLIF($5, '')::inet, left($6, 300))
			ON CONFLICT (token_hash) DO UPDATE SET data = excluded.data WHERE session_info.revoked_at IS NULL`,
			hash, data, expiry, visit.SignsIn, addrText(visit.IP), visit.Agent); err != nil {
			return err
		}
		// An operator has ten open sessions at most; the ones longest unseen end.
		_, err := tx.Exec(ctx, `
			UPDATE xtk.session_info SET revoked_at = now()
			WHERE token_hash IN (
				SELECT token_hash FROM xtk.session_info
				WHERE operator_id = $1 AND revoked_at IS NULL AND expiration > now() AND token_hash <> $2
				ORDER BY last_seen DESC
				OFFSET $3)`, visit.SignsIn, hash, sessionsAtOnce-1)
		return err
	})
}

// DeleteCtx ends a session. The row stays for the record until cleanup takes it.
func (s SessionStore) DeleteCtx(ctx context.Context, token string) error {
	hash, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil
	}
	if _, err := s.db.Pool.Exec(writing(ctx), `
		UPDATE xtk.session_info SET revoked_at = now()
		WHERE token_hash = $1 AND revoked_at IS NULL`, hash); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	return nil
}

// Seen notes that a person used his session, once a minute at most. It never brings back one that has ended.
func (d *DB) Seen(ctx context.Context, v *Visit) error {
	if v.Session == "" || time.Since(v.LastSeen) < seenEvery {
		return nil
	}
	_, err := d.Pool.Exec(writing(ctx), `
		UPDATE xtk.session_info SET last_seen = now()
		WHERE left(encode(token_hash, 'hex'), 16) = $1 AND operator_id = $2
		  AND revoked_at IS NULL AND last_seen < now() - interval '1 minute'`, v.Session, v.Operator.ID)
	if err != nil {
		return fmt.Errorf("note the activity of a session: %w", err)
	}
	return nil
}

// StillOpen reports whether a session still counts, for what stays open longer than a request. It does not count as
// activity.
func (d *DB) StillOpen(ctx context.Context, operatorID int64, session string) (bool, error) {
	var open bool
	err := d.Pool.QueryRow(ctx, `
		SELECT EXISTS (SELECT`+openSessions+`
		  AND o.id = $1 AND left(encode(s.token_hash, 'hex'), 16) = $2)`, operatorID, session).Scan(&open)
	if err != nil {
		return false, fmt.Errorf("session: %w", err)
	}
	return open, nil
}

// Session is a signed-in browser in a list. Name leads to it and opens nothing.
type Session struct {
	Name, IP, Agent         string
	Created, LastSeen, Ends time.Time
}

// OpenSessions lists the sessions of an operator, the last used first.
func (d *DB) OpenSessions(ctx context.Context, operatorID int64) ([]Session, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT left(encode(s.token_hash, 'hex'), 16) AS name, COALESCE(host(s.ip), '') AS ip, COALESCE(s.user_agent, '') AS agent,
		       s.created, s.last_seen, s.expiration AS ends`+openSessions+`
		  AND o.id = $1
		ORDER BY s.last_seen DESC`, operatorID)
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Session])
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return all, nil
}

// EndSession ends one session of the actor's own; ErrNotFound when it is not his or has ended.
func (d *DB) EndSession(ctx context.Context, actor Actor, session string) error {
	tag, err := d.Pool.Exec(ctx, `
		UPDATE xtk.session_info SET revoked_at = now()
		WHERE operator_id = $1 AND left(encode(token_hash, 'hex'), 16) = $2 AND revoked_at IS NULL`, actor.ID, session)
	if err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("session: %w", ErrNotFound)
	}
	return nil
}

// EndSessions ends the sessions of an operator, all but the one named. Who ends another's needs ADMINISTRATION.
func (d *DB) EndSessions(ctx context.Context, actor Actor, operatorID int64, except string) error {
	if operatorID != actor.ID {
		if err := actor.Require(Administration); err != nil {
			return err
		}
	}
	return d.inTx(ctx, func(tx pgx.Tx) error {
		o, err := findOperator(ctx, tx, `o.id = $1`, operatorID)
		if err != nil {
			return err
		}
		ended, err := endSessions(ctx, tx, operatorID, except)
		if err != nil {
			return err
		}
		return d.Audit(ctx, tx, AuditEntry{EntityType: "operator", Entity: o.Login, Action: "End sessions", Actor: actor,
			Allowed: true, Detail: map[string]any{"ended": ended}})
	})
}

// endSessions ends sessions of an operator, all but the one named, and all that programs have of him.
func endSessions(ctx context.Context, tx pgx.Tx, operatorID int64, except string) (int64, error) {
	if _, err := tx.Exec(ctx, `
		UPDATE xtk.api_token SET revoked_at = now()
		WHERE operator_id = $1 AND revoked_at IS NULL`, operatorID); err != nil {
		return 0, fmt.Errorf("end the tokens of operator %d: %w", operatorID, err)
	}
	tag, err := tx.Exec(ctx, `
		UPDATE xtk.session_info SET revoked_at = now()
		WHERE operator_id = $1 AND revoked_at IS NULL AND left(encode(token_hash, 'hex'), 16) <> $2`, operatorID, except)
	if err != nil {
		return 0, fmt.Errorf("end the sessions of operator %d: %w", operatorID, err)
	}
	return tag.RowsAffected(), nil
}
