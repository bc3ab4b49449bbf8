-- Offers of another instance: the right to bring them, and whose a live environment is.

INSERT INTO xtk.right (name, label) VALUES ('INTERACTION-SYNCH', 'Offer synchronisation');
INSERT INTO xtk.operator_group (internal_name, label, is_builtin) VALUES ('interactionSynch', 'Offer synchronisation', true);
INSERT INTO xtk.right_grant (right_name, group_id)
SELECT 'INTERACTION-SYNCH', id FROM xtk.operator_group WHERE internal_name = 'interactionSynch';

-- The operator as which the instance signs on that the environment comes from; NULL: it is of this instance.
ALTER TABLE nms.offer_env ADD COLUMN emitter_account_id bigint;
