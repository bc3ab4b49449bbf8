-- The few lines of a long log that say more than what went well are counted and listed without reading the others.
CREATE INDEX workflow_log_trouble ON xtk.workflow_log (task_id, level, id) WHERE level <> 'info';
