package db

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrSignIn refuses a sign-in. Unknown login, wrong password and disabled operator give the same answer.
var ErrSignIn = errors.New("login and password do not match an operator who may sign in")

// Throttled refuses a sign-in because of failures before it; the password was not looked at.
type Throttled struct{ Wait time.Duration }

func (t *Throttled) Error() string { return fmt.Sprintf("too many failed attempts, wait %s", t.Wait) }

// Attempt is what somebody who signs in has entered, and from where.
type Attempt struct {
	Login, Password string
	IP              netip.Addr
	Route           string

	program bool // signs on with a token, not in a browser
}

// SignIn checks login and password. Each attempt is a row of xtk.login_attempt before the password is looked at, so
// that attempts at the same moment, on any node, count each other. The errors are ErrSignIn, *Throttled and ErrBusy.
func (d *DB) SignIn(ctx context.Context, a Attempt) (Operator, error) {
	o, err := d.OperatorByLogin(ctx, a.Login)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Operator{}, err
	}
	known := err == nil
	name := strings.ToLower(o.Login)
	if !known {
		name = d.pseudonym(a.Login)
	}
	id, err := d.beginAttempt(ctx, name, o.ID, a)
	if err != nil {
		return Operator{}, err
	}
	ok, weak, err := d.matches(ctx, a.Password, o.passwordHash)
	if err != nil {
		return Operator{}, errors.Join(err, d.endAttempt(ctx, id, o, a, "not checked"))
	}
	if reason := refusal(known, ok, o, a.program); reason != "" {
		return Operator{}, errors.Join(ErrSignIn, d.endAttempt(ctx, id, o, a, reason))
	}
	if weak {
		if err := d.rehash(ctx, o.ID, a.Password); err != nil {
			return Operator{}, err
		}
	}
	return o, d.endAttempt(ctx, id, o, a, "")
}

// pseudonym stands for a login that nobody has: people type passwords there.
func (d *DB) pseudonym(login string) string {
	mac := hmac.New(sha256.New, d.key)
	_, _ = mac.Write([]byte("login " + strings.ToLower(login)))
	return "unknown " + hex.EncodeToString(mac.Sum(nil))[:16]
}

func refusal(known, ok bool, o Operator, program bool) string {
	switch {
	case !known:
		return "unknown login"
	case !o.HasPassword:
		return "no password set"
	case !ok:
		return "wrong password"
	case o.Disabled || o.ForbidConsole && !program:
		return "disabled"
	}
	return ""
}

// throttle is the rule of waiting, in seconds, 0 for none. Five failures of a login from an address in 15 minutes, or
// thirty of an address, where an IPv6 network of 64 bits counts as one: wait until 15 minutes after the one that counts. Fifty failures of a login in an hour, wherever
// from: one attempt each 30 s, except from an address from which this login got in during the last 30 days, so that
// nobody locks somebody else out. A success clears the failures of its login and address before it.
const throttle = `
	WITH tried AS (
		SELECT lower(login) = $1 AS of_login, ip BETWEEN $2::inet AND $3::inet AS of_ip, created
		FROM xtk.login_attempt
		WHERE created > now() - interval '1 hour' AND NOT success AND reason <> 'throttled'
		  AND (lower(login) = $1 OR ip BETWEEN $2::inet AND $3::inet)),
	known AS (
		SELECT max(created) AS last_success FROM xtk.login_attempt
		WHERE lower(login) = $1 AND ip BETWEEN $2::inet AND $3::inet AND success AND created > now() - interval '30 days')
	SELECT GREATEST(0, ceil(EXTRACT(epoch FROM GREATEST(
		(SELECT created FROM tried, known
		 WHERE of_login AND of_ip AND created > COALESCE(last_success, '-infinity')
		 ORDER BY created DESC OFFSET 4 LIMIT 1) + interval '15 minutes',
		(SELECT created FROM tried WHERE of_ip ORDER BY created DESC OFFSET 29 LIMIT 1) + interval '15 minutes',
		(SELECT max(created) + interval '30 seconds' FROM tried, known
		 WHERE of_login AND last_success IS NULL
		 HAVING count(*) >= 50)) - now())))::int`

