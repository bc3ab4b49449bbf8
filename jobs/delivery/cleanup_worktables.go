package delivery

import (
	"context"

	"nightshift/jobs"
)

// dropDeliveryTables drops the work tables of deliveries that are being edited, stopped, deleted or unknown.
func dropDeliveryTables(ctx context.Context, r *jobs.Run) error {
	// Kept: the number after wkdlv_ is a delivery that is not deleted and still needs its table.
	return dropUnless(ctx, r, "nms", `wkdlv_\d+_\d+`, `
		SELECT work.name
		FROM unnest($1::text[]) AS work (name)
		JOIN nms.delivery d ON d.id = substring(work.name FROM '^wkdlv_(\d+)_')::numeric
		WHERE d.delete_status = 'no'
		  AND d.state NOT IN ('editing', 'stopped', 'deleted')`)
}

// dropSimulationTables drops the work tables of simulations that are gone.
func dropSimulationTables(ctx context.Context, r *jobs.Run) error {
	if ok, err := exists(ctx, r, "nms.simulation"); err != nil || !ok {
		return err
	}
	return dropUnless(ctx, r, "nms", `wksimu_\d+_.*`, `
		SELECT work.name
		FROM unnest($1::text[]) AS work (name)
		JOIN nms.simulation s ON s.id = substring(work.name FROM '^wksimu_(\d+)_')::numeric`)
}

// dropWorkflowTables drops the work tables of workflows. Kept are those of a workflow that has not finished, unless
// it rests since longer than the delay for results and does not keep them; history tables stay as long as their workflow is there.
func dropWorkflowTables(ctx context.Context, r *jobs.Run) error {
	cut, ok, err := before(ctx, r, "NmsCleanup_WorkflowResultPurgeDelay", 30)
	if err != nil {
		return err
	}
	err = dropUnless(ctx, r, "xtk", `wkf\d+_\d+`, `
		SELECT work.name
		FROM unnest($1::text[]) AS work (name)
		JOIN xtk.workflow w ON w.id = substring(work.name FROM '^wkf(\d+)_')::numeric
		WHERE w.state <> 'finished'
		  AND (w.keep_result
		       OR NOT $3
		       OR w.last_processed IS NULL
		       OR w.last_processed >= $2
		       OR EXISTS (SELECT FROM xtk.workflow_task k WHERE k.workflow_id = w.id AND k.status = 'running'))`, cut, ok)
	if err != nil {
		return err
	}
	return dropUnless(ctx, r, "xtk", `wkfhisto\d+.*`, `
		SELECT work.name
		FROM unnest($1::text[]) AS work (name)
		JOIN xtk.workflow w ON w.id = substring(work.name FROM '^wkfhisto(\d+)')::numeric`)
}
