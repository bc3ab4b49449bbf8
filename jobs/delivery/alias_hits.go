package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// setHits writes the counts of aliases or values. Without full only those that were counted change, with it all others
// go to zero.
const setHits = `
	UPDATE %s w
	SET hits = LEAST(COALESCE(c.hits, 0), 2147483647)
	FROM %[1]s x
	LEFT JOIN unnest($2::bigint[], $3::bigint[]) AS c (id, hits) ON c.id = x.id
	WHERE x.id = w.id
	  AND w.enum_id = $1
	  AND ($4 OR c.id IS NOT NULL)
	  AND w.hits <> LEAST(COALESCE(c.hits, 0), 2147483647)`

// countHits counts, before anything is replaced, how many rows use each alias and value: those that the run has met, or
// all of them. It does nothing unless the run's parameter asks for it.
func (e *enumeration) countHits(ctx context.Context, r *jobs.Run, bindings []binding, recent []string) error {
	mode, asked := r.Arg("updateHits")
	if !asked {
		return nil
	}
	full := mode == "full"
	aliases, values := map[int64]int64{}, map[int64]int64{}
	if !full {
		for _, spelling := range recent {
			alias, value := e.words.counted(spelling)
			aliases[alias], values[value] = 0, 0
		}
	}
	for _, b := range bindings {
		found, err := b.spellings(ctx, r, "")
		if err != nil {
			return err
		}
		for spelling, rows := range found {
			alias, value := e.words.counted(spelling)
			add(aliases, alias, rows, full)
			add(values, value, rows, full)
		}
	}
	return r.Tx(ctx, func(tx pgx.Tx) error {
		for table, hits := range map[string]map[int64]int64{"xtk.enum_alias": aliases, "xtk.enum_value": values} {
			ids := slices.Sorted(maps.Keys(hits))
			counts := make([]int64, len(ids))
			for i, id := range ids {
				counts[i] = hits[id]
			}
			if _, err := tx.Exec(ctx, fmt.Sprintf(setHits, table), e.id, ids, counts, full); err != nil {
				return fmt.Errorf("hits in %s: %w", table, err)
			}
		}
		_, err := tx.Exec(ctx, `
			UPDATE xtk.enum
			SET last_hits_computation = $2
			WHERE id = $1`, e.id, r.Now())
		return err
	})
}

// add counts rows for an id, when all are counted or this one is wanted.
func add(hits map[int64]int64, id, rows int64, all bool) {
	if _, wanted := hits[id]; wanted || all {
		hits[id] += rows
	}
}

// finish adds the spellings that somebody has to qualify, and moves the day of the cleansing with them.
func (e *enumeration) finish(ctx context.Context, r *jobs.Run) error {
	labels := slices.Sorted(maps.Values(e.unknown))
	err := r.Tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			INSERT INTO xtk.enum_alias (enum_id, label, last_modified)
			SELECT $1, label, $3
			FROM unnest($2::text[]) AS u (label)
			ON CONFLICT (enum_id, lower(label)) DO NOTHING`, e.id, labels, r.Now()); err != nil {
			return err
		}
		if e.left {
			return nil
		}
		_, err := tx.Exec(ctx, `
			UPDATE xtk.enum
			SET last_alias_cleansing = $2
			WHERE id = $1`, e.id, r.Now())
		return err
	})
	if err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	return nil
}
