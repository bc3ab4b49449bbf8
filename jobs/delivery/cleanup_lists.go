package delivery

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// listsAtATime is how many lists are read together, as documented for expired ones.
const listsAtATime = 100

// list is a list of recipients that goes.
type list struct {
	id   int64
	kind int16
}

// listTables remembers which tables of lists went with their list: a rehearsal leaves them in place, and the step that
// drops tables without a list would announce them again.
type listTables map[string]bool

// cleanLists removes lists that were deleted or have expired: first the rows of every table that refers to the list,
// then its own table where it has one, then the list.
func (l listTables) cleanLists(ctx context.Context, r *jobs.Run) error {
	related, err := references(ctx, r, "nms.group")
	if err != nil {
		return err
	}
	var last, removed int64
	for {
		lists, err := obsoleteLists(ctx, r, last)
		if err != nil || len(lists) == 0 {
			return err
		}
		for _, list := range lists {
			if err := r.Checkpoint(ctx); err != nil {
				return err
			}
			if err := l.remove(ctx, r, list, related); err != nil {
				return fmt.Errorf("list %d: %w", list.id, err)
			}
			last, removed = list.id, removed+1
			r.Progress(removed, 0, "lists")
		}
	}
}

// A list is obsolete when it was deleted or its expiration date has come.
func obsoleteLists(ctx context.Context, r *jobs.Run, after int64) ([]list, error) {
	var lists []list
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var one list
		err := rows.Scan(&one.id, &one.kind)
		lists = append(lists, one)
		return err
	}, `
		SELECT g.id, g.type
		FROM nms.group g
		WHERE g.id > $1
		  AND (g.delete_status <> 0 OR g.expiration_date <= $2)
		ORDER BY g.id
		LIMIT $3`, after, r.Now(), listsAtATime)
	if err != nil {
		return nil, fmt.Errorf("obsolete lists: %w", err)
	}
	r.Read(int64(len(lists)))
	return lists, nil
}

func (l listTables) remove(ctx context.Context, r *jobs.Run, list list, related []reference) error {
	// Members are many and refer without a foreign key.
	members := jobs.Purge{Table: "nms.rcp_grp_rel", Key: "recipient_id", Where: "t.group_id = $1", Args: []any{list.id}}
	if err := purge(ctx, r, "members of a list", members); err != nil {
		return err
	}
	for _, one := range related {
		rows := jobs.Purge{Table: one.table, Key: one.key, Where: "t." + pgx.Identifier{one.column}.Sanitize() + " = $1", Args: []any{list.id}}
		if err := purge(ctx, r, "rows of a list", rows); err != nil {
			return err
		}
	}
	if list.kind > 0 {
		own := fmt.Sprintf("grp%d", list.id)
		dropped, err := r.DropTable(ctx, "nms", own)
		if err != nil {
			return err
		}
		l[own] = dropped
	}
	// The list itself goes only while the rule still holds: somebody may have restored it meanwhile.
	_, err := r.Exec(ctx, fmt.Sprintf("list %d", list.id), `
		DELETE FROM nms.group
		WHERE id = $1
		  AND (delete_status <> 0 OR expiration_date <= $2)`, list.id, r.Now())
	return err
}

// dropOrphans drops the tables of lists that are no list with a table of its own any more.
func (l listTables) dropOrphans(ctx context.Context, r *jobs.Run) error {
	var gone []string
	for own, dropped := range l {
		if dropped {
			gone = append(gone, own)
		}
	}
	return dropUnless(ctx, r, "nms", `grp\d+`, `
		SELECT work.name
		FROM unnest($1::text[]) AS work (name)
		LEFT JOIN nms.group g ON g.id = substring(work.name FROM '^grp(\d+)$')::numeric AND g.type > 0
		WHERE g.id IS NOT NULL OR work.name = ANY ($2)`, gone)
}

// cleanSubscriptions removes subscriptions that were marked as deleted.
func cleanSubscriptions(ctx context.Context, r *jobs.Run) error {
	return purge(ctx, r, "deleted subscriptions", jobs.Purge{Table: "nms.subscription", Key: "ctid", Where: "t.delete_status <> 0"})
}

// cleanVisitors removes web visitors that became no recipient and have not changed for long.
func cleanVisitors(ctx context.Context, r *jobs.Run) error {
	cut, ok, err := before(ctx, r, "NmsCleanup_VisitorPurgeDelay", 30)
	if err != nil || !ok {
		return err
	}
	// Two rules, because only the first can use the index made for it; 0 is how imports write "none".
	for _, none := range []string{"t.recipient_id IS NULL", "t.recipient_id = 0"} {
		err := purge(ctx, r, "old visitors", jobs.Purge{Table: "nms.visitor", Age: "last_modified", Batch: 20_000,
			Where: none + " AND t.origin = 0 AND t.last_modified < $1", Args: []any{cut}})
		if err != nil {
			return err
		}
	}
	return nil
}

// cleanAppSubscriptions removes subscriptions to a mobile application that is gone, or whose service is, and those
// that have been disabled for long.
func cleanAppSubscriptions(ctx context.Context, r *jobs.Run) error {
	if ok, err := exists(ctx, r, "nms.app_subscription_rcp"); err != nil || !ok {
		return err
	}
	err := purge(ctx, r, "subscriptions of deleted applications", jobs.Purge{Table: "nms.app_subscription_rcp", Where: `
		NOT EXISTS (
			SELECT FROM nms.mobile_app a
			LEFT JOIN nms.service s ON s.id = a.service_id AND NOT s.deleted
			WHERE a.id = t.mobile_app_id
			  AND (a.service_id IS NULL OR s.id IS NOT NULL))`})
	if err != nil {
		return err
	}
	cut, ok, err := before(ctx, r, "NmsCleanup_AppSubscriptionRcpPurgeDelay", 180)
	if err != nil || !ok {
		return err
	}
	return purge(ctx, r, "disabled app subscriptions", jobs.Purge{Table: "nms.app_subscription_rcp", Age: "last_modified",
		Where: "t.disabled AND t.last_modified < $1", Args: []any{cut}})
}
