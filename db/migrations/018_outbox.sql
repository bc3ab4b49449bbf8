-- The outbox is moved on by every node that serves, for mails and for webhooks alike.

ALTER TABLE nms.notification
    ADD COLUMN channel text NOT NULL DEFAULT 'mail' CHECK (channel IN ('mail', 'webhook')),
    -- The webhook it is for. Mails go through whichever mail account is active.
    ADD COLUMN account_id bigint,
    -- How often it is still tried by itself; attempts counts all tries.
    ADD COLUMN tries_left int NOT NULL DEFAULT 6,
    -- What the receiver said when it took the message.
    ADD COLUMN answer text,
    ADD CONSTRAINT notification_account_check CHECK ((channel = 'webhook') = (account_id IS NOT NULL));

-- What is due, what is being sent, what needs a person, and the list of a state.
DROP INDEX nms.notification_state_next_try_at_idx;
CREATE INDEX notification_due ON nms.notification (channel, next_try_at, id) WHERE state = 'pending';
CREATE INDEX notification_sending ON nms.notification (id) WHERE state = 'sending';
CREATE INDEX notification_trouble ON nms.notification (id) WHERE state IN ('error', 'unknown');
CREATE INDEX notification_list ON nms.notification (channel, state, id);

-- Whoever sends is told at the commit of what there is to send.
CREATE FUNCTION nms.ring_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('nightshift_outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER ring AFTER INSERT ON nms.notification FOR EACH STATEMENT EXECUTE FUNCTION nms.ring_outbox();

-- Since when an account has its secret, and when it last failed.
ALTER TABLE nms.ext_account
    ADD COLUMN secret_set_at timestamptz,
    ADD COLUMN last_error_at timestamptz;
