package delivery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// aliasBatch is how many rows one transaction replaces.
const aliasBatch = 5000

// namedLines is how many lines of one sort a run writes before it only counts them.
const namedLines = 20

// enumeration is one to cleanse, with what the run has found so far.
type enumeration struct {
	id    int64
	name  string
	from  *time.Time // of the last cleansing; nil: never
	words vocabulary

	unknown                 map[string]string // folded → as it was first met
	distinct, applied, rows int64
	named                   int
	// left is set when rows locked by others were left: the day of the cleansing stays, so the next run takes them.
	left bool
}

// AliasCleansing replaces, in the columns that take their values from an enumeration, what people typed by the spelling
// that the enumeration knows. Spellings it does not know become aliases that wait for somebody to qualify them. An
// enumeration that fails does not stop the others; the run fails at the end and that one starts from the same day again.
// Parameters: updateHits counts the uses of the values it meets, updateHits=full those of all values and aliases anew.
func AliasCleansing(ctx context.Context, r *jobs.Run) error {
	all, err := enumerations(ctx, r)
	if err != nil {
		return err
	}
	names := make([]string, len(all))
	for i, e := range all {
		names[i] = e.name
	}
	if err := r.Steps(ctx, names...); err != nil {
		return err
	}
	var failed []error
	for i, e := range all {
		if err := r.Step(ctx, e.name, func(ctx context.Context) error {
			r.Progress(int64(i), int64(len(all)), "enumerations")
			return e.cleanse(ctx, r)
		}); err != nil {
			if ctx.Err() != nil || errors.Is(err, jobs.ErrStopped) {
				return err
			}
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// enumerations lists those to cleanse: with alias cleansing on, and not reserved for binning.
func enumerations(ctx context.Context, r *jobs.Run) ([]*enumeration, error) {
	var all []*enumeration
	err := r.Query(ctx, func(rows pgx.Rows) error {
		e := &enumeration{unknown: map[string]string{}}
		all = append(all, e)
		return rows.Scan(&e.id, &e.name, &e.from)
	}, `
		SELECT id, internal_name, last_alias_cleansing
		FROM xtk.enum
		WHERE alias_cleansing
		  AND NOT binning
		ORDER BY internal_name`)
	if err != nil {
		return nil, fmt.Errorf("list the enumerations: %w", err)
	}
	return all, nil
}

func (e *enumeration) cleanse(ctx context.Context, r *jobs.Run) error {
	if err := e.readWords(ctx, r); err != nil {
		return err
	}
	bindings, err := e.bindings(ctx, r)
	if err != nil {
		return err
	}
	recent := map[string]bool{}
	plans := make([]plan, len(bindings))
	for i, b := range bindings {
		if plans[i], err = e.plan(ctx, r, b, recent); err != nil {
			return err
		}
	}
	if err := e.countHits(ctx, r, bindings, slices.Sorted(maps.Keys(recent))); err != nil {
		return err
	}
	for i, b := range bindings {
		if err := e.replace(ctx, r, b, plans[i]); err != nil {
			return err
		}
	}
	if e.named > namedLines {
		r.Log("… and %d more", e.named-namedLines)
	}
	if err := e.finish(ctx, r); err != nil {
		return err
	}
	since := "the beginning"
	if e.from != nil {
		since = e.from.UTC().Format(time.DateOnly)
	}
	r.Say("%d distinct values since %s, %d aliases applied, %d rows updated, %d values to qualify",
		e.distinct, since, e.applied, e.rows, len(e.unknown))
	r.Log("Enumeration '%s': %d distinct values since %s, %d aliases applied, %d rows %s, %d values to qualify",
		e.name, e.distinct, since, e.applied, e.rows, would(r, "updated", "would be updated"), len(e.unknown))
	return nil
}

// would chooses the word for what was done, or in a rehearsal would be.
func would(r *jobs.Run, done, rehearsed string) string {
	if r.Simulated() {
		return rehearsed
	}
	return done
}

func (e *enumeration) readWords(ctx context.Context, r *jobs.Run) error {
	var values []enumValue
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var v enumValue
		err := rows.Scan(&v.id, &v.name, &v.label)
		values = append(values, v)
		return err
	}, `
		SELECT id, name, label
		FROM xtk.enum_value
		WHERE enum_id = $1
		ORDER BY id`, e.id)
	if err != nil {
		return fmt.Errorf("read the values: %w", err)
	}
	// Mapped since the last cleansing: those apply to all rows, or a mapping of today would never reach old ones.
	var aliases []enumAlias
	err = r.Query(ctx, func(rows pgx.Rows) error {
		var a enumAlias
		err := rows.Scan(&a.id, &a.valueID, &a.label, &a.fresh)
		aliases = append(aliases, a)
		return err
	}, `
		SELECT id, COALESCE(enum_value_id, 0), label, $2::timestamptz IS NULL OR last_modified >= $2
		FROM xtk.enum_alias
		WHERE enum_id = $1
		ORDER BY id`, e.id, e.from)
	if err != nil {
		return fmt.Errorf("read the aliases: %w", err)
	}
	e.words = newVocabulary(values, aliases)
	return nil
}
