-- The runs of a node, newest first: what its engine did.
CREATE INDEX workflow_task_node_start_date_id_idx ON xtk.workflow_task (node, start_date, id);
