-- The hourly tracking: propositions that wait to be presented, the newest thirty days of which it looks at.
CREATE INDEX proposition_waiting ON nms.proposition (event_date)
    WHERE status IN ('generated', 'scheduled') AND delivery_id IS NOT NULL;

-- Who used a browser before: web tracking asks for the permanent cookie.
CREATE INDEX tracking_log_visitor_source_id ON nms.tracking_log_visitor (source_id);
CREATE INDEX tracking_log_rt_event_source_id ON nms.tracking_log_rt_event (source_id);
CREATE INDEX tracking_log_batch_event_source_id ON nms.tracking_log_batch_event (source_id);
