package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// hear notes what a bell says is due, if it says so, and asks for a round.
func (e *Engine) hear(payload string) {
	var due db.Due
	if json.Unmarshal([]byte(payload), &due) == nil && due.Workflow != 0 {
		e.mu.Lock()
		e.rung = append(e.rung, due)
		e.mu.Unlock()
	}
	e.ring()
}

// answer begins the run that a bell has named before a round looks at everything: somebody has just ordered it and waits.
// Nothing depends on it. Several at once, and what has to wait or to stand back, are left to the round.
func (e *Engine) answer(ctx context.Context) error {
	e.mu.Lock()
	rung, node := e.rung, e.node
	e.rung = nil
	e.mu.Unlock()
	if len(rung) != 1 || node.ID == 0 {
		return nil
	}
	due := rung[0]
	workflow, known := e.workflows[due.Name]
	if !known || !(due.Affinity == "" && node.TakesUnassigned || slices.Contains(node.Affinities, due.Affinity)) {
		return nil
	}
	session, run, err := e.spares.take(ctx, due.Workflow, due.Name)
	if err != nil {
		return fmt.Errorf("session for %s: %w", due.Name, err)
	}
	begun := 0
	if run != 0 {
		x := &execution{run: run, workflowID: due.Workflow, workflow: workflow, session: session}
		begun, err = e.makeRuns(ctx, []*execution{x}, insertFirst, e.firstArgs(x, node))
	}
	if begun == 0 {
		err = errors.Join(err, e.spares.giveBack(ctx, session))
	}
	e.spares.refill(ctx)
	return err
}

func (e *Engine) firstArgs(x *execution, node db.Node) pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{"names": e.names, "unassigned": node.TakesUnassigned, "affinities": node.Affinities,
		"workflow": x.workflowID, "run": x.run, "pid": x.pid(), "node": node.Name, "build": node.Version}
}

// insertFirst takes what is first among all that could run here, if it is of the workflow whose lock the session has.
const insertFirst = `
	WITH asked AS (
		SELECT first.event, @run::bigint AS run, @pid::int AS pid, 1 AS n
		FROM (SELECT * FROM (` + candidates + `) AS c LIMIT 1) AS first (event, workflow, name, mode, exclusive)
		WHERE first.workflow = @workflow
	), ` + insertAsked
