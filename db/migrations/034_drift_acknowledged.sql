-- An administrator knows of an alarm: it stays open, and is no longer worth a look.

ALTER TABLE xtk.workflow_drift
    ADD acknowledged_at timestamptz,
    ADD acknowledged_by text,
    ADD acknowledged_reason text NOT NULL DEFAULT '',
    ADD CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL));
