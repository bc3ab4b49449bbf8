-- What runs do in the database, sampled while they work: a row for each run and five minutes.
CREATE TABLE xtk.heatmap_load (
    task_id bigint NOT NULL REFERENCES xtk.workflow_task ON DELETE CASCADE,
    slot timestamptz NOT NULL,
    samples int NOT NULL,
    -- Each sample stands for the time since the one before it: in a statement, and waiting in it for a lock.
    database_seconds double precision NOT NULL,
    lock_seconds double precision NOT NULL,
    PRIMARY KEY (task_id, slot)
) WITH (fillfactor = 80);
CREATE INDEX ON xtk.heatmap_load (slot);
