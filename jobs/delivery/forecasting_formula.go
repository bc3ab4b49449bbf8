package delivery

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// formulaLimit is how long one statement with a formula may take.
const formulaLimit = "5min"

// placeholder is what would be taken for an argument of the statement that a formula becomes part of.
var placeholder = regexp.MustCompile(`\$[0-9]`)

// check says what is wrong with a formula: an SQL expression that a designer of rules or deliveries wrote, over the
// recipient r and the delivery d. PostgreSQL reads it as the body of a function, which takes one expression of the type
// and nothing else; what it calls must change nothing, and what it reads must be marketing data. An expression that
// passes may stand in parentheses wherever a statement has room for one. Nothing is left of the function.
func (f *forecast) check(ctx context.Context, tx pgx.Tx, text, kind string) (wrong, err error) {
	if placeholder.MatchString(text) {
		return errors.New("a formula has no place for arguments like $1"), nil
	}
	inner, err := tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	wrong, err = judged(ctx, inner, examine(ctx, inner, text, kind))
	return wrong, errors.Join(err, inner.Rollback(ctx))
}

// examine makes a function of the formula. Prepare refuses a text that is more than one statement; Exec would not.
func examine(ctx context.Context, tx pgx.Tx, text, kind string) error {
	sql := `
		CREATE FUNCTION pg_temp.forecasting_formula(r nms.recipient, d nms.delivery) RETURNS ` + kind + `
		LANGUAGE sql STABLE
		RETURN CAST((` + text + "\n) AS " + kind + `)`
	if _, err := tx.Prepare(ctx, "", sql); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, sql); err != nil {
		return err
	}
	// The parsed body names what it calls and reads by oid; its literals are bytes, so they cannot pass for any. The function
	// is found by its name at each call: a name written as regproc would be that of the first one for ever.
	var refused *string
	err := tx.QueryRow(ctx, `
		WITH body AS (
			SELECT prosqlbody::text AS tree
			FROM pg_proc
			WHERE proname = 'forecasting_formula'
			  AND pronamespace = pg_my_temp_schema()
		)
		SELECT string_agg(DISTINCT used.what, ', ')
		FROM (
			SELECT 'calls ' || p.proname AS what
			FROM body, regexp_matches(tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS found (oid)
			JOIN pg_proc p ON p.oid = found.oid[1]::oid
			WHERE p.provolatile = 'v'
			   OR p.prorettype = 'xml'::regtype
			UNION ALL
			SELECT 'reads ' || c.oid::regclass
			FROM body, regexp_matches(tree, ':relid (\d+)', 'g') AS found (oid)
			JOIN pg_class c ON c.oid = found.oid[1]::oid
			WHERE c.relnamespace <> 'nms'::regnamespace) AS used`).Scan(&refused)
	if err == nil && refused != nil {
		err = &pgconn.PgError{Message: "a formula may only compute from marketing data: it " + *refused}
	}
	return err
}

// guarded runs a statement with a formula in it: it may take a while and change nothing but temporary tables. What the
// formula gets wrong is returned apart, with the statement undone, so that the others go on.
func (f *forecast) guarded(ctx context.Context, tx pgx.Tx, do func(pgx.Tx) error) (wrong, err error) {
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL transaction_read_only = on; SET LOCAL statement_timeout = '`+formulaLimit+`'`); err != nil {
			return err
		}
		return do(tx)
	})
	if wrong, err = judged(ctx, tx, err); err != nil {
		return nil, err
	}
	// Read-only ends with the savepoint, the time limit would go on.
	if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
		return nil, fmt.Errorf("lift the time limit: %w", err)
	}
	return wrong, nil
}

// judged tells an error that PostgreSQL finds in a statement from one that ends the run.
func judged(ctx context.Context, tx pgx.Tx, err error) (wrong, fatal error) {
	var refused *pgconn.PgError
	if err == nil || ctx.Err() != nil || tx.Conn().IsClosed() || !errors.As(err, &refused) {
		return nil, err
	}
	return err, nil
}

// said is an error of PostgreSQL in its own words, without code.
func said(err error) string {
	var refused *pgconn.PgError
	switch {
	case !errors.As(err, &refused):
		return err.Error()
	case refused.Code == "57014":
		return "it took longer than " + formulaLimit
	}
	return refused.Message
}

// busy reports that another session held what a statement needed.
func busy(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "55P03"
}
