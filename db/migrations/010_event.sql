-- Transactional messages: the events waiting on an execution instance, their logs, and their archive on the control
-- instance. Tables of events with the same columns are made by one statement each, so that they cannot drift apart.

-- An event's id is made by its execution instance: its number in the upper 8 bits, this sequence below.
CREATE SEQUENCE nms.event_seq;

CREATE TABLE nms.rt_event (
    id bigint PRIMARY KEY DEFAULT nextval('nms.event_seq'),
    type text NOT NULL DEFAULT '',
    origin text,
    external_id text,
    wished_channel smallint NOT NULL DEFAULT 0,
    -- The channel it went by.
    channel smallint,
    email text,
    mobile_phone text,
    registration_token text,
    mobile_app_uuid uuid,
    language text,
    country_code text,
    email_format smallint NOT NULL DEFAULT 2,
    ctx text NOT NULL DEFAULT '' CHECK (octet_length(ctx) <= 262144),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'pending_delivery', 'sent', 'ignored_by_delivery', 'delivery_error', 'event_not_covered',
         'event_expired')),
    error_count int NOT NULL DEFAULT 0,
    last_error text,
    template_id bigint,
    delivery_id bigint,
    broad_log_id bigint,
    recipient_id bigint,
    operator_id bigint,
    scheduled timestamptz,
    expiration timestamptz,
    -- Not tried before this moment.
    processing timestamptz NOT NULL DEFAULT now(),
    routed_at timestamptz,
    sent_at timestamptz,
    -- When its state became final.
    processed timestamptz,
    created timestamptz NOT NULL DEFAULT now(),
    last_modified timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX ON nms.rt_event (processing, id) WHERE status = 'pending';
CREATE INDEX ON nms.rt_event (scheduled);
CREATE INDEX ON nms.rt_event (last_modified, id);
CREATE INDEX ON nms.rt_event (type, created);
CREATE INDEX ON nms.rt_event (created);
CREATE INDEX ON nms.rt_event (processed);
CREATE INDEX ON nms.rt_event (delivery_id);
CREATE INDEX ON nms.rt_event (external_id);
-- The clock of the purge: the end of the event, or its arrival when it never ended.
CREATE INDEX rt_event_purge ON nms.rt_event (coalesce(processed, created));
CREATE TRIGGER touch BEFORE UPDATE ON nms.rt_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.batch_event (LIKE nms.rt_event INCLUDING ALL) WITH (fillfactor = 80);
CREATE TRIGGER touch BEFORE UPDATE ON nms.batch_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

-- The archive: events of all execution instances under the ids they had there.
CREATE TABLE nms.event_histo (
    LIKE nms.rt_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
    execution_instance_id smallint NOT NULL DEFAULT 0,
    queue text NOT NULL DEFAULT 'rt' CHECK (queue IN ('rt', 'batch')),
    template_name text,
    remote_delivery_id bigint,
    remote_modified_at timestamptz,
    archived_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id)
);
ALTER TABLE nms.event_histo ALTER COLUMN id DROP DEFAULT;
CREATE INDEX ON nms.event_histo (scheduled);
CREATE INDEX ON nms.event_histo (created);
CREATE INDEX ON nms.event_histo (processed);
CREATE INDEX ON nms.event_histo (last_modified);
CREATE INDEX ON nms.event_histo (status);
CREATE INDEX ON nms.event_histo (type, created);
CREATE INDEX ON nms.event_histo (delivery_id);
CREATE INDEX ON nms.event_histo (lower(email));
CREATE INDEX event_histo_purge ON nms.event_histo (coalesce(processed, created));

CREATE TABLE nms.broad_log_rt_event (
    id bigint NOT NULL DEFAULT nextval('nms.message_id_seq'),
    delivery_id bigint NOT NULL,
    event_id bigint NOT NULL,
    delivery_part_id bigint,
    address text,
    channel smallint,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN
        ('ignored', 'sent', 'failed', 'pending', 'cancelled', 'accepted', 'received', 'submitted', 'prepared',
         'not_applicable')),
    flags int NOT NULL DEFAULT 0,
    msg_id bigint,
    failure_type text CHECK (failure_type IN ('hard', 'soft', 'ignored')),
    failure_reason smallint NOT NULL DEFAULT 0,
    retry_count int NOT NULL DEFAULT 0,
    event_date timestamptz,
    created timestamptz NOT NULL DEFAULT now(),
    last_modified timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (delivery_id, id)
);
CREATE INDEX ON nms.broad_log_rt_event (id);
CREATE INDEX ON nms.broad_log_rt_event (event_id);
CREATE INDEX ON nms.broad_log_rt_event (last_modified, id);
CREATE INDEX ON nms.broad_log_rt_event (delivery_id, status);
CREATE INDEX ON nms.broad_log_rt_event (id) WHERE status = 'pending';
CREATE TRIGGER touch BEFORE UPDATE ON nms.broad_log_rt_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.broad_log_batch_event (LIKE nms.broad_log_rt_event INCLUDING ALL);
CREATE TRIGGER touch BEFORE UPDATE ON nms.broad_log_batch_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.tracking_log_rt_event (
    id bigint NOT NULL DEFAULT nextval('nms.tracking_log_id_seq'),
    broad_log_id bigint,
    delivery_id bigint NOT NULL DEFAULT 0,
    event_id bigint,
    url_id bigint NOT NULL,
    user_agent_id bigint,
    source_id text,
    source_type text NOT NULL DEFAULT '',
    external_id text,
    raw_id text,
    log_date timestamptz NOT NULL,
    last_modified timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (delivery_id, id)
);
CREATE INDEX ON nms.tracking_log_rt_event (id);
CREATE INDEX ON nms.tracking_log_rt_event (delivery_id, log_date);
CREATE INDEX ON nms.tracking_log_rt_event (log_date);
CREATE INDEX ON nms.tracking_log_rt_event (event_id);
CREATE INDEX ON nms.tracking_log_rt_event (broad_log_id);
CREATE INDEX ON nms.tracking_log_rt_event (last_modified, id);
CREATE UNIQUE INDEX ON nms.tracking_log_rt_event (raw_id, delivery_id) WHERE raw_id IS NOT NULL;
CREATE TRIGGER touch BEFORE UPDATE ON nms.tracking_log_rt_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.tracking_log_batch_event (LIKE nms.tracking_log_rt_event INCLUDING ALL);
CREATE TRIGGER touch BEFORE UPDATE ON nms.tracking_log_batch_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

