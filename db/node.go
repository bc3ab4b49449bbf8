package db

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Node is a process that serves this database. Alive is a fact: it holds its lock and has not said that it ends. One that
// is neither alive nor Stopped is missing.
type Node struct {
	ID, PID         int
	Name, Host      string
	Affinities      []string
	TakesUnassigned bool
	Started, Seen   time.Time
	Stopped         *time.Time
	Version         string
	Alive           bool
	Running         int
	Age             time.Duration // since Started, by the database's clock
	Expected        []string      // modules that should work in it; none: it is there for one run, and missed by nobody
}

// Nodes lists the processes seen in the last thirty days that nobody has retired, those alive first.
func (d *DB) Nodes(ctx context.Context) ([]Node, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT n.id, n.pid, n.name, n.host, n.affinities, n.takes_unassigned, n.started_at, n.seen_at, n.stopped_at, n.version,
		       holder.pid IS NOT NULL AND n.stopped_at IS NULL AS alive,
		       (SELECT count(*) FROM xtk.workflow_task t WHERE t.status = 'running' AND t.node = n.name),
		       now() - n.started_at, n.modules
		FROM xtk.engine_node n
		LEFT JOIN pg_locks holder ON holder.locktype = 'advisory' AND holder.classid = $1 AND holder.objid = n.id::oid
		                         AND holder.objsubid = 2 AND holder.granted
		                         AND holder.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		WHERE n.seen_at > now() - interval '30 days'
		  AND n.retired_at IS NULL
		ORDER BY alive DESC, n.name
		LIMIT 200`, LockNode)
	if err != nil {
		return nil, fmt.Errorf("nodes: %w", err)
	}
	nodes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Node])
	if err != nil {
		return nil, fmt.Errorf("nodes: %w", err)
	}
	return nodes, nil
}

// JoinNode registers a process on a session of its own, which holds the node's lock from then on. A name that another
// living process bears gets a number. It sets the node's ID and Name; Started is when the process began, whichever of its
// sessions this is.
func JoinNode(ctx context.Context, session *pgx.Conn, n *Node) error {
	name := n.Name
	for try := 2; try < 100; try++ {
		err := session.QueryRow(ctx, `
			INSERT INTO xtk.engine_node (name, host, pid, affinities, takes_unassigned, version)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (name) DO UPDATE SET name = excluded.name
			RETURNING id`, n.Name, n.Host, n.PID, n.Affinities, n.TakesUnassigned, n.Version).Scan(&n.ID)
		if err != nil {
			return fmt.Errorf("register the node %s: %w", n.Name, err)
		}
		var mine bool
		if err := session.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2)`, LockNode, n.ID).Scan(&mine); err != nil {
			return fmt.Errorf("lock of the node %s: %w", n.Name, err)
		}
		if mine {
			return describeNode(ctx, session, n)
		}
		n.Name = fmt.Sprintf("%s-%d", name, try)
	}
	return fmt.Errorf("register the node %s: a hundred processes bear this name", name)
}

func describeNode(ctx context.Context, session *pgx.Conn, n *Node) error {
	if _, err := session.Exec(ctx, `
		UPDATE xtk.engine_node
		SET host = $2, pid = $3, affinities = $4, takes_unassigned = $5, version = $6, started_at = now() - $7::interval,
		    seen_at = now(), stopped_at = NULL, retired_at = NULL, retired_by = NULL, modules = COALESCE($8::text[], '{}')
		WHERE id = $1`, n.ID, n.Host, n.PID, n.Affinities, n.TakesUnassigned, n.Version, time.Since(n.Started), n.Expected); err != nil {
		return fmt.Errorf("describe the node %s: %w", n.Name, err)
	}
	return nil
}

// SeeNode notes that the node works, for people; stopped notes that it ended in order.
func (d *DB) SeeNode(ctx context.Context, id int, stopped bool) error {
	if _, err := d.Pool.Exec(ctx, `
		UPDATE xtk.engine_node
		SET seen_at = now(), stopped_at = CASE WHEN $2 THEN now() END, retired_at = NULL, retired_by = NULL
		WHERE id = $1`, id, stopped); err != nil {
		return fmt.Errorf("node %d: %w", id, err)
	}
	return nil
}

// Node reads one process that is listed; ErrNotFound when there is none of this id.
func (d *DB) Node(ctx context.Context, id int64) (Node, error) {
	nodes, err := d.Nodes(ctx)
	if err != nil {
		return Node{}, err
	}
	if i := slices.IndexFunc(nodes, func(n Node) bool { return int64(n.ID) == id }); i >= 0 {
		return nodes[i], nil
	}
	return Node{}, fmt.Errorf("node %d: %w", id, ErrNotFound)
}

// Missing reports a process that should be there: it has modules, does not hold its lock and has not said that it ends.
func (n Node) Missing() bool { return !n.Alive && n.Stopped == nil && len(n.Expected) > 0 }

// RetireNode takes a missing process out of the list until it shows a sign of life again. It needs ADMINISTRATION and is
// audited; ErrConflict when the process is not missing. It returns
// the name of the process.
func (d *DB) RetireNode(ctx context.Context, actor Actor, id int64) (name string, err error) {
	node, err := d.Node(ctx, id)
	if err != nil {
		return "", err
	}
	entry := AuditEntry{EntityType: "node", Entity: node.Name, Action: "Retired",
		Detail: changed(map[string]any{"state": "missing"}, map[string]any{"state": "retired"})}
	return node.Name, d.asAdministrator(ctx, actor, entry, func(tx pgx.Tx, entry AuditEntry) error {
		if !node.Missing() {
			return fmt.Errorf("retire the node %s: %w", node.Name, ErrConflict)
		}
		done, err := tx.Exec(ctx, `
			UPDATE xtk.engine_node
			SET retired_at = now(), retired_by = $2
			WHERE id = $1
			  AND stopped_at IS NULL
			  AND retired_at IS NULL`, id, actor.Login)
		if err != nil {
			return fmt.Errorf("retire the node %s: %w", node.Name, err)
		}
		if done.RowsAffected() == 0 {
			return fmt.Errorf("retire the node %s: %w", node.Name, ErrConflict)
		}
		return d.Audit(ctx, tx, entry)
	})
}
