package nms

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/jobs/external/outbound"
)

// AccountUsed notes in the external account of that name what its use came to, for the page that shows accounts: nil, it
// works, which is noted once a day. An error in which the other side has no part is none of the account's. It returns the
// error, so that a step can end with it.
func AccountUsed(ctx context.Context, r *jobs.Run, name string, failure error) error {
	kind := outbound.Kind(failure)
	if wrong := new(db.AccountProblem); errors.As(failure, &wrong) {
		kind = wrong.Kind
	}
	if failure != nil && (kind == "" || ctx.Err() != nil) {
		return failure
	}
	err := r.Tx(ctx, func(tx pgx.Tx) error {
		if failure == nil {
			return AccountWorks(ctx, tx, name)
		}
		_, err := tx.Exec(ctx, `
			UPDATE nms.ext_account
			SET last_error_kind = $2, last_error = left($3, 500), last_error_at = clock_timestamp()
			WHERE internal_name = $1`, name, kind, failure.Error())
		return err
	})
	if err != nil {
		return errors.Join(failure, fmt.Errorf("note the use of account %s: %w", name, err))
	}
	return failure
}

// AccountWorks notes, in the transaction of what an account was used for, that it works.
func AccountWorks(ctx context.Context, tx pgx.Tx, name string) error {
	_, err := tx.Exec(ctx, `
		UPDATE nms.ext_account
		SET last_ok = clock_timestamp()
		WHERE internal_name = $1
		  AND (last_ok IS NULL OR last_ok < last_error_at OR last_ok < clock_timestamp() - interval '1 day')`, name)
	return err
}