-- Logs of archived events; remote_id is their id on the execution instance.
CREATE TABLE nms.broad_log_event_histo (
    id bigint PRIMARY KEY DEFAULT nextval('nms.message_id_seq'),
    execution_instance_id smallint NOT NULL DEFAULT 0,
    queue text NOT NULL DEFAULT 'rt' CHECK (queue IN ('rt', 'batch')),
    remote_id bigint NOT NULL,
    event_id bigint NOT NULL,
    delivery_id bigint,
    recipient_id bigint,
    address text,
    channel smallint,
    status text NOT NULL CHECK (status IN
        ('ignored', 'sent', 'failed', 'pending', 'cancelled', 'accepted', 'received', 'submitted', 'prepared',
         'not_applicable')),
    msg_id bigint,
    failure_type text CHECK (failure_type IN ('hard', 'soft', 'ignored')),
    failure_reason smallint NOT NULL DEFAULT 0,
    event_date timestamptz,
    remote_modified_at timestamptz,
    created timestamptz NOT NULL DEFAULT now(),
    last_modified timestamptz NOT NULL DEFAULT now(),
    UNIQUE (execution_instance_id, queue, remote_id)
);
CREATE INDEX ON nms.broad_log_event_histo (event_id);
CREATE INDEX ON nms.broad_log_event_histo (delivery_id);
CREATE INDEX ON nms.broad_log_event_histo (address);
CREATE INDEX ON nms.broad_log_event_histo (recipient_id);
CREATE INDEX ON nms.broad_log_event_histo (last_modified);
CREATE TRIGGER touch BEFORE UPDATE ON nms.broad_log_event_histo FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.tracking_log_event_histo (
    id bigint PRIMARY KEY DEFAULT nextval('nms.tracking_log_id_seq'),
    execution_instance_id smallint NOT NULL DEFAULT 0,
    queue text NOT NULL DEFAULT 'rt' CHECK (queue IN ('rt', 'batch')),
    remote_id bigint NOT NULL,
    event_id bigint,
    broad_log_remote_id bigint,
    delivery_id bigint,
    url_id bigint,
    log_date timestamptz NOT NULL,
    source_type text NOT NULL DEFAULT '',
    UNIQUE (execution_instance_id, queue, remote_id)
);
CREATE INDEX ON nms.tracking_log_event_histo (event_id);
CREATE INDEX ON nms.tracking_log_event_histo (delivery_id);
CREATE INDEX ON nms.tracking_log_event_histo (url_id);
CREATE INDEX ON nms.tracking_log_event_histo (log_date);

-- Events in periods of five minutes, per queue and channel. Sums are seconds.
CREATE TABLE nms.rt_event_stat (
    execution_instance_id smallint NOT NULL DEFAULT 0,
    queue text NOT NULL DEFAULT 'rt' CHECK (queue IN ('rt', 'batch')),
    channel smallint NOT NULL DEFAULT 0,
    period_start timestamptz NOT NULL,
    entered int NOT NULL DEFAULT 0,
    routed int NOT NULL DEFAULT 0,
    not_covered int NOT NULL DEFAULT 0,
    expired int NOT NULL DEFAULT 0,
    sent int NOT NULL DEFAULT 0,
    ignored int NOT NULL DEFAULT 0,
    failed int NOT NULL DEFAULT 0,
    queue_max int NOT NULL DEFAULT 0,
    queue_min int NOT NULL DEFAULT 0,
    queue_sum bigint NOT NULL DEFAULT 0,
    queue_samples int NOT NULL DEFAULT 0,
    sum_queue_s numeric NOT NULL DEFAULT 0,
    sum_send_s numeric NOT NULL DEFAULT 0,
    sum_total_s numeric NOT NULL DEFAULT 0,
    measured int NOT NULL DEFAULT 0,
    PRIMARY KEY (execution_instance_id, queue, channel, period_start)
);
CREATE INDEX ON nms.rt_event_stat (period_start);
