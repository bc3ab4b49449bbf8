package delivery

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
	"nightshift/jobs/external/instance"
	"nightshift/jobs/external/midsourcing"
)

// cleanRemote asks each mid-sourcing server once to remove the deliveries that it carries for us. It returns the
// accounts whose deliveries have to wait: not active, not reachable, or refusing. Each is a warning, and no failure.
func cleanRemote(ctx context.Context, r *jobs.Run, deliveries []obsolete) (waiting map[string]bool, err error) {
	waiting = map[string]bool{}
	carriedBy := map[string]*midsourcing.Deliveries{}
	var order []string
	for _, one := range deliveries {
		if one.account == "" {
			continue
		}
		if carriedBy[one.account] == nil {
			carriedBy[one.account] = &midsourcing.Deliveries{}
			order = append(order, one.account)
		}
		ids := carriedBy[one.account]
		ids.RemoteIDs, ids.EmitterIDs = append(ids.RemoteIDs, one.remote), append(ids.EmitterIDs, one.id)
	}
	for _, name := range order {
		if err := r.Checkpoint(ctx); err != nil {
			return nil, err
		}
		asked, err := askServer(ctx, r, name, *carriedBy[name])
		if err != nil {
			return nil, err
		}
		waiting[name] = !asked
	}
	return waiting, nil
}

// askServer calls one server. What is asked for can be asked again, so each run asks under a key of its own.
func askServer(ctx context.Context, r *jobs.Run, name string, ids midsourcing.Deliveries) (asked bool, err error) {
	account, active, err := instanceAccount(ctx, r, name)
	if err != nil {
		return false, err
	}
	if !active {
		r.Warn("%s is not active: its %d deliveries wait", name, len(ids.RemoteIDs))
		return false, nil
	}
	var failure error
	effect := fmt.Sprintf("ask %s to remove deliveries %s", name, listed(ids.RemoteIDs))
	err = r.Once(ctx, fmt.Sprintf("cleanup deliveries %s %d", name, r.Now().UnixMicro()), effect, func(ctx context.Context) error {
		var client *midsourcing.Client
		if client, failure = midsourcing.New(account, r.Waits()); failure == nil {
			failure = client.CleanupDeliveries(ctx, ids)
		}
		return failure
	})
	if failure != nil && ctx.Err() == nil {
		r.Warn("%s: %s: its %d deliveries wait for the next cleanup", name, failure, len(ids.RemoteIDs))
		return false, nil
	}
	return err == nil, err
}

// instanceAccount reads the external account of another instance with its secret.
func instanceAccount(ctx context.Context, r *jobs.Run, name string) (account instance.Account, active bool, err error) {
	var sealed []byte
	err = r.Query(ctx, func(rows pgx.Rows) error {
		return rows.Scan(&account.URL, &account.Login, &sealed, &active)
	}, `
		SELECT COALESCE(server, ''), COALESCE(account, ''), secret, active
		FROM nms.ext_account
		WHERE internal_name = $1`, name)
	if err != nil {
		return account, false, fmt.Errorf("external account %s: %w", name, err)
	}
	if len(sealed) > 0 {
		if account.Password, err = r.Unseal(name, sealed); err != nil {
			r.Warn("%s: its secret cannot be read with this instance's key", name)
			return account, false, nil
		}
	}
	return account, active, nil
}

// listed writes ids for a line of the log, the first ten of them.
func listed(ids []int64) string {
	const most = 10
	text := strings.Trim(strings.ReplaceAll(fmt.Sprint(ids[:min(len(ids), most)]), " ", ", "), "[]")
	if len(ids) > most {
		text += fmt.Sprintf(" … and %d more", len(ids)-most)
	}
	return text
}

// qualified quotes a table name that a mapping gives as schema.table.
func qualified(name string) string { return pgx.Identifier(strings.Split(name, ".")).Sanitize() }
