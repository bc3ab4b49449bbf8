package db

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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

// where is the filter's condition over a line l; only what is asked for stands in it.
func (f LogFilter) where() (string, pgx.StrictNamedArgs) {
	clauses, args := []string{"l.level = ANY(@levels)"}, pgx.StrictNamedArgs{"levels": f.Levels}
	if len(f.Levels) == 0 {
		args["levels"] = []string{"info", "warning", "error"}
	}
	if f.TaskID != 0 {
		clauses = append(clauses, "l.task_id = @task")
		args["task"] = f.TaskID
	} else {
		clauses = append(clauses, "l.workflow_id = @workflow")
		args["workflow"] = f.WorkflowID
	}
	if f.Step != 0 {
		clauses = append(clauses, "l.step_order = @step")
		args["step"] = f.Step
	}
	if f.Search != "" {
		clauses = append(clauses, "strpos(lower(l.message), @search) > 0")
		args["search"] = strings.ToLower(f.Search)
	}
	return strings.Join(clauses, " AND "), args
}

// Log reads a stretch of a journal, always oldest line first, and says whether there are more lines beyond it in the
// direction asked for.
func (d *DB) Log(ctx context.Context, f LogFilter) ([]LogLine, bool, error) {
	where, args := f.where()
	order, beyond, from := "DESC", "<", f.Before
	if f.After > 0 || f.Before == 0 && f.After < 0 {
		order, beyond, from = "ASC", ">", f.After
	} else if from == 0 {
		from = 1<<63 - 1
	}
	args["from"] = from
	// The limit is written out, as in Runs: a parameter would have the page planned anew at every request.
	rows, err := d.Pool.Query(ctx, `
		SELECT l.id, COALESCE(l.task_id, 0), l.log_date, l.level, COALESCE(l.step_order, 0), COALESCE(l.step_key, ''), l.message
		FROM xtk.workflow_log l
		WHERE `+where+`
		  AND l.id `+beyond+` @from
		ORDER BY l.id `+order+`
		LIMIT `+strconv.Itoa(f.Limit+1), args)
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
	f.Levels = nil
	where, args := f.where()
	limit := strconv.Itoa(CountCap + 1)
	var c LogCount
	// Trouble is counted on its own, so that a warning beyond the cap is not lost.
	err := d.Pool.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM (SELECT FROM xtk.workflow_log l WHERE `+where+` LIMIT `+limit+`) a),
		       (SELECT count(*) FROM (SELECT FROM xtk.workflow_log l WHERE `+where+` AND l.level = 'warning' LIMIT `+limit+`) a),
		       (SELECT count(*) FROM (SELECT FROM xtk.workflow_log l WHERE `+where+` AND l.level = 'error' LIMIT `+limit+`) a)`,
		args).Scan(&c.All, &c.Warnings, &c.Errors)
	if err != nil {
		return c, fmt.Errorf("count the log: %w", err)
	}
	return c, nil
}
