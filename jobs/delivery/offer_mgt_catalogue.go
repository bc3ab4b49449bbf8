package delivery

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// catalogueKind is a kind of objects of the catalogue that is copied as a whole.
type catalogueKind struct {
	noun string
	// refused selects label and reason of what cannot be published.
	refused string
	// add makes the live copies that are missing, with nothing but their names. Their date is as old as can be, because
	// the database dates an update that leaves the date as it is.
	add string
	// update fills copies that do not show their design as it is now, and returns label and whether the copy is new.
	update string
}

// reachable are the categories of a design environment that are below a root, parents first; what is in a circle of
// parents, or below one, is not. One is wanted live when it is enabled or has been published before, and its parents are.
const reachable = `
	WITH RECURSIVE reachable AS (
		SELECT d.id, d.enabled OR EXISTS (SELECT FROM nms.offer_category l WHERE l.environment_id = @live AND l.source_id = d.id) AS wanted
		FROM nms.offer_category d
		WHERE d.environment_id = @design
		  AND NOT EXISTS (
			SELECT
			FROM nms.offer_category above
			WHERE above.id = d.parent_id
			  AND above.environment_id = @design)
		UNION ALL
		SELECT d.id, r.wanted AND (d.enabled OR EXISTS (
			SELECT FROM nms.offer_category l WHERE l.environment_id = @live AND l.source_id = d.id))
		FROM reachable r
		JOIN nms.offer_category d ON d.parent_id = r.id AND d.environment_id = @design
	), wanted AS (
		SELECT d.*
		FROM nms.offer_category d
		JOIN reachable r ON r.id = d.id
		WHERE r.wanted
		  AND NOT EXISTS (
			SELECT
			FROM nms.offer_category other
			WHERE other.environment_id = @live
			  AND other.internal_name = d.internal_name
			  AND other.source_id IS DISTINCT FROM d.id)
	)`

// categoryKind publishes categories. A name that the live environment uses for something else is never overwritten.
var categoryKind = catalogueKind{
	noun: "Category",
	refused: reachable + `
		SELECT d.label, CASE WHEN r.id IS NULL THEN 'its parents form a circle'
		                     ELSE 'the live name ' || d.internal_name || ' belongs to another object' END
		FROM nms.offer_category d
		LEFT JOIN reachable r ON r.id = d.id
		WHERE d.environment_id = @design
		  AND d.id NOT IN (SELECT w.id FROM wanted w)
		  AND (r.id IS NULL OR r.wanted)
		ORDER BY d.id`,
	add: reachable + `
		INSERT INTO nms.offer_category (environment_id, internal_name, label, source_id, created, last_modified)
		SELECT @live, w.internal_name, w.label, w.id, @now, '-infinity'
		FROM wanted w
		WHERE NOT EXISTS (SELECT FROM nms.offer_category l WHERE l.environment_id = @live AND l.source_id = w.id)
		ORDER BY w.id`,
	update: reachable + `
		UPDATE nms.offer_category l
		SET internal_name = w.internal_name,
		    label = w.label,
		    parent_id = (SELECT above.id FROM nms.offer_category above WHERE above.environment_id = @live AND above.source_id = w.parent_id),
		    enabled = w.enabled,
		    start_date = w.start_date,
		    end_date = w.end_date,
		    themes = w.themes,
		    weight_multiplier = w.weight_multiplier,
		    multiplier_from = w.multiplier_from,
		    multiplier_to = w.multiplier_to,
		    source_modified = w.last_modified,
		    last_modified = @now
		FROM wanted w, nms.offer_category was
		WHERE l.environment_id = @live
		  AND l.source_id = w.id
		  AND l.source_modified IS DISTINCT FROM w.last_modified
		  AND was.id = l.id
		RETURNING w.label, was.source_modified IS NULL`,
}

// freeSpaces are the spaces of a design environment whose name is free in the live one, or theirs.
const freeSpaces = `
	WITH wanted AS (
		SELECT d.*
		FROM nms.offer_space d
		WHERE d.environment_id = @design
		  AND NOT EXISTS (
			SELECT
			FROM nms.offer_space other
			WHERE other.environment_id = @live
			  AND other.internal_name = d.internal_name
			  AND other.source_id IS DISTINCT FROM d.id)
	)`

