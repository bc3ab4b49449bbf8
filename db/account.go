package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ExtAccount is an external account: how another system is reached and as whom. Its secret stays sealed, see Secret.
type ExtAccount struct {
	ID                 int64
	Name, Label, Type  string
	Active             bool
	Server             string
	Port               int
	Login              string
	Encryption         string
	Params             map[string]string
	SecretSet          time.Time // zero: it has none
	LastOK, LastFailed time.Time
	Problem            AccountProblem // the last one
	secret             []byte
}

// AccountProblem says why an account could not be used. Kind names a text of the console: name, refused, timeout,
// certificate, encryption, logon, private, settings or other; Text is what was said, in English and without secrets.
type AccountProblem struct{ Kind, Text string }

func (p *AccountProblem) Error() string { return p.Text }

const accountColumns = `
	id, internal_name, label, type, active, COALESCE(server, ''), COALESCE(port, 0), COALESCE(account, ''), COALESCE(encryption, ''),
	params, secret, CASE WHEN secret IS NULL THEN 'epoch' ELSE COALESCE(secret_set_at, created) END,
	COALESCE(last_ok, 'epoch'), COALESCE(last_error_at, 'epoch'), COALESCE(last_error_kind, 'other'), COALESCE(last_error, '')`

func scanAccount(row pgx.CollectableRow) (a ExtAccount, err error) {
	params := map[string]any{}
	err = row.Scan(&a.ID, &a.Name, &a.Label, &a.Type, &a.Active, &a.Server, &a.Port, &a.Login, &a.Encryption, &params, &a.secret,
		&a.SecretSet, &a.LastOK, &a.LastFailed, &a.Problem.Kind, &a.Problem.Text)
	a.Params = make(map[string]string, len(params))
	for name, value := range params {
		a.Params[name] = fmt.Sprint(value)
	}
	for _, at := range []*time.Time{&a.SecretSet, &a.LastOK, &a.LastFailed} {
		if at.Unix() == 0 {
			*at = time.Time{}
		}
	}
	return a, err
}

// HasSecret reports whether a secret is stored.
func (a ExtAccount) HasSecret() bool { return len(a.secret) > 0 }

// Failing reports an account whose last use failed.
func (a ExtAccount) Failing() bool { return a.LastFailed.After(a.LastOK) }

// Secret opens the secret of an account; empty when it has none.
func (d *DB) Secret(a ExtAccount) (string, error) {
	if !a.HasSecret() {
		return "", nil
	}
	secret, err := d.Unseal(a.Name, a.secret)
	if err != nil {
		return "", &AccountProblem{Kind: "settings", Text: "the secret cannot be read with this instance's key"}
	}
	return secret, nil
}

// MailAccount is the account through which all mails go: the oldest active one of its type. ErrNotFound: there is none.
func (d *DB) MailAccount(ctx context.Context) (ExtAccount, error) {
	return d.oneAccount(ctx, `type = $1 AND active ORDER BY id LIMIT 1`, AccountSMTP)
}

// ActiveAccount is an account by its id, as long as it is switched on. ErrNotFound otherwise.
func (d *DB) ActiveAccount(ctx context.Context, id int64) (ExtAccount, error) {
	return d.oneAccount(ctx, `id = $1 AND active`, id)
}

func (d *DB) oneAccount(ctx context.Context, where string, arg any) (ExtAccount, error) {
	return readAccount(ctx, d.Pool, where, arg)
}

func readAccount(ctx context.Context, q querier, where string, args ...any) (ExtAccount, error) {
	rows, err := q.Query(ctx, `
		SELECT `+accountColumns+`
		FROM nms.ext_account
		WHERE `+where, args...)
	if err != nil {
		return ExtAccount{}, fmt.Errorf("external account: %w", err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, scanAccount)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, ErrNotFound
	}
	if err != nil {
		return a, fmt.Errorf("external account: %w", err)
	}
	return a, nil
}

// AccountWorked notes that an account was reached and took our word; once a minute is enough.
func (d *DB) AccountWorked(ctx context.Context, id int64) error {
	return accountWorked(ctx, d.Pool, id)
}

// AccountFailed notes why an account could not be used.
func (d *DB) AccountFailed(ctx context.Context, id int64, problem *AccountProblem) error {
	return accountFailed(ctx, d.Pool, id, problem)
}

// execer is the pool or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func accountWorked(ctx context.Context, q execer, id int64) error {
	_, err := q.Exec(ctx, `
		UPDATE nms.ext_account
		SET last_ok = clock_timestamp()
		WHERE id = $1
		  AND (last_ok IS NULL OR last_ok < clock_timestamp() - interval '1 minute' OR last_ok < last_error_at)`, id)
	if err != nil {
		return fmt.Errorf("note that account %d works: %w", id, err)
	}
	return nil
}

func accountFailed(ctx context.Context, q execer, id int64, problem *AccountProblem) error {
	_, err := q.Exec(ctx, `
		UPDATE nms.ext_account
		SET last_error_kind = $2, last_error = left($3, 500), last_error_at = clock_timestamp()
		WHERE id = $1`, id, problem.Kind, problem.Text)
	if err != nil {
		return fmt.Errorf("note that account %d failed: %w", id, err)
	}
	return nil
}
