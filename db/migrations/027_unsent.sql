-- Cleanup finds messages that were given up by their last change.
CREATE INDEX notification_unsent ON nms.notification (last_modified) WHERE state IN ('error', 'unknown');
