package db

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// WorkflowName is what a choice of workflows needs of each.
type WorkflowName struct {
	ID          int64
	Name, Label string
}

// namesFresh is how long a label that was changed on another node may be shown in lists.
const namesFresh = 2 * time.Second

// workflowNames keeps the names of all workflows. An internal name never changes, a label seldom does.
type workflowNames struct {
	mu    sync.Mutex
	asked time.Time
	byID  map[int64]WorkflowName
}

// read returns the names as they were at most two seconds ago, or now when those do not serve. The map is not to be changed.
func (n *workflowNames) read(ctx context.Context, d *DB, serve func(map[int64]WorkflowName) bool) (map[int64]WorkflowName, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.asked) < namesFresh && serve(n.byID) {
		return n.byID, nil
	}
	var all []WorkflowName
	batch := &pgx.Batch{}
	queueNames(batch, &all)
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, err
	}
	byID := make(map[int64]WorkflowName, len(all))
	for _, name := range all {
		byID[name.ID] = name
	}
	n.asked, n.byID = time.Now(), byID
	return byID, nil
}

// forget has the names read anew, after one was changed here.
func (n *workflowNames) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = time.Time{}
}

// queueNames lists all workflows by internal name.
func queueNames(batch *pgx.Batch, into *[]WorkflowName) {
	batch.Queue(`
		SELECT id, internal_name, label
		FROM xtk.workflow
		ORDER BY internal_name`).Query(func(rows pgx.Rows) error {
		names, err := pgx.CollectRows(rows, pgx.RowToStructByPos[WorkflowName])
		*into = names
		return err
	})
}
