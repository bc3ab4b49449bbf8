package delivery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// The documented batches of what belongs to one delivery, in rows.
const (
	couponBatch = 5_000
	rowBatch    = 20_000
	partBatch   = 500_000
)

// deliveriesAtATime is how many deliveries go together, each statement for all of them.
const deliveriesAtATime = 50

// obsolete is a deleted delivery whose time to be restored is over.
type obsolete struct {
	id, remote int64
	account    string // of the mid-sourcing server that carries it; empty: none
	tables     tablesOf
}

// tablesOf are the log tables of a delivery's mapping; empty where the mapping names none, or one that does not exist.
type tablesOf struct{ broadLog, excludeLog, trackingLog, proposition string }

// cleanDeliveries removes deleted deliveries with everything they carry. A mid-sourcing server is asked first to
// remove its side; the deliveries of one that does not answer wait for the next cleanup.
func cleanDeliveries(ctx context.Context, r *jobs.Run) error {
	cut, ok, err := before(ctx, r, "NmsCleanup_RecycledDeliveryPurgeDelay", 7)
	if err != nil || !ok {
		return err
	}
	deliveries, err := obsoleteDeliveries(ctx, r, cut)
	if err != nil || len(deliveries) == 0 {
		return err
	}
	total := len(deliveries)
	r.Read(int64(total))
	waiting, err := cleanRemote(ctx, r, deliveries)
	if err != nil {
		return err
	}
	referring, err := references(ctx, r, "nms.delivery")
	if err != nil {
		return err
	}
	going := slices.DeleteFunc(deliveries, func(d obsolete) bool { return waiting[d.account] })
	left, gone := total-len(going), 0
	for len(going) > 0 {
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
		n := 1
		for n < min(len(going), deliveriesAtATime) && going[n].tables == going[0].tables {
			n++
		}
		if err := removeDeliveries(ctx, r, going[:n], referring); err != nil {
			return err
		}
		going, gone = going[n:], gone+n
		r.Progress(int64(gone), int64(total-left), "deliveries")
	}
	switch {
	case left > 0:
		r.Say("%d deliveries with everything they carry, %d wait for their mid-sourcing server", gone, left)
	case gone > 0:
		r.Say("%d deliveries with everything they carry", gone)
	}
	return nil
}

// Deleted or recycled before the cut-off; without a delete date the last change counts. Proofs go before the delivery they proof.
const obsoleteSQL = `
	SELECT d.id, COALESCE(d.mid_remote_id, 0), COALESCE(a.internal_name, ''),
	       COALESCE(b.name, ''), COALESCE(e.name, ''), COALESCE(t.name, ''), COALESCE(p.name, '')
	FROM nms.delivery d
	LEFT JOIN nms.ext_account a ON a.id = d.provider_id AND a.type = 'mid_sourcing' AND d.mid_remote_id > 0
	LEFT JOIN nms.delivery_mapping m
		ON m.id = COALESCE(d.mapping_id, (SELECT id FROM nms.delivery_mapping WHERE internal_name = 'mapRecipient'))
	LEFT JOIN existing b ON b.name = m.broad_log_schema
	LEFT JOIN existing e ON e.name = m.broad_log_excl_schema
	LEFT JOIN existing t ON t.name = m.tracking_log_schema
	LEFT JOIN existing p ON p.name = m.proposition_schema
	WHERE d.delete_status <> 'no'
	  AND COALESCE(d.delete_date, d.last_modified) < $1
	ORDER BY d.proofed_delivery_id IS NULL, m.id, d.id`

// existingSQL names the tables that there are, to look up those of a mapping.
const existingSQL = `
	WITH existing AS (
		SELECT n.nspname || '.' || c.relname AS name
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition)`

func obsoleteDeliveries(ctx context.Context, r *jobs.Run, cut time.Time) ([]obsolete, error) {
	var found []obsolete
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var one obsolete
		err := rows.Scan(&one.id, &one.remote, &one.account,
			&one.tables.broadLog, &one.tables.excludeLog, &one.tables.trackingLog, &one.tables.proposition)
		found = append(found, one)
		return err
	}, existingSQL+obsoleteSQL, cut)
	if err != nil {
		return nil, fmt.Errorf("deleted deliveries: %w", err)
	}
	return found, nil
}

