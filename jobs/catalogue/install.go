package catalogue

import (
	"context"
	"encoding/json"
	"fmt"

	"nightshift/db"
	"nightshift/jobs"
)

// fact is what the database keeps of a workflow of the catalogue.
type fact struct {
	Name          string        `json:"internal_name"`
	Label         string        `json:"label"`
	Package       string        `json:"package"`
	Built         bool          `json:"built"`
	InstanceTypes []string      `json:"instance_types"`
	Reads         []string      `json:"reads"`
	Writes        []string      `json:"writes"`
	OnError       string        `json:"on_error"`
	ErrorLimit    int           `json:"error_limit"`
	Schedule      jobs.Schedule `json:"schedule"`
	Position      int           `json:"position"`
}

func factOf(position int, w jobs.Workflow) fact {
	schedule := jobs.CronSchedule(w.Schedule)
	schedule.Signal = len(w.Signals) > 0
	f := fact{
		Name: w.Name, Label: w.Label, Package: w.Package, Built: w.Run != nil,
		InstanceTypes: w.Instances, Reads: w.Reads, Writes: w.Writes,
		OnError: w.OnError, ErrorLimit: w.ErrorLimit, Schedule: schedule, Position: position,
	}
	if f.OnError == "" {
		f.OnError = "stop"
	}
	if f.InstanceTypes == nil {
		f.InstanceTypes = []string{}
	}
	return f
}

// installRows adds the workflows that the database does not have, being edited and supervised by the group of the
// workflow supervisors. Of those it has only the facts of the code change: what a person may have set, such as
// schedule, label, severity or error policy, stays.
const installRows = `
	INSERT INTO xtk.workflow AS w (internal_name, label, package, built, instance_types, reads, writes,
	                               on_error, error_limit, schedule, is_builtin, supervisor_group_id)
	SELECT f.internal_name, f.label, f.package, f.built, f.instance_types, f.reads, f.writes,
	       f.on_error, f.error_limit, f.schedule, true, g.id
	FROM jsonb_to_recordset($1) AS f (internal_name text, label text, package text, built boolean,
	         instance_types text[], reads text[], writes text[], on_error text, error_limit int,
	         schedule jsonb, position int)
	LEFT JOIN xtk.operator_group g ON g.internal_name = 'workflowSupervisors'
	ORDER BY f.position
	ON CONFLICT (internal_name) DO UPDATE
	SET package = excluded.package,
	    built = excluded.built,
	    instance_types = excluded.instance_types,
	    reads = excluded.reads,
	    writes = excluded.writes,
	    is_builtin = true
	WHERE (w.package, w.built, w.instance_types, w.reads, w.writes, w.is_builtin) IS DISTINCT FROM
	      (excluded.package, excluded.built, excluded.instance_types, excluded.reads, excluded.writes, true)`

// Install writes the catalogue into the database. It may run at every start, and on several nodes at once.
func Install(ctx context.Context, d *db.DB) error {
	var facts []fact
	for position, w := range All() {
		facts = append(facts, factOf(position, w))
	}
	rows, err := json.Marshal(facts)
	if err != nil {
		return fmt.Errorf("install catalogue: %w", err)
	}
	if _, err := d.Pool.Exec(ctx, installRows, rows); err != nil {
		return fmt.Errorf("install catalogue: %w", err)
	}
	return nil
}
