-- The rules of the sending servers come from a service, the meaning of bounces from there and from people.

-- A synchronisation gives rules another order in one statement; each order is unique again at its end.
ALTER TABLE nms.mx_rule
    DROP CONSTRAINT mx_rule_rule_set_id_rule_order_key,
    ADD CONSTRAINT mx_rule_rule_set_id_rule_order_key UNIQUE (rule_set_id, rule_order) DEFERRABLE;
ALTER TABLE nms.mail_rule
    DROP CONSTRAINT mail_rule_rule_set_id_rule_order_key,
    ADD CONSTRAINT mail_rule_rule_set_id_rule_order_key UNIQUE (rule_set_id, rule_order) DEFERRABLE;

-- What came with the installation counts for nothing when a synchronisation asks whether a set shrinks.
UPDATE nms.mail_rule r
SET origin = 'builtin'
FROM nms.rule_set s
WHERE s.id = r.rule_set_id
  AND s.internal_name = 'defaultInMail'
  AND s.synchronised_at IS NULL
  AND (r.rule_order, r.pattern) IN ((10, '5\.1\.1|user is unknown'), (20, '5\.2\.2|quota exceeded'), (30, 'inactive mailbox'),
      (40, 'dns query failed'), (50, '^421 '));

ALTER TABLE nms.broad_log_msg ADD CHECK (qualif_status IN ('to_qualify', 'keep', 'ignore'));
COMMENT ON COLUMN nms.broad_log_msg.origin IS 'Whose decision it is: of a person here (local), of the service, of the installation (builtin).';
COMMENT ON COLUMN nms.broad_log_msg.synchronised_at IS 'The moment of a decision that came from the service, by the service''s clock.';
-- The texts that wait for a decision, the most frequent first.
CREATE INDEX ON nms.broad_log_msg (qualif_status, hit_count DESC, id DESC);
