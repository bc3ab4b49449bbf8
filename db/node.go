package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Node is a process that serves this database. Alive is a fact: it holds its lock and has not said that it ends.
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
}

// Nodes lists the processes seen in the last thirty days, those alive first.
func (d *DB) Nodes(ctx context.Context) ([]Node, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT n.id, n.pid, n.name, n.host, n.affinities, n.takes_unassigned, n.started_at, n.seen_at, n.stopped_at, n.version,
		       holder.pid IS NOT NULL AND n.stopped_at IS NULL AS alive,
		       (SELECT count(*) FROM xtk.workflow_task t WHERE t.status = 'running' AND t.node = n.name)
		FROM xtk.engine_node n
		LEFT JOIN pg_locks holder ON holder.locktype = 'advisory' AND holder.classid = $1 AND holder.objid = n.id::oid
		                         AND holder.objsubid = 2 AND holder.granted
		                         AND holder.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		WHERE n.seen_at > now() - interval '30 days'
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
// living process bears gets a number. It sets the node's ID and Name.
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
		SET host = $2, pid = $3, affinities = $4, takes_unassigned = $5, version = $6,
		    started_at = now(), seen_at = now(), stopped_at = NULL
		WHERE id = $1`, n.ID, n.Host, n.PID, n.Affinities, n.TakesUnassigned, n.Version); err != nil {
		return fmt.Errorf("describe the node %s: %w", n.Name, err)
	}
	return nil
}

// SeeNode notes that the node works, for people; stopped notes that it ended in order.
func (d *DB) SeeNode(ctx context.Context, id int, stopped bool) error {
	if _, err := d.Pool.Exec(ctx, `
		UPDATE xtk.engine_node
		SET seen_at = now(), stopped_at = CASE WHEN $2 THEN now() END
		WHERE id = $1`, id, stopped); err != nil {
		return fmt.Errorf("node %d: %w", id, err)
	}
	return nil
}