var spaceKind = catalogueKind{
	noun: "Space",
	refused: freeSpaces + `
		SELECT d.label, 'the live name ' || d.internal_name || ' belongs to another object'
		FROM nms.offer_space d
		WHERE d.environment_id = @design
		  AND d.id NOT IN (SELECT w.id FROM wanted w)
		ORDER BY d.id`,
	add: freeSpaces + `
		INSERT INTO nms.offer_space (environment_id, internal_name, label, channel, source_id, created, last_modified)
		SELECT @live, w.internal_name, w.label, w.channel, w.id, @now, '-infinity'
		FROM wanted w
		WHERE NOT EXISTS (SELECT FROM nms.offer_space l WHERE l.environment_id = @live AND l.source_id = w.id)
		ORDER BY w.id`,
	update: freeSpaces + `
		UPDATE nms.offer_space l
		SET internal_name = w.internal_name,
		    label = w.label,
		    channel = w.channel,
		    unitary = w.unitary,
		    fields = w.fields,
		    default_status = w.default_status,
		    accepted_status = w.accepted_status,
		    disable_storage = w.disable_storage,
		    source_modified = w.last_modified,
		    last_modified = @now
		FROM wanted w, nms.offer_space was
		WHERE l.environment_id = @live
		  AND l.source_id = w.id
		  AND l.source_modified IS DISTINCT FROM w.last_modified
		  AND was.id = l.id
		RETURNING w.label, was.source_modified IS NULL`,
}

// categories brings the categories of the live environments to the state of their designs. A category that is gone from
// the design stays, disabled: offers and propositions may name it.
func (p *publication) categories(ctx context.Context) error {
	if err := p.publishKind(ctx, categoryKind); err != nil {
		return err
	}
	_, err := p.Exec(ctx, "live categories without a design disabled", `
		UPDATE nms.offer_category l
		SET enabled = false,
		    last_modified = $1
		FROM nms.offer_env e
		WHERE e.id = l.environment_id
		  AND e.kind = 'live'
		  AND l.enabled
		  AND l.source_id IS NOT NULL
		  AND NOT EXISTS (SELECT FROM nms.offer_category d WHERE d.id = l.source_id)`, p.Now())
	return err
}

func (p *publication) spaces(ctx context.Context) error { return p.publishKind(ctx, spaceKind) }

// publishKind copies what is new or has changed, an environment in one transaction. What cannot be copied is left, and
// makes the step fail at the end.
func (p *publication) publishKind(ctx context.Context, kind catalogueKind) error {
	var failed []error
	created, updated := 0, 0
	for _, e := range p.envs {
		refused, err := p.pairs(ctx, kind.refused, pgx.StrictNamedArgs{"design": e.design, "live": e.live})
		if err != nil {
			return fmt.Errorf("what of '%s' cannot be published: %w", e.label, err)
		}
		for _, one := range refused {
			p.warn("%s '%s' is not published: %s", kind.noun, one.label, one.what)
			failed = append(failed, fmt.Errorf("%s '%s': %s", strings.ToLower(kind.noun), one.label, one.what))
		}
		args := pgx.StrictNamedArgs{"design": e.design, "live": e.live, "now": p.Now()}
		var done []labelled
		err = p.Tx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, kind.add, args); err != nil {
				return err
			}
			rows, err := tx.Query(ctx, kind.update, args)
			if err != nil {
				return err
			}
			done, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (one labelled, err error) {
				err = row.Scan(&one.label, &one.fresh)
				return one, err
			})
			return err
		})
		if err != nil {
			return fmt.Errorf("publish to '%s': %w", e.label, err)
		}
		for _, one := range done {
			what := would(p.Run, "updated", "would be updated")
			if updated++; one.fresh {
				what = would(p.Run, "created", "would be created")
				created, updated = created+1, updated-1
			}
			p.line("%s '%s' %s", kind.noun, one.label, what)
		}
	}
	p.Progress(int64(created+updated), int64(created+updated), "objects")
	if created+updated+len(failed) > 0 {
		p.Say("%d created, %d updated, %d not published", created, updated, len(failed))
	}
	return joined(failed)
}

// labelled is an object by its label, and what is said of it.
type labelled struct {
	label, what string
	fresh       bool
}

// pairs reads labels with what is said of each.
func (p *publication) pairs(ctx context.Context, sql string, args ...any) (found []labelled, err error) {
	err = p.Query(ctx, func(rows pgx.Rows) error {
		var one labelled
		err := rows.Scan(&one.label, &one.what)
		found = append(found, one)
		return err
	}, sql, args...)
	return found, err
}
