-- Rows that a new marketing database begins with.

-- A subscription is targeted through its recipient, so its messages are logged with those of recipients.
INSERT INTO nms.delivery_mapping
    (internal_name, label, schema_name, target_table, recipient_link,
     broad_log_schema, broad_log_excl_schema, tracking_log_schema, proposition_schema, is_builtin)
VALUES
    ('mapRecipient', 'Recipients', 'nms:recipient', 'nms.recipient', NULL,
     'nms.broad_log', 'nms.exclude_log', 'nms.tracking_log', 'nms.proposition', true),
    ('mapVisitor', 'Visitors', 'nms:visitor', 'nms.visitor', 'recipient',
     'nms.broad_log_visitor', NULL, 'nms.tracking_log_visitor', NULL, true),
    ('mapSubscribe', 'Subscriptions', 'nms:subscription', 'nms.subscription', 'recipient',
     'nms.broad_log', 'nms.exclude_log', 'nms.tracking_log', 'nms.proposition', true),
    ('mapRtEvent', 'Real-time events', 'nms:rtEvent', 'nms.rt_event', NULL,
     'nms.broad_log_rt_event', NULL, 'nms.tracking_log_rt_event', NULL, true),
    ('mapBatchEvent', 'Batch events', 'nms:batchEvent', 'nms.batch_event', NULL,
     'nms.broad_log_batch_event', NULL, 'nms.tracking_log_batch_event', NULL, true);

-- Reserved: every open is a hit of URL 1, and customers' URLs begin at 1000.
INSERT INTO nms.tracking_url (id, delivery_id, type, label, source)
VALUES
    (1, 0, 2, 'Open', ''),
    (2, 0, 3, 'Opt-out', ''),
    (3, 0, 4, 'Web page', ''),
    (4, 0, 5, 'Transaction', ''),
    (5, 0, 1, 'Forward', ''),
    (6, 0, 6, 'Mirror page', '');
ALTER TABLE nms.tracking_url ALTER COLUMN id RESTART WITH 1000;

INSERT INTO nms.broad_log_msg
    (md5, text_normalized, first_text, failure_type, failure_reason, qualif_status, origin)
VALUES
    (md5('delivery cancelled, validity expired'), 'delivery cancelled, validity expired',
     'delivery cancelled, validity expired', 'ignored', 0, 'ignore', 'builtin');

INSERT INTO nms.rule_set (internal_name, label, kind)
VALUES
    ('defaultMXRules', 'MX management', 'mx'),
    ('defaultInMail', 'Inbound mail', 'inbound'),
    ('defaultDomainRules', 'Domain management', 'domain'),
    ('defaultEmailFormats', 'E-mail formats', 'email_format'),
    ('defaultSuppression', 'Global suppression list', 'suppression');

-- Rule sets that work before the first synchronisation: one generic rule for servers without their own.
INSERT INTO nms.mx_rule (rule_set_id, rule_order, mx_mask, max_connections, max_messages_per_connection, messages_per_hour)
SELECT id, 9999, '*', 10, 100, 10000 FROM nms.rule_set WHERE internal_name = 'defaultMXRules';

INSERT INTO nms.mail_rule (rule_set_id, rule_order, pattern, is_regex, failure_type, failure_reason)
SELECT r.id, v.rule_order, v.pattern, true, v.failure_type, v.failure_reason
FROM nms.rule_set r,
    (VALUES
        (10, '5\.1\.1|user is unknown', 'hard', 1),
        (20, '5\.2\.2|quota exceeded', 'soft', 5),
        (30, 'inactive mailbox', 'soft', 4),
        (40, 'dns query failed', 'soft', 2),
        (50, '^421 ', 'soft', 3)) AS v (rule_order, pattern, failure_type, failure_reason)
WHERE r.internal_name = 'defaultInMail';

INSERT INTO nms.email_format_rule (rule_set_id, domain_mask)
SELECT id, '*' FROM nms.rule_set WHERE internal_name = 'defaultEmailFormats';

INSERT INTO xtk.enum (internal_name, label, kind, binning)
VALUES ('domain', 'E-mail domains', 'open', true), ('company', 'Companies', 'open', false), ('origin', 'Origins', 'open', false)
ON CONFLICT (internal_name) DO NOTHING;

INSERT INTO xtk.enum_binding (enum_id, table_name, column_name, modified_column)
SELECT e.id, 'nms.recipient', e.internal_name, 'last_modified'
FROM xtk.enum e
WHERE e.internal_name IN ('company', 'origin')
ON CONFLICT DO NOTHING;
