package delivery

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// replaceRows gives the rows of one batch, in the order of their keys after the last one, the spelling they should
// have, and says how far it came and how many rows of each spelling it changed.
const replaceRows = `
	WITH words AS (
		SELECT * FROM unnest($1::text[], $2::text[]) AS w (found, wanted)
	), batch AS (
		SELECT t.%[2]s AS key
		FROM %[1]s t
		WHERE t.%[3]s = ANY ($1)
		  AND t.%[2]s > $3::bigint
		ORDER BY t.%[2]s
		LIMIT $4
		FOR UPDATE SKIP LOCKED
	), changed AS (
		UPDATE %[1]s t
		SET %[4]s
		FROM words, batch
		WHERE t.%[2]s = batch.key
		  AND t.%[3]s = words.found
		RETURNING words.found
	)
	SELECT (SELECT max(key)::bigint FROM batch), found, count(*)
	FROM changed
	GROUP BY found`

// replace carries out a plan in batches, lowest keys first. A stop keeps the batches that are done.
func (e *enumeration) replace(ctx context.Context, r *jobs.Run, b binding, p plan) error {
	counts := map[string]int64{}
	var total, batches int64
	for last := int64(math.MinInt64); len(p.found) > 0; {
		some, reached, err := b.replaceBatch(ctx, r, p, last)
		if err != nil {
			return fmt.Errorf("replace in %s: %w", b.name, err)
		}
		if len(some) == 0 {
			break
		}
		for found, n := range some {
			counts[found] += n
			total += n
		}
		last, batches = reached, batches+1
		r.Progress(total, p.rows, "rows")
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
	}
	e.rows += total
	for i, found := range p.found {
		if counts[found] == 0 {
			continue
		}
		if _, isAlias := e.words.aliases[fold(found)]; isAlias {
			e.applied++
		}
		if e.named++; e.named <= namedLines {
			r.Log("%s '%s' by '%s': %d rows (%s)", would(r, "replaced", "would replace"), found, p.wanted[i], counts[found], b.name)
		}
	}
	if batches > 1 {
		r.Log("%s: %d rows in %d batches", b.name, total, batches)
	}
	return e.checkLeft(ctx, r, b, p)
}

// replaceBatch returns the rows changed by spelling and the last key, none when nothing was left.
func (b binding) replaceBatch(ctx context.Context, r *jobs.Run, p plan, last int64) (some map[string]int64, reached int64, err error) {
	args := []any{p.found, p.wanted, last, aliasBatch}
	if b.modified != "" {
		args = append(args, r.Now())
	}
	err = r.Tx(ctx, func(tx pgx.Tx) error {
		some = map[string]int64{}
		rows, err := tx.Query(ctx, fmt.Sprintf(replaceRows, b.table, b.key, b.column, b.set()), args...)
		if err != nil {
			return err
		}
		var found string
		var n int64
		_, err = pgx.ForEachRow(rows, []any{&reached, &found, &n}, func() error {
			some[found] = n
			return nil
		})
		return err
	})
	return some, reached, err
}

// checkLeft looks for rows that were locked by others when their batch came.
func (e *enumeration) checkLeft(ctx context.Context, r *jobs.Run, b binding, p plan) error {
	if len(p.found) == 0 {
		return nil
	}
	err := r.Query(ctx, func(rows pgx.Rows) error {
		e.left = true
		return nil
	}, fmt.Sprintf(`
		SELECT 1
		FROM %s t
		WHERE t.%s = ANY ($1)
		LIMIT 1`, b.table, b.column), p.found)
	if e.left && err == nil {
		r.Warn("%s: rows locked by others are left for the next run", b.name)
	}
	return err
}
