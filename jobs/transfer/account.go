package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/jobs/external/instance"
	"nightshift/jobs/external/midsourcing"
	"nightshift/jobs/nms"
)

// shownLines is how many deliveries a run tells of one by one.
const shownLines = 20

// account is an external account of type mid-sourcing: a server that carries deliveries for us.
type account struct {
	id     int64
	name   string
	server instance.Account
	sealed []byte
}

// eachAccount runs a step for every active account, one after the other. One that fails leaves the others alone; the run
// then fails at its end and names it. On an instance that is not of marketing it says so and does nothing.
func eachAccount(ctx context.Context, r *jobs.Run, pull func(ctx context.Context, a account, client *midsourcing.Client) error) error {
	kind, _, err := r.Option(ctx, "XtkInstanceType")
	if err != nil {
		return fmt.Errorf("read the type of the instance: %w", err)
	}
	if kind != "marketing" {
		r.Log("runs on marketing instances only")
		return nil
	}
	accounts, err := activeAccounts(ctx, r)
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		r.Log("no active account of a mid-sourcing server: nothing to fetch")
	}
	names := make([]string, len(accounts))
	for i, a := range accounts {
		names[i] = a.name
	}
	if err := r.Steps(ctx, names...); err != nil {
		return err
	}
	var failed []error
	for _, a := range accounts {
		err := r.Step(ctx, a.name, func(ctx context.Context) error {
			client, err := a.client(r)
			if client == nil && err == nil {
				return nil
			}
			if err == nil {
				err = pull(ctx, a, client)
			}
			return nms.AccountUsed(ctx, r, a.name, err)
		})
		if err != nil && (ctx.Err() != nil || errors.Is(err, jobs.ErrStopped)) {
			return err
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func activeAccounts(ctx context.Context, r *jobs.Run) ([]account, error) {
	var found []account
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var a account
		err := rows.Scan(&a.id, &a.name, &a.server.URL, &a.server.Login, &a.sealed)
		found = append(found, a)
		return err
	}, `
		SELECT id, internal_name, COALESCE(server, ''), COALESCE(account, ''), secret
		FROM nms.ext_account
		WHERE type = 'mid_sourcing'
		  AND active
		ORDER BY internal_name`)
	if err != nil {
		return nil, fmt.Errorf("external accounts: %w", err)
	}
	return found, nil
}

// client prepares to speak with the account's server; nil, with a line, where no server is set yet.
func (a account) client(r *jobs.Run) (*midsourcing.Client, error) {
	if strings.TrimSpace(a.server.URL) == "" {
		r.Log("%s: no server is set, nothing to fetch", a.name)
		return nil, nil
	}
	if len(a.sealed) > 0 {
		password, err := r.Unseal(a.name, a.sealed)
		if err != nil {
			return nil, &db.AccountProblem{Kind: "settings", Text: "its secret cannot be read with this instance's key"}
		}
		a.server.Password = password
	}
	client, err := midsourcing.New(a.server, r.Waits())
	if err != nil {
		return nil, &db.AccountProblem{Kind: "settings", Text: err.Error()}
	}
	return client, nil
}

// cursor reads the moment up to which something of the account was fetched; ok is false where nothing was yet.
func (a account) cursor(ctx context.Context, r *jobs.Run, option string) (at time.Time, ok bool, err error) {
	err = r.Query(ctx, func(rows pgx.Rows) error {
		ok = true
		return rows.Scan(&at)
	}, `
		SELECT timestamp_value
		FROM xtk.option
		WHERE name = $1
		  AND timestamp_value IS NOT NULL`, option+a.name)
	if err != nil {
		return at, false, fmt.Errorf("read %s%s: %w", option, a.name, err)
	}
	return at, ok, nil
}

// moveCursor moves the cursor on in the transaction of what it stands for, never back, and not where it is already.
func (a account) moveCursor(ctx context.Context, tx pgx.Tx, option string, to time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO xtk.option AS o (name, data_type, timestamp_value)
		VALUES ($1, 'timestamp', $2)
		ON CONFLICT (name) DO UPDATE
		SET data_type = 'timestamp', timestamp_value = excluded.timestamp_value, string_value = NULL
		WHERE o.timestamp_value IS NULL
		   OR o.timestamp_value < excluded.timestamp_value`, option+a.name, to)
	if err != nil {
		return fmt.Errorf("move %s%s: %w", option, a.name, err)
	}
	return nil
}
