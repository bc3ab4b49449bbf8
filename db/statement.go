package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// StatementLine is the account of one workflow's slots of a month. Reasons counts those that were skipped, by why.
type StatementLine struct {
	WorkflowID      int64
	Workflow, Label string
	Account
	Reasons map[string]int
}

// Statement accounts for every slot that was due in a month, workflow by workflow, of one (its id) or of all (0). The month
// begins at from and ends before to; slots whose rows were purged since are in it by their number.
func (d *DB) Statement(ctx context.Context, workflowID int64, from, to time.Time) ([]StatementLine, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT w.id, w.internal_name, w.label, s.answer, s.reason, sum(s.n)::bigint
		FROM (SELECT e.workflow_id, e.answer, COALESCE(e.reason, '') AS reason, sum(e.occurrences) AS n
		      FROM xtk.workflow_event e
		      WHERE e.slot
		        AND e.scheduled_at >= @from AND e.scheduled_at < @to
		        AND (@workflow = 0 OR e.workflow_id = @workflow)
		      GROUP BY 1, 2, 3
		      UNION ALL
		      SELECT m.workflow_id, m.answer, m.reason, m.slots
		      FROM xtk.slot_month m
		      WHERE m.month = @month
		        AND (@workflow = 0 OR m.workflow_id = @workflow)) s
		JOIN xtk.workflow w ON w.id = s.workflow_id
		GROUP BY w.id, s.answer, s.reason
		ORDER BY w.label, w.id`, pgx.StrictNamedArgs{"workflow": workflowID, "from": from, "to": to,
		"month": time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	var lines []StatementLine
	var read StatementLine
	var answer, reason string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&read.WorkflowID, &read.Workflow, &read.Label, &answer, &reason, &n}, func() error {
		if len(lines) == 0 || lines[len(lines)-1].WorkflowID != read.WorkflowID {
			lines = append(lines, StatementLine{WorkflowID: read.WorkflowID, Workflow: read.Workflow, Label: read.Label, Reasons: map[string]int{}})
		}
		line := &lines[len(lines)-1]
		line.add(answer, n)
		if answer == "skipped" {
			line.Reasons[reason] += n
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	return lines, nil
}
