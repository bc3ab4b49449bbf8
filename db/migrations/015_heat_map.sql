-- The heat map: which executions touch a day, which of them were still open when they were collected, and which
-- executions have ended since the last collection.

CREATE INDEX heatmap_sample_span ON xtk.heatmap_sample
    USING gist (tstzrange(start_date, end_date, '[]')) WHERE step_order = 0;

CREATE INDEX ON xtk.workflow_task (completion_date);
