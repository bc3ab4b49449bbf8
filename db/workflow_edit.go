package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrConflict says that somebody else has saved the same thing since the form was opened.
var ErrConflict = errors.New("changed by somebody else meanwhile")

// WorkflowEdit is what a person may set of a workflow. Zero numbers mean none or unlimited, as said in engine terms:
// HistoryDays 0 keeps history for ever, ErrorLimit 0 lets every error pass, MaxSeconds 0 never warns.
type WorkflowEdit struct {
	Version             int // of the form; ErrConflict when the row has another
	Label, Description  string
	Severity            string
	Supervisors         int64 // a group's id; 0: none
	Priority            int
	Affinity            string
	HistoryDays         int
	LogSQL, KeepResult  bool
	Exclusive, Watchdog bool
	OnError             string
	ErrorLimit          int
	MaxSeconds          int
	Schedule            []byte // JSON, checked before by jobs.Schedule
	Zone                string // empty: the instance's
	ValidFrom, ValidTo  *time.Time
	MaxExecutions       int
}

// EditOf is the workflow as it stands, to begin an edit with.
func (w WorkflowRow) EditOf() WorkflowEdit {
	return WorkflowEdit{Version: w.Version, Label: w.Label, Description: w.Description, Severity: w.Severity,
		Supervisors: w.Supervisors, Priority: w.Priority, Affinity: w.Affinity, HistoryDays: w.HistoryDays,
		LogSQL: w.LogSQL, KeepResult: w.KeepResult, Exclusive: w.Exclusive, Watchdog: w.Watchdog, OnError: w.OnError,
		ErrorLimit: w.ErrorLimit, MaxSeconds: w.MaxSeconds, Schedule: w.Schedule, Zone: w.Zone,
		ValidFrom: w.ValidFrom, ValidTo: w.ValidTo, MaxExecutions: w.MaxExecutions}
}

// SaveWorkflow saves an edit with its audit row (before → after of what changed) and a log line. A changed schedule has
// its next slot worked out again by the engine at once. It is a *MissingRight, ErrConflict or ErrNotFound when it cannot.
func (d *DB) SaveWorkflow(ctx context.Context, actor Actor, id int64, edit WorkflowEdit) error {
	before, err := d.Workflow(ctx, id)
	if err != nil {
		return err
	}
	if err := actor.Require(Administration); err != nil {
		return errors.Join(err, d.AuditAlone(ctx, AuditEntry{EntityType: "workflow", Entity: before.Name, Action: "Modified", Actor: actor}))
	}
	changed := differences(before.EditOf(), edit)
	if len(changed) == 0 && before.Version == edit.Version {
		return nil
	}
	_, rescheduled := changed["schedule"]
	for _, field := range []string{"zone", "valid_from", "valid_to", "max_executions"} {
		if _, ok := changed[field]; ok {
			rescheduled = true
		}
	}
	defer d.names.forget()
	return d.inTx(ctx, func(tx pgx.Tx) error {
		if err := updateWorkflow(ctx, tx, actor, id, edit, rescheduled); err != nil {
			return fmt.Errorf("save workflow %s: %w", before.Name, err)
		}
		if err := d.Audit(ctx, tx, AuditEntry{EntityType: "workflow", Entity: before.Name, Action: "Modified", Actor: actor,
			Allowed: true, Detail: map[string]any{"changed": changed}}); err != nil {
			return err
		}
		if err := LogWorkflow(ctx, tx, id, 0, "info", "Properties changed by "+actor.Login); err != nil {
			return err
		}
		return Notify(ctx, tx, ChannelWork, id)
	})
}

// updateWorkflow writes the row if nobody else has since the form's version.
func updateWorkflow(ctx context.Context, tx pgx.Tx, actor Actor, id int64, e WorkflowEdit, rescheduled bool) error {
	done, err := tx.Exec(ctx, `
		UPDATE xtk.workflow
		SET label = @label, description = NULLIF(@description, ''), severity = @severity,
		    supervisor_group_id = NULLIF(@supervisors, 0), priority = @priority, affinity = @affinity,
		    history_days = @history, log_sql = @log_sql, keep_result = @keep, exclusive = @exclusive, watchdog = @watchdog,
		    on_error = @on_error, error_limit = @limit, max_execution_seconds = NULLIF(@seconds, 0),
		    schedule = @schedule, timezone = NULLIF(@zone, ''), valid_from = @from, valid_to = @to,
		    max_executions = NULLIF(@executions, 0),
		    next_processing = CASE WHEN @rescheduled THEN NULL ELSE next_processing END,
		    version = version + 1, last_modified = now(), modified_by_id = NULLIF(@by, 0)
		WHERE id = @id AND version = @version`, pgx.StrictNamedArgs{
		"id": id, "version": e.Version, "label": e.Label, "description": e.Description, "severity": e.Severity,
		"supervisors": e.Supervisors, "priority": e.Priority, "affinity": e.Affinity, "history": e.HistoryDays,
		"log_sql": e.LogSQL, "keep": e.KeepResult, "exclusive": e.Exclusive, "watchdog": e.Watchdog, "on_error": e.OnError,
		"limit": e.ErrorLimit, "seconds": e.MaxSeconds, "schedule": json.RawMessage(e.Schedule), "zone": e.Zone,
		"from": e.ValidFrom, "to": e.ValidTo, "executions": e.MaxExecutions, "rescheduled": rescheduled, "by": actor.ID})
	if err != nil {
		return err
	}
	if done.RowsAffected() == 0 {
		return ErrConflict
	}
	return nil
}

// differences names each changed field with its value before and after.
func differences(before, after WorkflowEdit) map[string]any {
	was, is := before.fields(), after.fields()
	changed := map[string]any{}
	for name, value := range was {
		if !reflect.DeepEqual(value, is[name]) {
			changed[name] = map[string]any{"before": value, "after": is[name]}
		}
	}
	return changed
}

func (e WorkflowEdit) fields() map[string]any {
	var schedule any
	if json.Unmarshal(e.Schedule, &schedule) != nil {
		schedule = string(e.Schedule)
	}
	return map[string]any{"label": e.Label, "description": e.Description, "severity": e.Severity,
		"supervisors": e.Supervisors, "priority": e.Priority, "affinity": e.Affinity, "history_days": e.HistoryDays,
		"log_sql": e.LogSQL, "keep_result": e.KeepResult, "exclusive": e.Exclusive, "watchdog": e.Watchdog,
		"on_error": e.OnError, "error_limit": e.ErrorLimit, "max_execution_seconds": e.MaxSeconds, "schedule": schedule,
		"zone": e.Zone, "valid_from": stamp(e.ValidFrom), "valid_to": stamp(e.ValidTo), "max_executions": e.MaxExecutions}
}

func stamp(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
