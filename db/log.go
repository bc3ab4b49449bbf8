package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// LogLine is one line of a journal.
type LogLine struct {
	ID      int64
	TaskID  int64 // 0: a line of the workflow, not of a run
	At      time.Time
	Level   string // info, warning, error, sql
	Step    int
	StepKey string
	Message string
}

// LogFilter chooses lines of a run, or of a workflow when TaskID is 0.
type LogFilter struct {
	TaskID, WorkflowID int64
	Levels             []string // empty: all but sql
	Step               int      // 0: all
	Search             string   // plain text, whatever its case
	// Lines after this id, oldest first (the live stream); or the last ones before this id; or, with neither, the last ones.
	After, Before int64
	Limit         int
}

const logWhere = `
	(@task = 0 OR l.task_id = @task)
	AND (@task <> 0 OR l.workflow_id = @workflow)
	AND l.level = ANY(@levels)
	AND (@step = 0 OR l.step_order = @step)
	AND (@search = '' OR strpos(lower(l.message), @search) > 0)`

func (f LogFilter) args() pgx.StrictNamedArgs {
	levels := f.Levels
	if len(levels) == 0 {
		levels = []string{"info", "warning", "error"}
	}
	return pgx.StrictNamedArgs{"task": f.TaskID, "workflow": f.WorkflowID, "levels": levels, "step": f.Step,
		"search": strings.ToLower(f.Search)}
}

// Log reads a stretch of a journal, always oldest line first, and says whether there are more lines beyond it in the
// direction asked for.
func (d *DB) Log(ctx context.Context, f LogFilter) ([]LogLine, bool, error) {
	args := f.args()
	order, beyond, from := "DESC", "<", f.Before
	if f.After > 0 || f.Before == 0 && f.After < 0 {
		order, beyond, from = "ASC", ">", f.After
	} else if from == 0 {
		from = 1<<63 - 1
	}
	args["from"], args["limit"] = from, f.Limit+1
	rows, err := d.Pool.Query(ctx, `
		SELECT l.id, COALESCE(l.task_id, 0), l.log_date, l.level, COALESCE(l.step_order, 0), COALESCE(l.step_key, ''), l.message
		FROM xtk.workflow_log l
		WHERE `+logWhere+`
		  AND l.id `+beyond+` @from
		ORDER BY l.id `+order+`
		LIMIT @limit`, args)
	if err != nil {
		return nil, false, fmt.Errorf("log: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[LogLine])
	if err != nil {
		return nil, false, fmt.Errorf("log: %w", err)
	}
	more := len(lines) > f.Limit
	if more {
		lines = lines[:f.Limit]
	}
	if order == "DESC" {
		slices.Reverse(lines)
	}
	return lines, more, nil
}

// LogCount is how many lines a journal has, each up to CountCap + 1.
type LogCount struct{ All, Warnings, Errors int }

// CountLog counts the lines of a filter by level, whatever its place and levels.
func (d *DB) CountLog(ctx context.Context, f LogFilter) (LogCount, error) {
	args := f.args()
	args["cap"] = CountCap + 1
	args["levels"] = []string{"info", "warning", "error"}
	var c LogCount
	// Trouble is counted on its own, so that a warning beyond the cap is not lost.
	err := d.Pool.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM (SELECT FROM xtk.workflow_log l WHERE `+logWhere+` LIMIT @cap) a),
		       (SELECT count(*) FROM (SELECT FROM xtk.workflow_log l WHERE `+logWhere+` AND l.level = 'warning' LIMIT @cap) a),
		       (SELECT count(*) FROM (SELECT FROM xtk.workflow_log l WHERE `+logWhere+` AND l.level = 'error' LIMIT @cap) a)`,
		args).Scan(&c.All, &c.Warnings, &c.Errors)
	if err != nil {
		return c, fmt.Errorf("count the log: %w", err)
	}
	return c, nil
}
