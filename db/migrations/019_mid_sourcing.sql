-- Deliveries carried for other instances. The emitter of a delivery is the operator as which its instance signs on, and
-- each has a folder of its own below this one, outside which it sees nothing.
INSERT INTO xtk.folder (internal_name, label, full_name, entity, system)
VALUES ('midSourcing', 'Mid-sourcing', '/Mid-sourcing/', 'nms:delivery', true);

CREATE INDEX ON nms.delivery (emitter_account_id, last_modified, id) WHERE emitter_account_id IS NOT NULL;

-- The emitter stands in its logs, too: an instance reads its own along one index, however many the others have.
ALTER TABLE nms.broad_log_mid ADD COLUMN emitter_account_id bigint;
ALTER TABLE nms.broad_log_mid DISABLE TRIGGER touch;
UPDATE nms.broad_log_mid l
SET emitter_account_id = d.emitter_account_id
FROM nms.delivery d
WHERE d.id = l.delivery_id AND d.emitter_account_id IS NOT NULL;
ALTER TABLE nms.broad_log_mid ENABLE TRIGGER touch;
CREATE INDEX ON nms.broad_log_mid (emitter_account_id, last_modified, id) WHERE emitter_account_id IS NOT NULL;
