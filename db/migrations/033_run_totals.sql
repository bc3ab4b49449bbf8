-- What a list says of an ended run stands in its row: a page of runs reads no steps and no effects.
ALTER TABLE xtk.workflow_task
    ADD COLUMN steps_begun int NOT NULL DEFAULT 0,
    ADD COLUMN steps_done int NOT NULL DEFAULT 0;

UPDATE xtk.workflow_task t
SET steps_begun = s.begun, steps_done = s.done
FROM (SELECT task_id, count(*) AS begun, count(*) FILTER (WHERE status IN ('completed', 'kept')) AS done
      FROM xtk.workflow_task_step
      GROUP BY task_id) s
WHERE s.task_id = t.id AND t.status <> 'running';

UPDATE xtk.workflow_task t
SET rows_changed = e.changed
FROM (SELECT task_id, sum(inserted + updated + deleted) AS changed FROM xtk.workflow_task_effect GROUP BY task_id) e
WHERE e.task_id = t.id AND t.status <> 'running' AND t.rows_changed <> e.changed;

CREATE OR REPLACE FUNCTION xtk.freeze_final_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'running' AND NEW.status IS DISTINCT FROM OLD.status THEN
        RAISE EXCEPTION 'run % has ended %, a final state never changes', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- However a run ends, its row is left with the sums of its steps and of its ledger.
    IF OLD.status = 'running' AND NEW.status <> 'running' THEN
        SELECT count(*), count(*) FILTER (WHERE s.status IN ('completed', 'kept'))
        INTO NEW.steps_begun, NEW.steps_done
        FROM xtk.workflow_task_step s
        WHERE s.task_id = NEW.id;
        SELECT coalesce(sum(e.inserted + e.updated + e.deleted), 0)
        INTO NEW.rows_changed
        FROM xtk.workflow_task_effect e
        WHERE e.task_id = NEW.id;
    END IF;
    RETURN NEW;
END $$;