// house are the first and the last address of those that count as one: who has an IPv6 address has 2^64 of them.
func house(ip netip.Addr) (first, last string) {
	ip = ip.Unmap().WithZone("")
	if !ip.Is6() {
		return addrText(ip), addrText(ip)
	}
	from, to := ip.As16(), ip.As16()
	for i := 8; i < 16; i++ {
		from[i], to[i] = 0, 0xff
	}
	return netip.AddrFrom16(from).String(), netip.AddrFrom16(to).String()
}

// beginAttempt counts the attempt as failed until it has succeeded. Attempts with one login take turns.
func (d *DB) beginAttempt(ctx context.Context, name string, operatorID int64, a Attempt) (int64, error) {
	var id int64
	var wait *int
	first, last := house(a.IP)
	turn := fnv.New32a()
	_, _ = turn.Write([]byte(name))
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(7303, $1)`, int32(turn.Sum32())); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, throttle, name, first, last).Scan(&wait); err != nil {
			return err
		}
		reason := "being checked"
		if wait != nil && *wait > 0 {
			reason = "throttled"
		}
		return tx.QueryRow(ctx, `
			INSERT INTO xtk.login_attempt (login, operator_id, ip, success, reason, created)
			VALUES ($1, NULLIF($2, 0), $3::inet, false, $4, clock_timestamp())
			RETURNING id`, name, operatorID, addrText(a.IP), reason).Scan(&id)
	})
	if err != nil {
		return 0, fmt.Errorf("sign in: %w", err)
	}
	if wait == nil || *wait == 0 {
		return id, nil
	}
	refused := &Throttled{Wait: time.Duration(*wait) * time.Second}
	return 0, errors.Join(refused, d.auditSignIn(ctx, Operator{ID: operatorID, Login: name}, a, "throttled"))
}

// endAttempt writes how an attempt ended, with its line in the audit trail. An empty reason is a success.
func (d *DB) endAttempt(ctx context.Context, id int64, o Operator, a Attempt, reason string) error {
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			UPDATE xtk.login_attempt SET success = ($2 = ''), reason = NULLIF($2, '')
			WHERE id = $1`, id, reason); err != nil {
			return err
		}
		if reason == "" {
			if _, err := tx.Exec(ctx, `UPDATE xtk.operator SET last_login = now() WHERE id = $1`, o.ID); err != nil {
				return err
			}
		}
		return d.Audit(ctx, tx, signInEntry(o, a, reason))
	})
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	return nil
}

func (d *DB) auditSignIn(ctx context.Context, o Operator, a Attempt, reason string) error {
	return d.AuditAlone(ctx, signInEntry(o, a, reason))
}

func signInEntry(o Operator, a Attempt, reason string) AuditEntry {
	login := o.Login
	if login == "" {
		login = "unknown"
	}
	entry := AuditEntry{EntityType: "session", Entity: login, Action: "Sign in", Allowed: reason == "",
		Actor: Actor{ID: o.ID, Login: login, IP: a.IP, Route: a.Route}}
	if reason != "" {
		entry.Detail = map[string]any{"reason": reason}
	}
	return entry
}

// SignedOut writes the end of a session into the audit trail.
func (d *DB) SignedOut(ctx context.Context, actor Actor) error {
	return d.AuditAlone(ctx, AuditEntry{EntityType: "session", Entity: actor.Login, Action: "Sign out", Actor: actor, Allowed: true})
}

func (d *DB) rehash(ctx context.Context, id int64, password string) error {
	hash, err := d.hash(ctx, password)
	if err != nil {
		return err
	}
	if _, err := d.Pool.Exec(ctx, `UPDATE xtk.operator SET password_hash = $2 WHERE id = $1`, id, hash); err != nil {
		return fmt.Errorf("renew the password's hash: %w", err)
	}
	return nil
}

// ConfirmPassword checks the password of somebody who is signed in. A wrong one counts like a failed sign-in.
func (d *DB) ConfirmPassword(ctx context.Context, actor Actor, password string) error {
	o, err := d.SignIn(ctx, Attempt{Login: actor.Login, Password: password, IP: actor.IP, Route: actor.Route})
	if err == nil && o.ID != actor.ID {
		return ErrSignIn
	}
	return err
}
