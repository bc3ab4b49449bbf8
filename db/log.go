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
	Count         bool // RunWithLog counts all its lines, too
}

// levels is the condition of a level, written out for the index of what is not an ordinary line. Other levels are none.
func (f LogFilter) levels() string {
	var known []string
	for _, level := range []string{"info", "warning", "error", "sql"} {
		if slices.Contains(f.Levels, level) || len(f.Levels) == 0 && level != "sql" {
			known = append(known, "'"+level+"'")
		}
	}
	if len(known) == 0 {
		return "false"
	}
	return "l.level IN (" + strings.Join(known, ", ") + ")"
}

// where is the filter's condition over a line l but for its level; only what is asked for stands in it.
func (f LogFilter) where() (string, pgx.StrictNamedArgs) {
	clauses, args := []string{}, pgx.StrictNamedArgs{}
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

// Journal is a stretch of a journal, always oldest line first.
type Journal struct {
	Lines []LogLine
	More  bool     // there are more lines beyond it in the direction asked for
	Count LogCount // of all lines, where it was asked for
}

// Log reads a stretch of a journal, always oldest line first, and says whether there are more lines beyond it in the
// direction asked for.
func (d *DB) Log(ctx context.Context, f LogFilter) ([]LogLine, bool, error) {
	var journal Journal
	batch := &pgx.Batch{}
	f.queue(batch, &journal)
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, false, fmt.Errorf("log: %w", err)
	}
	return journal.Lines, journal.More, nil
}

// queue reads the lines of the filter.
func (f LogFilter) queue(batch *pgx.Batch, into *Journal) {
	where, args := f.where()
	order, beyond, from := "DESC", "<", f.Before
	if f.After > 0 || f.Before == 0 && f.After < 0 {
		order, beyond, from = "ASC", ">", f.After
	} else if from == 0 {
		from = 1<<63 - 1
	}
	args["from"] = from
	// The limit is written out, as in Runs: a parameter would have the page planned anew at every request.
	batch.Queue(`
		SELECT l.id, COALESCE(l.task_id, 0), l.log_date, l.level, COALESCE(l.step_order, 0), COALESCE(l.step_key, ''), l.message
		FROM xtk.workflow_log l
		WHERE `+where+` AND `+f.levels()+`
		  AND l.id `+beyond+` @from
		ORDER BY l.id `+order+`
		LIMIT `+strconv.Itoa(f.Limit+1), args).Query(func(rows pgx.Rows) error {
		line, lines := LogLine{}, make([]LogLine, 0, min(f.Limit+1, 1000))
		if _, err := pgx.ForEachRow(rows, []any{&line.ID, &line.TaskID, &line.At, &line.Level, &line.Step, &line.StepKey, &line.Message}, func() error {
			lines = append(lines, line)
			return nil
		}); err != nil {
			return err
		}
		into.More = len(lines) > f.Limit
		into.Lines = lines[:min(len(lines), f.Limit)]
		if order == "DESC" {
			slices.Reverse(into.Lines)
		}
		return nil
	})
}

// LogCount is how many lines a journal has, each up to CountCap + 1.
type LogCount struct{ All, Warnings, Errors int }

// CountLog counts the lines of a filter by level, whatever its place and levels. Trouble is counted on its own, so that a
// warning beyond the cap is not lost.
func (d *DB) CountLog(ctx context.Context, f LogFilter) (LogCount, error) {
	where, args := f.where()
	count := func(level string) string {
		return `(SELECT count(*) FROM (SELECT FROM xtk.workflow_log l WHERE ` + where + ` AND ` + level + ` LIMIT ` + strconv.Itoa(CountCap+1) + `) a)`
	}
	var c LogCount
	err := d.Pool.QueryRow(ctx, `SELECT `+count(LogFilter{}.levels())+`, `+count(`l.level = 'warning'`)+`, `+count(`l.level = 'error'`), args).
		Scan(&c.All, &c.Warnings, &c.Errors)
	if err != nil {
		return c, fmt.Errorf("count the log: %w", err)
	}
	return c, nil
}

// queueCount counts the lines of a filter in one scan. Where there are more lines than CountCap, of all levels together, it
// says so in capped and has counted only some of them.
func (f LogFilter) queueCount(batch *pgx.Batch, into *LogCount, capped *bool) {
	where, args := f.where()
	batch.Queue(`
		SELECT count(*) FILTER (WHERE l.level <> 'sql'), count(*) FILTER (WHERE l.level = 'warning'),
		       count(*) FILTER (WHERE l.level = 'error'), count(*) > `+strconv.Itoa(CountCap)+`
		FROM (SELECT l.level
		      FROM xtk.workflow_log l
		      WHERE `+where+`
		      LIMIT `+strconv.Itoa(CountCap+1)+`) l`, args).
		QueryRow(func(row pgx.Row) error { return row.Scan(&into.All, &into.Warnings, &into.Errors, capped) })
}