// removeDeliveries removes deliveries that share their log tables, what hangs on them first, in the documented order:
// coupons before the logs that name them, web tracking before the logs it extends.
func removeDeliveries(ctx context.Context, r *jobs.Run, deliveries []obsolete, referring []reference) error {
	ids := make([]int64, len(deliveries))
	for i, one := range deliveries {
		ids[i] = one.id
	}
	if err := stopDeliveries(ctx, r, ids); err != nil {
		return err
	}
	for _, rows := range carried(deliveries[0].tables) {
		rows.Args = []any{ids}
		if err := purge(ctx, r, "rows of deleted deliveries", rows); err != nil {
			return err
		}
	}
	for _, one := range referring {
		if !one.nullable {
			continue
		}
		column := pgx.Identifier{one.column}.Sanitize()
		_, err := r.Exec(ctx, one.table+" without its deleted delivery",
			"UPDATE "+qualified(one.table)+" SET "+column+" = NULL WHERE "+column+" = ANY ($1)", ids)
		if err != nil {
			return err
		}
	}
	// Restored since the step began: what it carried is gone, the delivery stays.
	rows, err := r.Exec(ctx, "deleted deliveries", `
		DELETE FROM nms.delivery WHERE id = ANY ($1) AND delete_status <> 'no'`, ids)
	if err == nil && rows < int64(len(ids)) {
		r.Warn("%d of the deliveries %s were restored or removed meanwhile: left", int64(len(ids))-rows, listed(ids))
	}
	return err
}

// carried lists what belongs to deliveries, in the order in which it goes. delivery_stat stays: bills are made of it.
func carried(tables tablesOf) []jobs.Purge {
	const ofDelivery = "t.delivery_id = ANY ($1)"
	rows := []jobs.Purge{{Table: "nms.dlv_exclusion", Key: "ctid", Where: ofDelivery, Batch: partBatch}}
	add := func(table, where string, batch int) {
		if table != "" {
			rows = append(rows, jobs.Purge{Table: table, Where: where, Batch: batch})
		}
	}
	logs := []string{"nms.broad_log_mid"}
	if tables.broadLog != "" {
		logs = append([]string{tables.broadLog}, logs...)
	}
	for _, log := range logs {
		add("nms.coupon_value", "t.message_id IN (SELECT b.id FROM "+qualified(log)+" b WHERE b.delivery_id = ANY ($1))", couponBatch)
	}
	for _, log := range append(logs, tables.excludeLog, tables.proposition) {
		add(log, ofDelivery, rowBatch)
	}
	web := ofDelivery
	if tables.trackingLog != "" {
		web += " OR t.id IN (SELECT l.id FROM " + qualified(tables.trackingLog) + " l WHERE l.delivery_id = ANY ($1))"
	}
	add("nms.web_tracking_log", web, rowBatch)
	add(tables.trackingLog, ofDelivery, rowBatch)
	add("nms.delivery_part", ofDelivery, partBatch)
	add("nms.mirror_page_info", ofDelivery, rowBatch)
	rows = append(rows, jobs.Purge{Table: "nms.mirror_page_search", Key: "message_id", Where: ofDelivery, Batch: rowBatch})
	for _, table := range []string{"xtk.job_log", "nms.tracking_url", "nms.delivery_log_stats", "nms.tracking_stats"} {
		add(table, ofDelivery, rowBatch)
	}
	return rows
}

// stopDeliveries stops deleted deliveries that are still being sent. One without a delete date gets that of its last
// change, so that a cleanup that is interrupted here takes it up again tomorrow.
func stopDeliveries(ctx context.Context, r *jobs.Run, ids []int64) error {
	_, err := r.Exec(ctx, "deleted deliveries stopped", `
		UPDATE nms.delivery
		SET state = 'stopped', delete_date = COALESCE(delete_date, last_modified)
		WHERE id = ANY ($1)
		  AND state IN ('start_pending', 'in_progress', 'recovery_pending', 'recovery_in_progress',
		                'pause_requested', 'pause_in_progress', 'paused')`, ids)
	return err
}
