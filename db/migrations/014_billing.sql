-- Reports of billing: which due slot each answers, and mails that carry a file.

-- A slot that is repeated because its process was lost gets its report once.
ALTER TABLE nms.billing ADD COLUMN event_id bigint UNIQUE;
-- How far the reports reach, and which of them wait for an address.
CREATE INDEX ON nms.billing (period_to) WHERE kind = 'scheduled';
CREATE INDEX billing_unsent ON nms.billing (id) WHERE sent_at IS NULL;

ALTER TABLE nms.notification
    ADD COLUMN attachment_name text,
    ADD COLUMN attachment_type text,
    ADD COLUMN attachment bytea,
    ADD CONSTRAINT notification_attachment_check
        CHECK (num_nulls(attachment_name, attachment_type, attachment) IN (0, 3));
