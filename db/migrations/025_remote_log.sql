-- When a mid-sourcing server last changed a log, by its own clock: what was taken over once is not again.
ALTER TABLE nms.broad_log ADD COLUMN remote_modified timestamptz;
ALTER TABLE nms.broad_log_visitor ADD COLUMN remote_modified timestamptz;
ALTER TABLE nms.broad_log_rt_event ADD COLUMN remote_modified timestamptz;
ALTER TABLE nms.broad_log_batch_event ADD COLUMN remote_modified timestamptz;
