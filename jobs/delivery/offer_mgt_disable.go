package delivery

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// disable takes live offers out of use whose design offer is disabled, or deleted.
func (p *publication) disable(ctx context.Context) error {
	var done []labelled
	err := p.Tx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			WITH disabled AS (
				UPDATE nms.offer l
				SET state = 'disabled',
				    disabled_at = $1,
				    last_modified = $1
				FROM nms.offer was
				JOIN nms.offer_env e ON e.id = was.environment_id AND e.kind = 'live'
				LEFT JOIN nms.offer d ON d.id = was.source_id
				WHERE l.id = was.id
				  AND was.source_id IS NOT NULL
				  AND was.state <> 'disabled'
				  AND (d.id IS NULL OR d.deleted OR d.state = 'disabled')
				RETURNING l.id, l.label, CASE WHEN d.state = 'disabled' AND NOT d.deleted
				                              THEN 'its design is disabled' ELSE 'its design is deleted' END AS reason
			), logged AS (
				INSERT INTO nms.offer_log (offer_id, event, message)
				SELECT id, 'disabled', 'Offer ''' || label || ''' disabled: ' || reason
				FROM disabled
			)
			SELECT label, reason
			FROM disabled
			ORDER BY id`, p.Now())
		if err != nil {
			return err
		}
		done, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (one labelled, err error) {
			err = row.Scan(&one.label, &one.what)
			return one, err
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("disable live offers: %w", err)
	}
	for _, one := range done {
		p.line("Offer '%s' %s: %s", one.label, would(p.Run, "disabled", "would be disabled"), one.what)
	}
	return nil
}

// purge deletes live offers that have been disabled for as long as propositions are kept, once no proposition names
// them any more. The design forgets them first, so that it never points at nothing.
func (p *publication) purge(ctx context.Context) error {
	cut, ok, err := before(ctx, p.Run, "NmsCleanup_PropositionPurgeDelay", 365)
	if err != nil || !ok {
		return err
	}
	tables, err := mappedTables(ctx, p.Run, "proposition")
	if err != nil {
		return err
	}
	unused := `t.state = 'disabled' AND t.disabled_at < $1 AND EXISTS (
		SELECT FROM nms.offer_env e WHERE e.id = t.environment_id AND e.kind = 'live')`
	for _, one := range append(tables, table{name: "nms.proposition"}) {
		unused += ` AND NOT EXISTS (SELECT FROM ` + qualified(one.name) + ` p WHERE p.offer_id = t.id)`
	}
	if _, err := p.Exec(ctx, "links to live offers that are deleted taken back", `
		UPDATE nms.offer d
		SET live_offer_id = NULL
		FROM nms.offer t
		WHERE d.live_offer_id = t.id
		  AND `+unused, cut); err != nil {
		return err
	}
	return purge(ctx, p.Run, "offers disabled for long", jobs.Purge{Table: "nms.offer", Age: "disabled_at",
		Where: unused, Args: []any{cut}})
}
