-- The schema after all migrations, for reading. Rewritten by: go test ./db -run Schema -update
-- Partitions by month are left out: they come and go with time.

CREATE OR REPLACE FUNCTION nms.ring_outbox()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM pg_notify('nightshift_outbox', '');
    RETURN NULL;
END $function$
;

CREATE OR REPLACE FUNCTION nms.signal_offer_approval()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
    workflow bigint;
BEGIN
    SELECT w.id
    INTO workflow
    FROM xtk.workflow w
    WHERE w.internal_name = 'offerMgt'
      AND w.built
      AND w.state IN ('start_pending', 'started', 'pause_pending', 'paused')
      AND EXISTS (
        SELECT
        FROM nms.offer_env e
        WHERE e.id = NEW.environment_id
          AND e.kind = 'design');
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(73010016);
    PERFORM
    FROM xtk.workflow_event e
    WHERE e.workflow_id = workflow
      AND e.status = 'pending'
      AND e.kind = 'signal'
      AND e.signal = 'approval'
    FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO xtk.workflow_event (workflow_id, kind, signal)
        VALUES (workflow, 'signal', 'approval');
        PERFORM pg_notify('nightshift_work', workflow::text);
    END IF;
    RETURN NULL;
END $function$
;

CREATE OR REPLACE FUNCTION nms.touch_design_offer()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    UPDATE nms.offer o
    SET last_modified = now()
    FROM nms.offer_env e
    WHERE o.id IN (OLD.offer_id, NEW.offer_id)
      AND o.last_modified <> now()
      AND e.id = o.environment_id
      AND e.kind = 'design';
    RETURN NULL;
END $function$
;

CREATE OR REPLACE FUNCTION xtk.freeze_final_task()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF OLD.status <> 'running' AND NEW.status IS DISTINCT FROM OLD.status THEN
        RAISE EXCEPTION 'run % has ended %, a final state never changes', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- However a run ends, its row is left with the sums of its steps and of its ledger.
    IF OLD.status = 'running' AND NEW.status <> 'running' THEN
        SELECT count(*), count(*) FILTER (WHERE s.status IN ('completed', 'kept'))
        INTO NEW.steps_begun, NEW.steps_done
        FROM xtk.workflow_task_step s
        WHERE s.task_id = NEW.id;
        SELECT coalesce(sum(e.inserted + e.updated + e.deleted), 0)
        INTO NEW.rows_changed
        FROM xtk.workflow_task_effect e
        WHERE e.task_id = NEW.id;
    END IF;
    RETURN NEW;
END $function$
;

CREATE OR REPLACE FUNCTION xtk.frozen(moment timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
	SELECT EXISTS (SELECT FROM xtk.freeze f WHERE tstzrange(f.since, LEAST(f.until, f.lifted_at)) @> moment)
$function$
;

CREATE OR REPLACE FUNCTION xtk.guard_audit()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.seq <= (SELECT seq FROM xtk.audit_anchor) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '% of xtk.audit is refused: what was done stays written', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $function$
;

CREATE OR REPLACE FUNCTION xtk.guard_audit_anchor()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        IF EXISTS (SELECT FROM xtk.audit a
                   WHERE a.seq = NEW.seq AND a.hash = NEW.hash AND a.changed_at < now() - interval '30 days')
           AND (TG_OP = 'INSERT' OR NEW.seq > OLD.seq) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% of xtk.audit_anchor is refused: it only moves onto an audit row older than 30 days', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $function$
;

CREATE OR REPLACE FUNCTION xtk.keep_slots()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
	-- A workflow that is deleted takes its slots along.
	INSERT INTO xtk.slot_month (workflow_id, month, answer, reason, slots)
	SELECT g.workflow_id,
	       date_trunc('month', g.scheduled_at AT TIME ZONE COALESCE(
	           (SELECT o.string_value FROM xtk.option o WHERE o.name = 'WdbcTimeZone'), 'UTC'))::date,
	       g.answer, COALESCE(g.reason, ''), sum(g.occurrences)
	FROM gone g
	JOIN xtk.workflow w ON w.id = g.workflow_id
	WHERE g.slot
	GROUP BY 1, 2, 3, 4
	ON CONFLICT (month, workflow_id, answer, reason) DO UPDATE SET slots = slot_month.slots + excluded.slots;
	RETURN NULL;
END $function$
;

CREATE OR REPLACE FUNCTION xtk.known_zone(zone text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
    PERFORM now() AT TIME ZONE zone;
    RETURN zone;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN 'UTC';
END $function$
;

CREATE OR REPLACE FUNCTION xtk.touch_last_modified()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW.last_modified IS NOT DISTINCT FROM OLD.last_modified THEN
        NEW.last_modified := now();
    END IF;
    RETURN NEW;
END $function$
;

CREATE SEQUENCE nms.event_seq AS bigint;

CREATE SEQUENCE nms.message_id_seq AS bigint;

CREATE SEQUENCE nms.proposition_id_seq AS bigint;

CREATE SEQUENCE nms.tracking_log_id_seq AS bigint;

CREATE TABLE nms.active_contact (
    schema_name text NOT NULL,
    month date NOT NULL,
    contact_count bigint NOT NULL,
    computed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT active_contact_pkey PRIMARY KEY (schema_name, month)
);

CREATE TABLE nms.address (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    address text NOT NULL,
    type text DEFAULT 'email'::text NOT NULL,
    status text DEFAULT 'with_errors'::text NOT NULL,
    quarantine_reason text,
    quarantine_text text,
    consecutive_error integer DEFAULT 0 NOT NULL,
    last_error timestamp with time zone,
    delivery_id bigint,
    message_id bigint,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT address_quarantine_reason_check CHECK (quarantine_reason = ANY (ARRAY['undefined'::text, 'user_unknown'::text, 'invalid_domain'::text, 'unreachable'::text, 'account_disabled'::text, 'mailbox_full'::text, 'not_connected'::text, 'address_empty'::text, 'denylisted'::text, 'quarantined'::text, 'duplicate'::text, 'excluded_by_rule'::text, 'arbitration'::text, 'bad_quality'::text, 'unqualified'::text, 'no_eligible_offer'::text, 'target_limited'::text, 'refused'::text, 'error_ignored'::text, 'control_address'::text])),
    CONSTRAINT address_status_check CHECK (status = ANY (ARRAY['with_errors'::text, 'valid'::text, 'quarantine'::text, 'allowlisted'::text, 'denylisted'::text])),
    CONSTRAINT address_pkey PRIMARY KEY (id),
    CONSTRAINT address_address_type_key UNIQUE (address, type)
);
CREATE INDEX address_last_modified_status_idx ON nms.address USING btree (last_modified, status);
CREATE INDEX address_status_quarantine_reason_idx ON nms.address USING btree (status, quarantine_reason);
CREATE TRIGGER touch BEFORE UPDATE ON nms.address FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.app_subscription_rcp (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    recipient_id bigint,
    mobile_app_id bigint NOT NULL,
    registration_token text NOT NULL,
    user_key text,
    device text,
    os text,
    language text,
    registered_at timestamp with time zone DEFAULT now() NOT NULL,
    disabled boolean DEFAULT false NOT NULL,
    disabled_at timestamp with time zone,
    disabled_reason text,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT app_subscription_rcp_pkey PRIMARY KEY (id),
    CONSTRAINT app_subscription_rcp_mobile_app_id_registration_token_key UNIQUE (mobile_app_id, registration_token)
);
CREATE INDEX app_subscription_rcp_purge ON nms.app_subscription_rcp USING btree (last_modified) WHERE disabled;
CREATE INDEX app_subscription_rcp_recipient_id_idx ON nms.app_subscription_rcp USING btree (recipient_id);
CREATE TRIGGER touch BEFORE UPDATE ON nms.app_subscription_rcp FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.batch_event (
    id bigint DEFAULT nextval('nms.event_seq'::regclass) NOT NULL,
    type text DEFAULT ''::text NOT NULL,
    origin text,
    external_id text,
    wished_channel smallint DEFAULT 0 NOT NULL,
    channel smallint,
    email text,
    mobile_phone text,
    registration_token text,
    mobile_app_uuid uuid,
    language text,
    country_code text,
    email_format smallint DEFAULT 2 NOT NULL,
    ctx text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    error_count integer DEFAULT 0 NOT NULL,
    last_error text,
    template_id bigint,
    delivery_id bigint,
    broad_log_id bigint,
    recipient_id bigint,
    operator_id bigint,
    scheduled timestamp with time zone,
    expiration timestamp with time zone,
    processing timestamp with time zone DEFAULT now() NOT NULL,
    routed_at timestamp with time zone,
    sent_at timestamp with time zone,
    processed timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT rt_event_ctx_check CHECK (octet_length(ctx) <= 262144),
    CONSTRAINT rt_event_status_check CHECK (status = ANY (ARRAY['pending'::text, 'pending_delivery'::text, 'sent'::text, 'ignored_by_delivery'::text, 'delivery_error'::text, 'event_not_covered'::text, 'event_expired'::text])),
    CONSTRAINT batch_event_pkey PRIMARY KEY (id)
) WITH (fillfactor=80);
CREATE INDEX batch_event_coalesce_idx ON nms.batch_event USING btree (COALESCE(processed, created));
CREATE INDEX batch_event_created_idx ON nms.batch_event USING btree (created);
CREATE INDEX batch_event_delivery_id_idx ON nms.batch_event USING btree (delivery_id);
CREATE INDEX batch_event_external_id_idx ON nms.batch_event USING btree (external_id);
CREATE INDEX batch_event_last_modified_id_idx ON nms.batch_event USING btree (last_modified, id);
CREATE INDEX batch_event_processed_idx ON nms.batch_event USING btree (processed);
CREATE INDEX batch_event_processing_id_idx ON nms.batch_event USING btree (processing, id) WHERE (status = 'pending'::text);
CREATE INDEX batch_event_scheduled_idx ON nms.batch_event USING btree (scheduled);
CREATE INDEX batch_event_type_created_idx ON nms.batch_event USING btree (type, created);
CREATE TRIGGER touch BEFORE UPDATE ON nms.batch_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.billing (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    name text NOT NULL,
    kind text DEFAULT 'scheduled'::text NOT NULL,
    period_from timestamp with time zone NOT NULL,
    period_to timestamp with time zone NOT NULL,
    data jsonb NOT NULL,
    html text NOT NULL,
    csv text NOT NULL,
    sent_at timestamp with time zone,
    sent_to text,
    created timestamp with time zone DEFAULT now() NOT NULL,
    event_id bigint,
    CONSTRAINT billing_kind_check CHECK (kind = ANY (ARRAY['scheduled'::text, 'manual'::text])),
    CONSTRAINT billing_pkey PRIMARY KEY (id),
    CONSTRAINT billing_event_id_key UNIQUE (event_id),
    CONSTRAINT billing_name_key UNIQUE (name)
);
CREATE INDEX billing_period_to_idx ON nms.billing USING btree (period_to) WHERE (kind = 'scheduled'::text);
CREATE INDEX billing_unsent ON nms.billing USING btree (id) WHERE (sent_at IS NULL);

CREATE TABLE nms.broad_log (
    id bigint DEFAULT nextval('nms.message_id_seq'::regclass) NOT NULL,
    delivery_id bigint NOT NULL,
    recipient_id bigint,
    service_id bigint,
    address text,
    status text DEFAULT 'pending'::text NOT NULL,
    flags integer DEFAULT 0 NOT NULL,
    msg_id bigint,
    failure_type text,
    failure_reason smallint DEFAULT 0 NOT NULL,
    event_date timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    remote_modified timestamp with time zone,
    CONSTRAINT broad_log_failure_type_check CHECK (failure_type = ANY (ARRAY['hard'::text, 'soft'::text, 'ignored'::text])),
    CONSTRAINT broad_log_status_check CHECK (status = ANY (ARRAY['ignored'::text, 'sent'::text, 'failed'::text, 'pending'::text, 'cancelled'::text, 'accepted'::text, 'received'::text, 'submitted'::text, 'prepared'::text, 'not_applicable'::text])),
    CONSTRAINT broad_log_pkey PRIMARY KEY (delivery_id, id, created)
) PARTITION BY RANGE (created);
CREATE INDEX broad_log_delivery_id_last_modified_idx ON ONLY nms.broad_log USING btree (delivery_id, last_modified);
CREATE INDEX broad_log_delivery_id_status_idx ON ONLY nms.broad_log USING btree (delivery_id, status);
CREATE INDEX broad_log_event_date_idx ON ONLY nms.broad_log USING btree (event_date);
CREATE INDEX broad_log_id_idx ON ONLY nms.broad_log USING btree (id);
CREATE INDEX broad_log_last_modified_idx ON ONLY nms.broad_log USING btree (last_modified);
CREATE INDEX broad_log_recipient_id_last_modified_idx ON ONLY nms.broad_log USING btree (recipient_id, last_modified);
CREATE TRIGGER touch BEFORE UPDATE ON nms.broad_log FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.broad_log_batch_event (
    id bigint DEFAULT nextval('nms.message_id_seq'::regclass) NOT NULL,
    delivery_id bigint NOT NULL,
    event_id bigint NOT NULL,
    delivery_part_id bigint,
    address text,
    channel smallint,
    status text DEFAULT 'pending'::text NOT NULL,
    flags integer DEFAULT 0 NOT NULL,
    msg_id bigint,
    failure_type text,
    failure_reason smallint DEFAULT 0 NOT NULL,
    retry_count integer DEFAULT 0 NOT NULL,
    event_date timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    remote_modified timestamp with time zone,
    CONSTRAINT broad_log_rt_event_failure_type_check CHECK (failure_type = ANY (ARRAY['hard'::text, 'soft'::text, 'ignored'::text])),
    CONSTRAINT broad_log_rt_event_status_check CHECK (status = ANY (ARRAY['ignored'::text, 'sent'::text, 'failed'::text, 'pending'::text, 'cancelled'::text, 'accepted'::text, 'received'::text, 'submitted'::text, 'prepared'::text, 'not_applicable'::text])),
    CONSTRAINT broad_log_batch_event_pkey PRIMARY KEY (delivery_id, id)
);
CREATE INDEX broad_log_batch_event_delivery_id_status_idx ON nms.broad_log_batch_event USING btree (delivery_id, status);
CREATE INDEX broad_log_batch_event_event_id_idx ON nms.broad_log_batch_event USING btree (event_id);
CREATE INDEX broad_log_batch_event_id_idx ON nms.broad_log_batch_event USING btree (id);
CREATE INDEX broad_log_batch_event_id_idx1 ON nms.broad_log_batch_event USING btree (id) WHERE (status = 'pending'::text);
CREATE INDEX broad_log_batch_event_last_modified_id_idx ON nms.broad_log_batch_event USING btree (last_modified, id);
CREATE TRIGGER touch BEFORE UPDATE ON nms.broad_log_batch_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.broad_log_default PARTITION OF nms.broad_log DEFAULT WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

CREATE TABLE nms.broad_log_event_histo (
    id bigint DEFAULT nextval('nms.message_id_seq'::regclass) NOT NULL,
    execution_instance_id smallint DEFAULT 0 NOT NULL,
    queue text DEFAULT 'rt'::text NOT NULL,
    remote_id bigint NOT NULL,
    event_id bigint NOT NULL,
    delivery_id bigint,
    recipient_id bigint,
    address text,
    channel smallint,
    status text NOT NULL,
    msg_id bigint,
    failure_type text,
    failure_reason smallint DEFAULT 0 NOT NULL,
    event_date timestamp with time zone,
    remote_modified_at timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT broad_log_event_histo_failure_type_check CHECK (failure_type = ANY (ARRAY['hard'::text, 'soft'::text, 'ignored'::text])),
    CONSTRAINT broad_log_event_histo_queue_check CHECK (queue = ANY (ARRAY['rt'::text, 'batch'::text])),
    CONSTRAINT broad_log_event_histo_status_check CHECK (status = ANY (ARRAY['ignored'::text, 'sent'::text, 'failed'::text, 'pending'::text, 'cancelled'::text, 'accepted'::text, 'received'::text, 'submitted'::text, 'prepared'::text, 'not_applicable'::text])),
    CONSTRAINT broad_log_event_histo_pkey PRIMARY KEY (id),
    CONSTRAINT broad_log_event_histo_execution_instance_id_queue_remote_id_key UNIQUE (execution_instance_id, queue, remote_id)
);
CREATE INDEX broad_log_event_histo_address_idx ON nms.broad_log_event_histo USING btree (address);
CREATE INDEX broad_log_event_histo_delivery_id_idx ON nms.broad_log_event_histo USING btree (delivery_id);
CREATE INDEX broad_log_event_histo_event_id_idx ON nms.broad_log_event_histo USING btree (event_id);
CREATE INDEX broad_log_event_histo_last_modified_idx ON nms.broad_log_event_histo USING btree (last_modified);
CREATE INDEX broad_log_event_histo_recipient_id_idx ON nms.broad_log_event_histo USING btree (recipient_id);
CREATE TRIGGER touch BEFORE UPDATE ON nms.broad_log_event_histo FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.broad_log_mid (
    id bigint DEFAULT nextval('nms.message_id_seq'::regclass) NOT NULL,
    delivery_id bigint NOT NULL,
    remote_id bigint NOT NULL,
    address text,
    status text DEFAULT 'pending'::text NOT NULL,
    flags integer DEFAULT 0 NOT NULL,
    msg_id bigint,
    failure_type text,
    failure_reason smallint DEFAULT 0 NOT NULL,
    event_date timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    emitter_account_id bigint,
    CONSTRAINT broad_log_mid_failure_type_check CHECK (failure_type = ANY (ARRAY['hard'::text, 'soft'::text, 'ignored'::text])),
    CONSTRAINT broad_log_mid_status_check CHECK (status = ANY (ARRAY['ignored'::text, 'sent'::text, 'failed'::text, 'pending'::text, 'cancelled'::text, 'accepted'::text, 'received'::text, 'submitted'::text, 'prepared'::text, 'not_applicable'::text])),
    CONSTRAINT broad_log_mid_pkey PRIMARY KEY (delivery_id, id),
    CONSTRAINT broad_log_mid_delivery_id_remote_id_key UNIQUE (delivery_id, remote_id)
) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);
CREATE INDEX broad_log_mid_delivery_id_last_modified_idx ON nms.broad_log_mid USING btree (delivery_id, last_modified);
CREATE INDEX broad_log_mid_delivery_id_status_idx ON nms.broad_log_mid USING btree (delivery_id, status);
CREATE INDEX broad_log_mid_emitter_account_id_last_modified_id_idx ON nms.broad_log_mid USING btree (emitter_account_id, last_modified, id) WHERE (emitter_account_id IS NOT NULL);
CREATE INDEX broad_log_mid_id_idx ON nms.broad_log_mid USING btree (id);
CREATE INDEX broad_log_mid_last_modified_id_idx ON nms.broad_log_mid USING btree (last_modified, id);
CREATE TRIGGER touch BEFORE UPDATE ON nms.broad_log_mid FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.broad_log_msg (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    md5 text NOT NULL,
    text_normalized text NOT NULL,
    first_text text,
    message_type smallint DEFAULT 0 NOT NULL,
    failure_type text DEFAULT 'undefined'::text NOT NULL,
    failure_reason smallint DEFAULT 0 NOT NULL,
    qualif_status text DEFAULT 'to_qualify'::text NOT NULL,
    rule_id bigint,
    hit_count integer DEFAULT 0 NOT NULL,
    origin text DEFAULT 'local'::text NOT NULL,
    synchronised_at timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT broad_log_msg_failure_type_check CHECK (failure_type = ANY (ARRAY['undefined'::text, 'hard'::text, 'soft'::text, 'ignored'::text])),
    CONSTRAINT broad_log_msg_hit_count_check CHECK (hit_count >= 0 AND hit_count <= 100000),
    CONSTRAINT broad_log_msg_qualif_status_check CHECK (qualif_status = ANY (ARRAY['to_qualify'::text, 'keep'::text, 'ignore'::text])),
    CONSTRAINT broad_log_msg_pkey PRIMARY KEY (id),
    CONSTRAINT broad_log_msg_md5_key UNIQUE (md5)
);
CREATE INDEX broad_log_msg_last_modified_idx ON nms.broad_log_msg USING btree (last_modified);
CREATE INDEX broad_log_msg_qualif_status_hit_count_id_idx ON nms.broad_log_msg USING btree (qualif_status, hit_count DESC, id DESC);
CREATE INDEX broad_log_msg_qualif_status_last_modified_idx ON nms.broad_log_msg USING btree (qualif_status, last_modified);
CREATE TRIGGER touch BEFORE UPDATE ON nms.broad_log_msg FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.broad_log_rt_event (
    id bigint DEFAULT nextval('nms.message_id_seq'::regclass) NOT NULL,
    delivery_id bigint NOT NULL,
    event_id bigint NOT NULL,
    delivery_part_id bigint,
    address text,
    channel smallint,
    status text DEFAULT 'pending'::text NOT NULL,
    flags integer DEFAULT 0 NOT NULL,
    msg_id bigint,
    failure_type text,
    failure_reason smallint DEFAULT 0 NOT NULL,
    retry_count integer DEFAULT 0 NOT NULL,
    event_date timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    remote_modified timestamp with time zone,
    CONSTRAINT broad_log_rt_event_failure_type_check CHECK (failure_type = ANY (ARRAY['hard'::text, 'soft'::text, 'ignored'::text])),
    CONSTRAINT broad_log_rt_event_status_check CHECK (status = ANY (ARRAY['ignored'::text, 'sent'::text, 'failed'::text, 'pending'::text, 'cancelled'::text, 'accepted'::text, 'received'::text, 'submitted'::text, 'prepared'::text, 'not_applicable'::text])),
    CONSTRAINT broad_log_rt_event_pkey PRIMARY KEY (delivery_id, id)
);
CREATE INDEX broad_log_rt_event_delivery_id_status_idx ON nms.broad_log_rt_event USING btree (delivery_id, status);
CREATE INDEX broad_log_rt_event_event_id_idx ON nms.broad_log_rt_event USING btree (event_id);
CREATE INDEX broad_log_rt_event_id_idx ON nms.broad_log_rt_event USING btree (id);
CREATE INDEX broad_log_rt_event_id_idx1 ON nms.broad_log_rt_event USING btree (id) WHERE (status = 'pending'::text);
CREATE INDEX broad_log_rt_event_last_modified_id_idx ON nms.broad_log_rt_event USING btree (last_modified, id);
CREATE TRIGGER touch BEFORE UPDATE ON nms.broad_log_rt_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.broad_log_visitor (
    id bigint DEFAULT nextval('nms.message_id_seq'::regclass) NOT NULL,
    delivery_id bigint NOT NULL,
    visitor_id bigint,
    service_id bigint,
    address text,
    status text DEFAULT 'pending'::text NOT NULL,
    flags integer DEFAULT 0 NOT NULL,
    msg_id bigint,
    failure_type text,
    failure_reason smallint DEFAULT 0 NOT NULL,
    event_date timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    remote_modified timestamp with time zone,
    CONSTRAINT broad_log_visitor_failure_type_check CHECK (failure_type = ANY (ARRAY['hard'::text, 'soft'::text, 'ignored'::text])),
    CONSTRAINT broad_log_visitor_status_check CHECK (status = ANY (ARRAY['ignored'::text, 'sent'::text, 'failed'::text, 'pending'::text, 'cancelled'::text, 'accepted'::text, 'received'::text, 'submitted'::text, 'prepared'::text, 'not_applicable'::text])),
    CONSTRAINT broad_log_visitor_pkey PRIMARY KEY (delivery_id, id)
) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);
CREATE INDEX broad_log_visitor_delivery_id_last_modified_idx ON nms.broad_log_visitor USING btree (delivery_id, last_modified);
CREATE INDEX broad_log_visitor_delivery_id_status_idx ON nms.broad_log_visitor USING btree (delivery_id, status);
CREATE INDEX broad_log_visitor_id_idx ON nms.broad_log_visitor USING btree (id);
CREATE INDEX broad_log_visitor_last_modified_idx ON nms.broad_log_visitor USING btree (last_modified);
CREATE INDEX broad_log_visitor_visitor_id_last_modified_idx ON nms.broad_log_visitor USING btree (visitor_id, last_modified);
CREATE TRIGGER touch BEFORE UPDATE ON nms.broad_log_visitor FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.coupon_value (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    coupon_id bigint NOT NULL,
    coupon_code text NOT NULL,
    status smallint DEFAULT 0 NOT NULL,
    message_id bigint,
    CONSTRAINT coupon_value_pkey PRIMARY KEY (id),
    CONSTRAINT coupon_value_coupon_code_key UNIQUE (coupon_code)
);
CREATE INDEX coupon_value_coupon_id_idx ON nms.coupon_value USING btree (coupon_id);
CREATE INDEX coupon_value_message_id_idx ON nms.coupon_value USING btree (message_id);

CREATE TABLE nms.delivery (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    description text,
    delivery_code text,
    nature text,
    folder_id bigint,
    is_model boolean DEFAULT false NOT NULL,
    proofed_delivery_id bigint,
    message_type smallint DEFAULT 0 NOT NULL,
    delivery_mode text DEFAULT 'bulk'::text NOT NULL,
    state text DEFAULT 'editing'::text NOT NULL,
    delete_status text DEFAULT 'no'::text NOT NULL,
    delete_date timestamp with time zone,
    mapping_id bigint,
    provider_id bigint,
    mid_remote_id bigint,
    emitter_account_id bigint,
    emitter_delivery_id bigint,
    operation_id bigint,
    workflow_id bigint,
    typology_id bigint,
    service_id bigint,
    analysis_mode text DEFAULT 'target_and_personalize'::text NOT NULL,
    schedule_mode text DEFAULT 'manual'::text NOT NULL,
    target_def jsonb,
    content jsonb,
    weight integer,
    priority smallint DEFAULT 3 NOT NULL,
    extraction_date timestamp with time zone,
    contact_date timestamp with time zone,
    validity timestamp with time zone,
    web_validity timestamp with time zone,
    need_mirror_page smallint DEFAULT 0 NOT NULL,
    web_res_purged boolean DEFAULT false NOT NULL,
    broad_start timestamp with time zone,
    broad_end timestamp with time zone,
    start_date timestamp with time zone,
    end_date timestamp with time zone,
    forecasted boolean DEFAULT false NOT NULL,
    forecast_count integer,
    forecast_date timestamp with time zone,
    message_size integer DEFAULT 0 NOT NULL,
    to_deliver integer DEFAULT 0 NOT NULL,
    targeted integer DEFAULT 0 NOT NULL,
    reject integer DEFAULT 0 NOT NULL,
    processed integer DEFAULT 0 NOT NULL,
    seed_processed integer DEFAULT 0 NOT NULL,
    sent integer DEFAULT 0 NOT NULL,
    success integer DEFAULT 0 NOT NULL,
    success_without_seeds integer DEFAULT 0 NOT NULL,
    error integer DEFAULT 0 NOT NULL,
    new_quarantine integer DEFAULT 0 NOT NULL,
    unknown_user integer DEFAULT 0 NOT NULL,
    invalid_domain integer DEFAULT 0 NOT NULL,
    unreachable integer DEFAULT 0 NOT NULL,
    disabled integer DEFAULT 0 NOT NULL,
    mailbox_full integer DEFAULT 0 NOT NULL,
    not_connected integer DEFAULT 0 NOT NULL,
    refused integer DEFAULT 0 NOT NULL,
    html integer DEFAULT 0 NOT NULL,
    text integer DEFAULT 0 NOT NULL,
    multipart integer DEFAULT 0 NOT NULL,
    recipient_open integer DEFAULT 0 NOT NULL,
    total_recipient_open integer DEFAULT 0 NOT NULL,
    estimated_recipient_open integer DEFAULT 0 NOT NULL,
    estimated_total_recipient_open integer DEFAULT 0 NOT NULL,
    recipient_click integer DEFAULT 0 NOT NULL,
    person_click integer DEFAULT 0 NOT NULL,
    total_recipient_click integer DEFAULT 0 NOT NULL,
    opt_out integer DEFAULT 0 NOT NULL,
    mirror_page integer DEFAULT 0 NOT NULL,
    forward integer DEFAULT 0 NOT NULL,
    web_page integer DEFAULT 0 NOT NULL,
    total_web_page integer DEFAULT 0 NOT NULL,
    transaction integer DEFAULT 0 NOT NULL,
    amount numeric(15,2) DEFAULT 0 NOT NULL,
    article integer DEFAULT 0 NOT NULL,
    tracking_pending integer DEFAULT 0 NOT NULL,
    error_pending integer DEFAULT 0 NOT NULL,
    last_tracking_computation timestamp with time zone,
    last_error_computation timestamp with time zone,
    failed_message text,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT delivery_delete_status_check CHECK (delete_status = ANY (ARRAY['no'::text, 'yes'::text, 'recycled'::text])),
    CONSTRAINT delivery_delivery_mode_check CHECK (delivery_mode = ANY (ARRAY['external'::text, 'bulk'::text, 'descriptive'::text, 'mid_sourcing'::text])),
    CONSTRAINT delivery_state_check CHECK (state = ANY (ARRAY['editing'::text, 'target_pending'::text, 'counting'::text, 'arbitrating'::text, 'target_ready'::text, 'personalization_pending'::text, 'personalizing'::text, 'message_ready'::text, 'preparation_failed'::text, 'ready'::text, 'start_pending'::text, 'in_progress'::text, 'recovery_pending'::text, 'recovery_in_progress'::text, 'pause_requested'::text, 'pause_in_progress'::text, 'paused'::text, 'stopped'::text, 'failed'::text, 'finished'::text, 'deleted'::text])),
    CONSTRAINT delivery_pkey PRIMARY KEY (id),
    CONSTRAINT delivery_internal_name_key UNIQUE (internal_name)
);
CREATE INDEX delivery_contact_date_idx ON nms.delivery USING btree (contact_date) WHERE (contact_date IS NOT NULL);
CREATE INDEX delivery_delete_date_idx ON nms.delivery USING btree (delete_date) WHERE (delete_status <> 'no'::text);
CREATE INDEX delivery_delivery_mode_last_modified_idx ON nms.delivery USING btree (delivery_mode, last_modified);
CREATE UNIQUE INDEX delivery_emitter_account_id_emitter_delivery_id_idx ON nms.delivery USING btree (emitter_account_id, emitter_delivery_id) WHERE (emitter_delivery_id IS NOT NULL);
CREATE INDEX delivery_emitter_account_id_last_modified_id_idx ON nms.delivery USING btree (emitter_account_id, last_modified, id) WHERE (emitter_account_id IS NOT NULL);
CREATE INDEX delivery_last_modified_idx ON nms.delivery USING btree (last_modified);
CREATE INDEX delivery_mapping_id_idx ON nms.delivery USING btree (mapping_id);
CREATE INDEX delivery_mid_remote_id_idx ON nms.delivery USING btree (mid_remote_id) WHERE (mid_remote_id IS NOT NULL);
CREATE INDEX delivery_operation_id_idx ON nms.delivery USING btree (operation_id);
CREATE INDEX delivery_proofed_delivery_id_idx ON nms.delivery USING btree (proofed_delivery_id) WHERE (proofed_delivery_id IS NOT NULL);
CREATE INDEX delivery_state_idx ON nms.delivery USING btree (state);
CREATE INDEX delivery_tracking_pending_idx ON nms.delivery USING btree (tracking_pending) WHERE (tracking_pending > 0);
CREATE INDEX delivery_web_validity_idx ON nms.delivery USING btree (web_validity) WHERE (NOT web_res_purged);
CREATE INDEX delivery_workflow_id_idx ON nms.delivery USING btree (workflow_id);
CREATE TRIGGER touch BEFORE UPDATE ON nms.delivery FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.delivery_average_stats (
    message_type smallint NOT NULL,
    typology_id bigint DEFAULT 0 NOT NULL,
    success_rate double precision,
    open_rate double precision,
    click_rate double precision,
    error_rate double precision,
    deliveries integer NOT NULL,
    last_update timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT delivery_average_stats_pkey PRIMARY KEY (message_type, typology_id)
);

CREATE TABLE nms.delivery_log_stats (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    delivery_id bigint NOT NULL,
    domain text DEFAULT '(none)'::text NOT NULL,
    status text NOT NULL,
    failure_reason smallint DEFAULT 0 NOT NULL,
    message_count integer DEFAULT 0 NOT NULL,
    indicators jsonb,
    last_update timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT delivery_log_stats_pkey PRIMARY KEY (id),
    CONSTRAINT delivery_log_stats_delivery_id_domain_status_failure_reason_key UNIQUE (delivery_id, domain, status, failure_reason)
);

CREATE TABLE nms.delivery_mapping (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    schema_name text NOT NULL,
    target_table text NOT NULL,
    recipient_link text,
    broad_log_schema text,
    broad_log_excl_schema text,
    tracking_log_schema text,
    proposition_schema text,
    is_builtin boolean DEFAULT false NOT NULL,
    CONSTRAINT delivery_mapping_pkey PRIMARY KEY (id),
    CONSTRAINT delivery_mapping_internal_name_key UNIQUE (internal_name)
);

CREATE TABLE nms.delivery_part (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    delivery_id bigint NOT NULL,
    notification_id bigint,
    rcp_count integer DEFAULT 0 NOT NULL,
    retry integer DEFAULT 0 NOT NULL,
    next_pass timestamp with time zone,
    start_date timestamp with time zone,
    validity timestamp with time zone,
    hostname text,
    process_id integer,
    data bytea,
    CONSTRAINT delivery_part_pkey PRIMARY KEY (delivery_id, id)
);
CREATE INDEX delivery_part_delivery_id_next_pass_idx ON nms.delivery_part USING btree (delivery_id, next_pass);
CREATE INDEX delivery_part_id_idx ON nms.delivery_part USING btree (id);
CREATE INDEX delivery_part_validity_idx ON nms.delivery_part USING btree (validity);

CREATE TABLE nms.delivery_stat (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    stat_date date NOT NULL,
    delivery_id bigint NOT NULL,
    delivery_label text,
    message_type smallint DEFAULT 0 NOT NULL,
    first_send timestamp with time zone,
    volume bigint DEFAULT 0 NOT NULL,
    first_success integer DEFAULT 0 NOT NULL,
    first_error integer DEFAULT 0 NOT NULL,
    retries_success integer DEFAULT 0 NOT NULL,
    retries_error integer DEFAULT 0 NOT NULL,
    verify_mode smallint DEFAULT 0 NOT NULL,
    CONSTRAINT delivery_stat_pkey PRIMARY KEY (id),
    CONSTRAINT delivery_stat_stat_date_delivery_id_key UNIQUE (stat_date, delivery_id)
);
CREATE INDEX delivery_stat_delivery_id_idx ON nms.delivery_stat USING btree (delivery_id);

CREATE TABLE nms.dlv_exclusion (
    delivery_id bigint NOT NULL,
    typology_rule_id bigint NOT NULL,
    excluded_count integer DEFAULT 0 NOT NULL,
    applied timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT dlv_exclusion_pkey PRIMARY KEY (delivery_id, typology_rule_id)
);
CREATE INDEX dlv_exclusion_typology_rule_id_idx ON nms.dlv_exclusion USING btree (typology_rule_id);

CREATE TABLE nms.domain_rule (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    rule_set_id bigint NOT NULL,
    domain_mask text NOT NULL,
    sender_id boolean DEFAULT false NOT NULL,
    domain_keys boolean DEFAULT false NOT NULL,
    dkim boolean DEFAULT false NOT NULL,
    smime boolean DEFAULT false NOT NULL,
    relay_host text,
    relay_port integer,
    CONSTRAINT domain_rule_rule_set_id_fkey FOREIGN KEY (rule_set_id) REFERENCES nms.rule_set(id) ON DELETE CASCADE,
    CONSTRAINT domain_rule_pkey PRIMARY KEY (id),
    CONSTRAINT domain_rule_rule_set_id_domain_mask_key UNIQUE (rule_set_id, domain_mask)
);

CREATE TABLE nms.email_error (
    mx_ip inet NOT NULL,
    public_id integer NOT NULL,
    last_connection_code integer,
    last_reply_code integer,
    last_reply_message text,
    last_date timestamp with time zone,
    CONSTRAINT email_error_pkey PRIMARY KEY (mx_ip, public_id)
);

CREATE TABLE nms.email_error_stat (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    mx_ip inet NOT NULL,
    public_id integer NOT NULL,
    stat_date timestamp with time zone NOT NULL,
    total_connections integer DEFAULT 0 NOT NULL,
    total_errors integer DEFAULT 0 NOT NULL,
    message_errors integer DEFAULT 0 NOT NULL,
    aborted_connections integer DEFAULT 0 NOT NULL,
    failed_connections integer DEFAULT 0 NOT NULL,
    refused_connections integer DEFAULT 0 NOT NULL,
    timeout_connections integer DEFAULT 0 NOT NULL,
    sent_messages integer DEFAULT 0 NOT NULL,
    hit_count integer DEFAULT 0 NOT NULL,
    CONSTRAINT email_error_stat_pkey PRIMARY KEY (id)
);
CREATE INDEX email_error_stat_mx_ip_idx ON nms.email_error_stat USING btree (mx_ip);
CREATE INDEX email_error_stat_stat_date_idx ON nms.email_error_stat USING btree (stat_date);

CREATE TABLE nms.email_format_rule (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    rule_set_id bigint NOT NULL,
    domain_mask text NOT NULL,
    mime text DEFAULT 'multipart'::text NOT NULL,
    force_related boolean DEFAULT false NOT NULL,
    include_images boolean DEFAULT false NOT NULL,
    CONSTRAINT email_format_rule_mime_check CHECK (mime = ANY (ARRAY['multipart'::text, 'html'::text, 'text'::text])),
    CONSTRAINT email_format_rule_rule_set_id_fkey FOREIGN KEY (rule_set_id) REFERENCES nms.rule_set(id) ON DELETE CASCADE,
    CONSTRAINT email_format_rule_pkey PRIMARY KEY (id),
    CONSTRAINT email_format_rule_rule_set_id_domain_mask_key UNIQUE (rule_set_id, domain_mask)
);

CREATE TABLE nms.event_histo (
    id bigint NOT NULL,
    type text DEFAULT ''::text NOT NULL,
    origin text,
    external_id text,
    wished_channel smallint DEFAULT 0 NOT NULL,
    channel smallint,
    email text,
    mobile_phone text,
    registration_token text,
    mobile_app_uuid uuid,
    language text,
    country_code text,
    email_format smallint DEFAULT 2 NOT NULL,
    ctx text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    error_count integer DEFAULT 0 NOT NULL,
    last_error text,
    template_id bigint,
    delivery_id bigint,
    broad_log_id bigint,
    recipient_id bigint,
    operator_id bigint,
    scheduled timestamp with time zone,
    expiration timestamp with time zone,
    processing timestamp with time zone DEFAULT now() NOT NULL,
    routed_at timestamp with time zone,
    sent_at timestamp with time zone,
    processed timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    execution_instance_id smallint DEFAULT 0 NOT NULL,
    queue text DEFAULT 'rt'::text NOT NULL,
    template_name text,
    remote_delivery_id bigint,
    remote_modified_at timestamp with time zone,
    archived_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT event_histo_queue_check CHECK (queue = ANY (ARRAY['rt'::text, 'batch'::text])),
    CONSTRAINT rt_event_ctx_check CHECK (octet_length(ctx) <= 262144),
    CONSTRAINT rt_event_status_check CHECK (status = ANY (ARRAY['pending'::text, 'pending_delivery'::text, 'sent'::text, 'ignored_by_delivery'::text, 'delivery_error'::text, 'event_not_covered'::text, 'event_expired'::text])),
    CONSTRAINT event_histo_pkey PRIMARY KEY (id)
);
CREATE INDEX event_histo_created_idx ON nms.event_histo USING btree (created);
CREATE INDEX event_histo_delivery_id_idx ON nms.event_histo USING btree (delivery_id);
CREATE INDEX event_histo_last_modified_idx ON nms.event_histo USING btree (last_modified);
CREATE INDEX event_histo_lower_idx ON nms.event_histo USING btree (lower(email));
CREATE INDEX event_histo_processed_idx ON nms.event_histo USING btree (processed);
CREATE INDEX event_histo_purge ON nms.event_histo USING btree (COALESCE(processed, created));
CREATE INDEX event_histo_scheduled_idx ON nms.event_histo USING btree (scheduled);
CREATE INDEX event_histo_status_idx ON nms.event_histo USING btree (status);
CREATE INDEX event_histo_type_created_idx ON nms.event_histo USING btree (type, created);

CREATE TABLE nms.exclude_log (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    delivery_id bigint NOT NULL,
    recipient_id bigint,
    address text,
    status text DEFAULT 'ignored'::text NOT NULL,
    flags integer DEFAULT 0 NOT NULL,
    msg_id bigint,
    failure_reason smallint DEFAULT 0 NOT NULL,
    rule_id bigint,
    event_date timestamp with time zone,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT exclude_log_status_check CHECK (status = ANY (ARRAY['ignored'::text, 'sent'::text, 'failed'::text, 'pending'::text, 'cancelled'::text, 'accepted'::text, 'received'::text, 'submitted'::text, 'prepared'::text, 'not_applicable'::text])),
    CONSTRAINT exclude_log_pkey PRIMARY KEY (delivery_id, id)
) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);
CREATE INDEX exclude_log_delivery_id_last_modified_idx ON nms.exclude_log USING btree (delivery_id, last_modified);
CREATE INDEX exclude_log_id_idx ON nms.exclude_log USING btree (id);
CREATE INDEX exclude_log_last_modified_idx ON nms.exclude_log USING btree (last_modified);
CREATE INDEX exclude_log_recipient_id_last_modified_idx ON nms.exclude_log USING btree (recipient_id, last_modified);
CREATE TRIGGER touch BEFORE UPDATE ON nms.exclude_log FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.ext_account (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    type text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    server text,
    port integer,
    account text,
    secret bytea,
    db_name text,
    provider text,
    mirror_url text,
    delivery_mode text,
    message_type smallint,
    encryption text,
    multi_mid_provider boolean DEFAULT false NOT NULL,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    last_ok timestamp with time zone,
    last_error text,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    secret_set_at timestamp with time zone,
    last_error_at timestamp with time zone,
    last_error_kind text,
    CONSTRAINT ext_account_port_check CHECK (port >= 1 AND port <= 65535),
    CONSTRAINT ext_account_pkey PRIMARY KEY (id),
    CONSTRAINT ext_account_internal_name_key UNIQUE (internal_name)
);
CREATE INDEX ext_account_type_active_idx ON nms.ext_account USING btree (type, active);
CREATE TRIGGER touch BEFORE UPDATE ON nms.ext_account FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.forecast_log (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    delivery_id bigint NOT NULL,
    recipient_id bigint NOT NULL,
    address text,
    contact_date timestamp with time zone NOT NULL,
    weight integer DEFAULT 5 NOT NULL,
    excluded_by_rule_id bigint,
    created timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT forecast_log_pkey PRIMARY KEY (id),
    CONSTRAINT forecast_log_delivery_id_recipient_id_key UNIQUE (delivery_id, recipient_id)
);
CREATE INDEX forecast_log_recipient_id_contact_date_idx ON nms.forecast_log USING btree (recipient_id, contact_date);

CREATE TABLE nms.forecast_pressure (
    typology_rule_id bigint NOT NULL,
    recipient_id bigint NOT NULL,
    period_start timestamp with time zone NOT NULL,
    sent_count integer NOT NULL,
    CONSTRAINT forecast_pressure_pkey PRIMARY KEY (typology_rule_id, recipient_id)
);

CREATE TABLE nms."group" (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    description text,
    type smallint DEFAULT 0 NOT NULL,
    schema_name text DEFAULT 'nms:recipient'::text NOT NULL,
    delete_status smallint DEFAULT 0 NOT NULL,
    delete_date timestamp with time zone,
    expiration_date timestamp with time zone,
    line_count integer DEFAULT 0 NOT NULL,
    folder_id bigint,
    operation_id bigint,
    workflow_id bigint,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT group_pkey PRIMARY KEY (id),
    CONSTRAINT group_internal_name_key UNIQUE (internal_name)
);
CREATE INDEX group_delete_status_idx ON nms."group" USING btree (delete_status) WHERE (delete_status <> 0);
CREATE INDEX group_expiration_date_idx ON nms."group" USING btree (expiration_date) WHERE (expiration_date IS NOT NULL);
CREATE TRIGGER touch BEFORE UPDATE ON nms."group" FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.hypothesis (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    object_schema text DEFAULT 'nms:delivery'::text NOT NULL,
    object_id bigint,
    template_id bigint,
    state text DEFAULT 'being_edited'::text NOT NULL,
    priority smallint DEFAULT 1 NOT NULL,
    low_activity boolean DEFAULT false NOT NULL,
    calc_from timestamp with time zone,
    calc_to timestamp with time zone,
    frequency text,
    next_run timestamp with time zone,
    indicators jsonb DEFAULT '{}'::jsonb NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT hypothesis_state_check CHECK (state = ANY (ARRAY['being_edited'::text, 'pending'::text, 'running'::text, 'finished'::text, 'failed'::text])),
    CONSTRAINT hypothesis_pkey PRIMARY KEY (id),
    CONSTRAINT hypothesis_internal_name_key UNIQUE (internal_name)
);
CREATE INDEX hypothesis_object_schema_object_id_idx ON nms.hypothesis USING btree (object_schema, object_id);

CREATE TABLE nms.mail_rule (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    rule_set_id bigint NOT NULL,
    rule_order integer NOT NULL,
    pattern text NOT NULL,
    is_regex boolean DEFAULT false NOT NULL,
    failure_type text NOT NULL,
    failure_reason smallint NOT NULL,
    origin text DEFAULT 'service'::text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    CONSTRAINT mail_rule_failure_type_check CHECK (failure_type = ANY (ARRAY['hard'::text, 'soft'::text, 'ignored'::text])),
    CONSTRAINT mail_rule_rule_set_id_fkey FOREIGN KEY (rule_set_id) REFERENCES nms.rule_set(id) ON DELETE CASCADE,
    CONSTRAINT mail_rule_pkey PRIMARY KEY (id),
    CONSTRAINT mail_rule_rule_set_id_rule_order_key UNIQUE (rule_set_id, rule_order) DEFERRABLE
);

CREATE TABLE nms.mirror_page_info (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    delivery_id bigint NOT NULL,
    data bytea NOT NULL,
    CONSTRAINT mirror_page_info_pkey PRIMARY KEY (id)
);
CREATE INDEX mirror_page_info_delivery_id_idx ON nms.mirror_page_info USING btree (delivery_id);

CREATE TABLE nms.mirror_page_search (
    message_id bigint NOT NULL,
    delivery_id bigint NOT NULL,
    mirror_page_info_id bigint NOT NULL,
    CONSTRAINT mirror_page_search_pkey PRIMARY KEY (message_id)
);
CREATE INDEX mirror_page_search_delivery_id_idx ON nms.mirror_page_search USING btree (delivery_id);

CREATE TABLE nms.mobile_app (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    label text NOT NULL,
    uuid uuid DEFAULT gen_random_uuid() NOT NULL,
    platform text NOT NULL,
    service_id bigint,
    active boolean DEFAULT true NOT NULL,
    bundle_id text,
    team_id text,
    key_id text,
    p8_key bytea,
    environment text,
    project_id text,
    client_email text,
    private_key bytea,
    base_url text,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mobile_app_environment_check CHECK (environment = ANY (ARRAY['production'::text, 'sandbox'::text])),
    CONSTRAINT mobile_app_platform_check CHECK (platform = ANY (ARRAY['ios'::text, 'android'::text])),
    CONSTRAINT mobile_app_pkey PRIMARY KEY (id),
    CONSTRAINT mobile_app_uuid_key UNIQUE (uuid)
);
CREATE INDEX mobile_app_service_id_idx ON nms.mobile_app USING btree (service_id);

CREATE TABLE nms.mx_domain (
    mx_ip inet NOT NULL,
    domain text NOT NULL,
    mx text,
    hit_count integer DEFAULT 0 NOT NULL,
    CONSTRAINT mx_domain_pkey PRIMARY KEY (mx_ip, domain)
);

CREATE TABLE nms.mx_owner (
    mx_ip inet NOT NULL,
    owner text NOT NULL,
    CONSTRAINT mx_owner_pkey PRIMARY KEY (mx_ip)
);

CREATE TABLE nms.mx_rule (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    rule_set_id bigint NOT NULL,
    rule_order integer NOT NULL,
    mx_mask text NOT NULL,
    id_range text DEFAULT ''::text NOT NULL,
    shared boolean DEFAULT false NOT NULL,
    max_connections integer,
    max_messages_per_connection integer,
    messages_per_hour integer,
    connect_timeout_s integer,
    data_timeout_s integer,
    timeout_s integer,
    tls text DEFAULT 'default'::text NOT NULL,
    CONSTRAINT mx_rule_tls_check CHECK (tls = ANY (ARRAY['default'::text, 'disabled'::text, 'opportunistic'::text])),
    CONSTRAINT mx_rule_rule_set_id_fkey FOREIGN KEY (rule_set_id) REFERENCES nms.rule_set(id) ON DELETE CASCADE,
    CONSTRAINT mx_rule_pkey PRIMARY KEY (id),
    CONSTRAINT mx_rule_rule_set_id_mx_mask_id_range_key UNIQUE (rule_set_id, mx_mask, id_range),
    CONSTRAINT mx_rule_rule_set_id_rule_order_key UNIQUE (rule_set_id, rule_order) DEFERRABLE
);

CREATE TABLE nms.notification (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    effect_key text NOT NULL,
    workflow_name text,
    template text,
    object_schema text,
    object_id bigint,
    operator_id bigint,
    to_address text NOT NULL,
    subject text NOT NULL,
    body_text text NOT NULL,
    body_html text,
    attachment_document_id bigint,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_try_at timestamp with time zone DEFAULT now(),
    sent_at timestamp with time zone,
    last_error text,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    attachment_name text,
    attachment_type text,
    attachment bytea,
    channel text DEFAULT 'mail'::text NOT NULL,
    account_id bigint,
    tries_left integer DEFAULT 6 NOT NULL,
    answer text,
    CONSTRAINT notification_account_check CHECK ((channel = 'webhook'::text) = (account_id IS NOT NULL)),
    CONSTRAINT notification_attachment_check CHECK (num_nulls(attachment_name, attachment_type, attachment) = ANY (ARRAY[0, 3])),
    CONSTRAINT notification_channel_check CHECK (channel = ANY (ARRAY['mail'::text, 'webhook'::text])),
    CONSTRAINT notification_state_check CHECK (state = ANY (ARRAY['pending'::text, 'sending'::text, 'sent'::text, 'error'::text, 'unknown'::text])),
    CONSTRAINT notification_pkey PRIMARY KEY (id),
    CONSTRAINT notification_effect_key_key UNIQUE (effect_key)
);
CREATE INDEX notification_due ON nms.notification USING btree (channel, next_try_at, id) WHERE (state = 'pending'::text);
CREATE INDEX notification_list ON nms.notification USING btree (channel, state, id);
CREATE INDEX notification_object_schema_object_id_idx ON nms.notification USING btree (object_schema, object_id);
CREATE INDEX notification_purge ON nms.notification USING btree (sent_at) WHERE (state = 'sent'::text);
CREATE INDEX notification_sending ON nms.notification USING btree (id) WHERE (state = 'sending'::text);
CREATE INDEX notification_trouble ON nms.notification USING btree (id) WHERE (state = ANY (ARRAY['error'::text, 'unknown'::text]));
CREATE INDEX notification_unsent ON nms.notification USING btree (last_modified) WHERE (state = ANY (ARRAY['error'::text, 'unknown'::text]));
CREATE TRIGGER ring AFTER INSERT ON nms.notification FOR EACH STATEMENT EXECUTE FUNCTION nms.ring_outbox();
CREATE TRIGGER touch BEFORE UPDATE ON nms.notification FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.offer (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    environment_id bigint NOT NULL,
    category_id bigint,
    internal_name text NOT NULL,
    label text NOT NULL,
    code text,
    state text DEFAULT 'being_edited'::text NOT NULL,
    content_status text DEFAULT 'being_edited'::text NOT NULL,
    eligibility_status text DEFAULT 'being_edited'::text NOT NULL,
    start_date timestamp with time zone,
    end_date timestamp with time zone,
    filter jsonb,
    rules jsonb DEFAULT '[]'::jsonb NOT NULL,
    is_model boolean DEFAULT false NOT NULL,
    owner_id bigint,
    source_id bigint,
    live_offer_id bigint,
    published_at timestamp with time zone,
    disabled_at timestamp with time zone,
    deleted boolean DEFAULT false NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    source_modified timestamp with time zone,
    CONSTRAINT offer_pkey PRIMARY KEY (id),
    CONSTRAINT offer_environment_id_internal_name_key UNIQUE (environment_id, internal_name)
);
CREATE INDEX offer_disabled ON nms.offer USING btree (disabled_at) WHERE (state = 'disabled'::text);
CREATE INDEX offer_environment_id_last_modified_idx ON nms.offer USING btree (environment_id, last_modified);
CREATE INDEX offer_last_modified_idx ON nms.offer USING btree (last_modified);
CREATE INDEX offer_live_offer_id_idx ON nms.offer USING btree (live_offer_id);
CREATE INDEX offer_source_id_idx ON nms.offer USING btree (source_id);
CREATE INDEX offer_state_idx ON nms.offer USING btree (state);
CREATE CONSTRAINT TRIGGER approval_given AFTER UPDATE ON nms.offer DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.content_status = 'approved'::text) AND (new.eligibility_status = 'approved'::text) AND ((old.content_status IS DISTINCT FROM new.content_status) OR (old.eligibility_status IS DISTINCT FROM new.eligibility_status)))) EXECUTE FUNCTION nms.signal_offer_approval();
CREATE CONSTRAINT TRIGGER approval_inserted AFTER INSERT ON nms.offer DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.content_status = 'approved'::text) AND (new.eligibility_status = 'approved'::text))) EXECUTE FUNCTION nms.signal_offer_approval();
CREATE TRIGGER touch BEFORE UPDATE ON nms.offer FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.offer_category (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    environment_id bigint NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    parent_id bigint,
    enabled boolean DEFAULT true NOT NULL,
    start_date timestamp with time zone,
    end_date timestamp with time zone,
    themes text[] DEFAULT '{}'::text[] NOT NULL,
    weight_multiplier numeric(15,2) DEFAULT 1 NOT NULL,
    multiplier_from timestamp with time zone,
    multiplier_to timestamp with time zone,
    source_id bigint,
    source_modified timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT offer_category_pkey PRIMARY KEY (id),
    CONSTRAINT offer_category_environment_id_internal_name_key UNIQUE (environment_id, internal_name)
);
CREATE INDEX offer_category_source_id_idx ON nms.offer_category USING btree (source_id);
CREATE TRIGGER touch BEFORE UPDATE ON nms.offer_category FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.offer_env (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    kind text NOT NULL,
    live_env_id bigint,
    target_schema text DEFAULT 'nms:recipient'::text NOT NULL,
    proposition_schema text DEFAULT 'nms:propositionRcp'::text NOT NULL,
    anonymous boolean DEFAULT false NOT NULL,
    emitter_account_id bigint,
    CONSTRAINT offer_env_kind_check CHECK (kind = ANY (ARRAY['design'::text, 'live'::text])),
    CONSTRAINT offer_env_pkey PRIMARY KEY (id),
    CONSTRAINT offer_env_internal_name_key UNIQUE (internal_name)
);

CREATE TABLE nms.offer_log (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    offer_id bigint NOT NULL,
    event text NOT NULL,
    message text NOT NULL,
    operator_id bigint,
    created timestamp with time zone DEFAULT now() NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    notify boolean DEFAULT false NOT NULL,
    CONSTRAINT offer_log_offer_id_fkey FOREIGN KEY (offer_id) REFERENCES nms.offer(id) ON DELETE CASCADE,
    CONSTRAINT offer_log_pkey PRIMARY KEY (id)
);
CREATE INDEX offer_log_notify ON nms.offer_log USING btree (id) WHERE notify;
CREATE INDEX offer_log_offer_id_created_idx ON nms.offer_log USING btree (offer_id, created);

CREATE TABLE nms.offer_received (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    received timestamp with time zone DEFAULT now() NOT NULL,
    operator_login text NOT NULL,
    ip inet,
    prefix text NOT NULL,
    environment text NOT NULL,
    categories integer NOT NULL,
    spaces integer NOT NULL,
    offers integer NOT NULL,
    created integer,
    updated integer,
    unchanged integer,
    refusal text,
    CONSTRAINT offer_received_check CHECK (num_nulls(created, updated, unchanged) =
CASE
    WHEN refusal IS NULL THEN 0
    ELSE 3
END),
    CONSTRAINT offer_received_pkey PRIMARY KEY (id)
);
CREATE INDEX offer_received_received_idx ON nms.offer_received USING btree (received);

CREATE TABLE nms.offer_space (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    environment_id bigint NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    channel smallint NOT NULL,
    unitary boolean DEFAULT false NOT NULL,
    fields jsonb DEFAULT '[]'::jsonb NOT NULL,
    default_status text DEFAULT 'generated'::text NOT NULL,
    accepted_status text DEFAULT 'accepted'::text NOT NULL,
    disable_storage boolean DEFAULT false NOT NULL,
    source_id bigint,
    source_modified timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT offer_space_pkey PRIMARY KEY (id),
    CONSTRAINT offer_space_environment_id_internal_name_key UNIQUE (environment_id, internal_name)
);
CREATE INDEX offer_space_source_id_idx ON nms.offer_space USING btree (source_id);
CREATE TRIGGER touch BEFORE UPDATE ON nms.offer_space FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.offer_view (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    offer_id bigint NOT NULL,
    space_id bigint NOT NULL,
    approval text DEFAULT 'pending'::text NOT NULL,
    valid boolean DEFAULT true NOT NULL,
    content jsonb DEFAULT '{}'::jsonb NOT NULL,
    published_at timestamp with time zone,
    CONSTRAINT offer_view_offer_id_fkey FOREIGN KEY (offer_id) REFERENCES nms.offer(id) ON DELETE CASCADE,
    CONSTRAINT offer_view_space_id_fkey FOREIGN KEY (space_id) REFERENCES nms.offer_space(id) ON DELETE CASCADE,
    CONSTRAINT offer_view_pkey PRIMARY KEY (id),
    CONSTRAINT offer_view_offer_id_space_id_key UNIQUE (offer_id, space_id)
);
CREATE INDEX offer_view_space_id_idx ON nms.offer_view USING btree (space_id);
CREATE TRIGGER touch_offer AFTER INSERT OR DELETE OR UPDATE OF offer_id, space_id, approval, content ON nms.offer_view FOR EACH ROW EXECUTE FUNCTION nms.touch_design_offer();

CREATE TABLE nms.offer_weight (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    offer_id bigint NOT NULL,
    label text NOT NULL,
    weight numeric(15,2) DEFAULT 1 NOT NULL,
    start_date timestamp with time zone,
    end_date timestamp with time zone,
    space_id bigint,
    filter jsonb,
    CONSTRAINT offer_weight_offer_id_fkey FOREIGN KEY (offer_id) REFERENCES nms.offer(id) ON DELETE CASCADE,
    CONSTRAINT offer_weight_pkey PRIMARY KEY (id)
);
CREATE INDEX offer_weight_offer_id_idx ON nms.offer_weight USING btree (offer_id);
CREATE TRIGGER touch_offer AFTER INSERT OR DELETE OR UPDATE ON nms.offer_weight FOR EACH ROW EXECUTE FUNCTION nms.touch_design_offer();

CREATE TABLE nms.proposition (
    id bigint DEFAULT nextval('nms.proposition_id_seq'::regclass) NOT NULL,
    recipient_id bigint,
    offer_id bigint NOT NULL,
    offer_space_id bigint,
    environment_id bigint,
    delivery_id bigint,
    broad_log_id bigint,
    channel smallint,
    interaction_id bigint,
    engine_type integer,
    origin_instance_id integer,
    status text NOT NULL,
    rank integer DEFAULT 0 NOT NULL,
    weight numeric(15,2) DEFAULT 0 NOT NULL,
    event_date timestamp with time zone NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT proposition_status_check CHECK (status = ANY (ARRAY['generated'::text, 'scheduled'::text, 'presented'::text, 'interested'::text, 'accepted'::text, 'rejected'::text])),
    CONSTRAINT proposition_pkey PRIMARY KEY (id)
) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);
CREATE INDEX proposition_broad_log_id_idx ON nms.proposition USING btree (broad_log_id);
CREATE INDEX proposition_delivery_id_idx ON nms.proposition USING btree (delivery_id);
CREATE INDEX proposition_event_date_idx ON nms.proposition USING btree (event_date);
CREATE INDEX proposition_last_modified_id_idx ON nms.proposition USING btree (last_modified, id);
CREATE INDEX proposition_offer_id_idx ON nms.proposition USING btree (offer_id);
CREATE INDEX proposition_offer_space_id_idx ON nms.proposition USING btree (offer_space_id);
CREATE INDEX proposition_recipient_id_idx ON nms.proposition USING btree (recipient_id);
CREATE INDEX proposition_waiting ON nms.proposition USING btree (event_date) WHERE ((status = ANY (ARRAY['generated'::text, 'scheduled'::text])) AND (delivery_id IS NOT NULL));
CREATE TRIGGER touch BEFORE UPDATE ON nms.proposition FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.provider_msg_id (
    broad_log_id bigint NOT NULL,
    provider_id text NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT provider_msg_id_pkey PRIMARY KEY (broad_log_id)
);
CREATE INDEX provider_msg_id_created_idx ON nms.provider_msg_id USING btree (created);
CREATE INDEX provider_msg_id_provider_id_idx ON nms.provider_msg_id USING btree (provider_id);

CREATE TABLE nms.rcp_grp_rel (
    group_id bigint NOT NULL,
    recipient_id bigint NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT rcp_grp_rel_pkey PRIMARY KEY (group_id, recipient_id)
);
CREATE INDEX rcp_grp_rel_recipient_id_idx ON nms.rcp_grp_rel USING btree (recipient_id);

CREATE TABLE nms.recipient (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    email text,
    email_format text DEFAULT 'unknown'::text NOT NULL,
    black_list boolean DEFAULT false NOT NULL,
    black_list_email boolean DEFAULT false NOT NULL,
    black_list_mobile boolean DEFAULT false NOT NULL,
    black_list_phone boolean DEFAULT false NOT NULL,
    black_list_postal_mail boolean DEFAULT false NOT NULL,
    black_list_fax boolean DEFAULT false NOT NULL,
    salutation text,
    first_name text,
    middle_name text,
    last_name text,
    gender smallint DEFAULT 0 NOT NULL,
    birth date,
    phone text,
    mobile_phone text,
    fax text,
    company text,
    address1 text,
    address2 text,
    address3 text,
    address4 text,
    zip_code text,
    city text,
    state_code text,
    country_code text,
    language text,
    origin text,
    account text,
    status smallint DEFAULT 0 NOT NULL,
    external_id text,
    ccpa_opt_out boolean DEFAULT false NOT NULL,
    folder_id bigint,
    custom jsonb DEFAULT '{}'::jsonb NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT recipient_folder_id_fkey FOREIGN KEY (folder_id) REFERENCES xtk.folder(id) ON DELETE SET NULL,
    CONSTRAINT recipient_pkey PRIMARY KEY (id)
);
CREATE INDEX recipient_account_idx ON nms.recipient USING btree (account);
CREATE INDEX recipient_company_idx ON nms.recipient USING btree (company);
CREATE UNIQUE INDEX recipient_external_id_idx ON nms.recipient USING btree (external_id) WHERE (external_id IS NOT NULL);
CREATE INDEX recipient_folder_id_last_modified_idx ON nms.recipient USING btree (folder_id, last_modified);
CREATE INDEX recipient_last_modified_idx ON nms.recipient USING btree (last_modified);
CREATE INDEX recipient_last_name_idx ON nms.recipient USING btree (last_name);
CREATE INDEX recipient_lower_idx ON nms.recipient USING btree (lower(email));
CREATE INDEX recipient_mobile_phone_idx ON nms.recipient USING btree (mobile_phone);
CREATE INDEX recipient_origin_idx ON nms.recipient USING btree (origin);
CREATE TRIGGER touch BEFORE UPDATE ON nms.recipient FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.rema_match (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    hypothesis_id bigint NOT NULL,
    recipient_id bigint,
    amount numeric(15,2),
    transaction_ref text DEFAULT ''::text NOT NULL,
    CONSTRAINT rema_match_pkey PRIMARY KEY (id)
);
CREATE INDEX rema_match_hypothesis_id_idx ON nms.rema_match USING btree (hypothesis_id);
CREATE INDEX rema_match_recipient_id_idx ON nms.rema_match USING btree (recipient_id);

CREATE TABLE nms.robot_rule (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    kind text NOT NULL,
    pattern text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    CONSTRAINT robot_rule_pkey PRIMARY KEY (id)
);

CREATE TABLE nms.rt_event (
    id bigint DEFAULT nextval('nms.event_seq'::regclass) NOT NULL,
    type text DEFAULT ''::text NOT NULL,
    origin text,
    external_id text,
    wished_channel smallint DEFAULT 0 NOT NULL,
    channel smallint,
    email text,
    mobile_phone text,
    registration_token text,
    mobile_app_uuid uuid,
    language text,
    country_code text,
    email_format smallint DEFAULT 2 NOT NULL,
    ctx text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    error_count integer DEFAULT 0 NOT NULL,
    last_error text,
    template_id bigint,
    delivery_id bigint,
    broad_log_id bigint,
    recipient_id bigint,
    operator_id bigint,
    scheduled timestamp with time zone,
    expiration timestamp with time zone,
    processing timestamp with time zone DEFAULT now() NOT NULL,
    routed_at timestamp with time zone,
    sent_at timestamp with time zone,
    processed timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT rt_event_ctx_check CHECK (octet_length(ctx) <= 262144),
    CONSTRAINT rt_event_status_check CHECK (status = ANY (ARRAY['pending'::text, 'pending_delivery'::text, 'sent'::text, 'ignored_by_delivery'::text, 'delivery_error'::text, 'event_not_covered'::text, 'event_expired'::text])),
    CONSTRAINT rt_event_pkey PRIMARY KEY (id)
) WITH (fillfactor=80);
CREATE INDEX rt_event_created_idx ON nms.rt_event USING btree (created);
CREATE INDEX rt_event_delivery_id_idx ON nms.rt_event USING btree (delivery_id);
CREATE INDEX rt_event_external_id_idx ON nms.rt_event USING btree (external_id);
CREATE INDEX rt_event_last_modified_id_idx ON nms.rt_event USING btree (last_modified, id);
CREATE INDEX rt_event_processed_idx ON nms.rt_event USING btree (processed);
CREATE INDEX rt_event_processing_id_idx ON nms.rt_event USING btree (processing, id) WHERE (status = 'pending'::text);
CREATE INDEX rt_event_purge ON nms.rt_event USING btree (COALESCE(processed, created));
CREATE INDEX rt_event_scheduled_idx ON nms.rt_event USING btree (scheduled);
CREATE INDEX rt_event_type_created_idx ON nms.rt_event USING btree (type, created);
CREATE TRIGGER touch BEFORE UPDATE ON nms.rt_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.rt_event_stat (
    execution_instance_id smallint DEFAULT 0 NOT NULL,
    queue text DEFAULT 'rt'::text NOT NULL,
    channel smallint DEFAULT 0 NOT NULL,
    period_start timestamp with time zone NOT NULL,
    entered integer DEFAULT 0 NOT NULL,
    routed integer DEFAULT 0 NOT NULL,
    not_covered integer DEFAULT 0 NOT NULL,
    expired integer DEFAULT 0 NOT NULL,
    sent integer DEFAULT 0 NOT NULL,
    ignored integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    queue_max integer DEFAULT 0 NOT NULL,
    queue_min integer DEFAULT 0 NOT NULL,
    queue_sum bigint DEFAULT 0 NOT NULL,
    queue_samples integer DEFAULT 0 NOT NULL,
    sum_queue_s numeric DEFAULT 0 NOT NULL,
    sum_send_s numeric DEFAULT 0 NOT NULL,
    sum_total_s numeric DEFAULT 0 NOT NULL,
    measured integer DEFAULT 0 NOT NULL,
    CONSTRAINT rt_event_stat_queue_check CHECK (queue = ANY (ARRAY['rt'::text, 'batch'::text])),
    CONSTRAINT rt_event_stat_pkey PRIMARY KEY (execution_instance_id, queue, channel, period_start)
);
CREATE INDEX rt_event_stat_period_start_idx ON nms.rt_event_stat USING btree (period_start);

CREATE TABLE nms.rule_set (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    kind text NOT NULL,
    mode text DEFAULT 'standard'::text NOT NULL,
    active boolean DEFAULT true NOT NULL,
    version text,
    synchronised_at timestamp with time zone,
    CONSTRAINT rule_set_kind_check CHECK (kind = ANY (ARRAY['mx'::text, 'inbound'::text, 'domain'::text, 'email_format'::text, 'suppression'::text])),
    CONSTRAINT rule_set_mode_check CHECK (mode = ANY (ARRAY['standard'::text, 'level_1'::text, 'level_2'::text, 'level_3'::text, 'level_4'::text, 'level_5'::text, 'level_6'::text, 'custom'::text])),
    CONSTRAINT rule_set_pkey PRIMARY KEY (id),
    CONSTRAINT rule_set_internal_name_key UNIQUE (internal_name)
);

CREATE TABLE nms.seed_member (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    email text,
    mobile_phone text,
    delivery_id bigint,
    is_model boolean DEFAULT false NOT NULL,
    fields jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT seed_member_pkey PRIMARY KEY (id),
    CONSTRAINT seed_member_internal_name_key UNIQUE (internal_name)
);

CREATE TABLE nms.service (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    description text,
    mode text DEFAULT 'newsletter'::text NOT NULL,
    type smallint DEFAULT 0 NOT NULL,
    message_type smallint DEFAULT 0 NOT NULL,
    validity_seconds bigint,
    unlimited boolean DEFAULT true NOT NULL,
    is_public boolean DEFAULT false NOT NULL,
    deleted boolean DEFAULT false NOT NULL,
    folder_id bigint,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT service_pkey PRIMARY KEY (id),
    CONSTRAINT service_internal_name_key UNIQUE (internal_name)
);

CREATE TABLE nms.service_stats (
    service_id bigint NOT NULL,
    stat_date date NOT NULL,
    registered integer NOT NULL,
    subscriptions integer NOT NULL,
    unsubscriptions integer NOT NULL,
    CONSTRAINT service_stats_pkey PRIMARY KEY (service_id, stat_date)
);

CREATE TABLE nms.simulation (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    state text DEFAULT 'being_edited'::text NOT NULL,
    priority smallint DEFAULT 1 NOT NULL,
    low_activity boolean DEFAULT false NOT NULL,
    scope jsonb DEFAULT '{}'::jsonb NOT NULL,
    requested_at timestamp with time zone,
    finished_at timestamp with time zone,
    result jsonb,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT simulation_state_check CHECK (state = ANY (ARRAY['being_edited'::text, 'pending'::text, 'running'::text, 'finished'::text, 'failed'::text])),
    CONSTRAINT simulation_pkey PRIMARY KEY (id),
    CONSTRAINT simulation_internal_name_key UNIQUE (internal_name)
);

CREATE TABLE nms.sub_histo (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    service_id bigint NOT NULL,
    recipient_id bigint NOT NULL,
    action smallint NOT NULL,
    event_date timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sub_histo_action_check CHECK (action = ANY (ARRAY[0, 1])),
    CONSTRAINT sub_histo_pkey PRIMARY KEY (id)
);
CREATE INDEX sub_histo_recipient_id_idx ON nms.sub_histo USING btree (recipient_id);
CREATE INDEX sub_histo_service_id_event_date_idx ON nms.sub_histo USING btree (service_id, event_date);

CREATE TABLE nms.subscription (
    service_id bigint NOT NULL,
    recipient_id bigint NOT NULL,
    confirmation_id bigint,
    delete_status smallint DEFAULT 0 NOT NULL,
    email_format text,
    address_specific text,
    expiration date,
    created timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT subscription_service_id_fkey FOREIGN KEY (service_id) REFERENCES nms.service(id) ON DELETE CASCADE,
    CONSTRAINT subscription_pkey PRIMARY KEY (service_id, recipient_id)
);
CREATE INDEX subscription_delete_status_idx ON nms.subscription USING btree (delete_status) WHERE (delete_status <> 0);
CREATE INDEX subscription_recipient_id_idx ON nms.subscription USING btree (recipient_id);

CREATE TABLE nms.suppression (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    scope text NOT NULL,
    hash text NOT NULL,
    source_date date,
    CONSTRAINT suppression_pkey PRIMARY KEY (id),
    CONSTRAINT suppression_scope_hash_key UNIQUE (scope, hash)
);

CREATE TABLE nms.tracking_log (
    id bigint DEFAULT nextval('nms.tracking_log_id_seq'::regclass) NOT NULL,
    broad_log_id bigint,
    delivery_id bigint DEFAULT 0 NOT NULL,
    recipient_id bigint,
    url_id bigint NOT NULL,
    user_agent_id bigint,
    source_id text,
    source_type text DEFAULT ''::text NOT NULL,
    external_id text,
    raw_id text,
    log_date timestamp with time zone NOT NULL,
    CONSTRAINT tracking_log_pkey PRIMARY KEY (delivery_id, id, log_date)
) PARTITION BY RANGE (log_date);
CREATE INDEX tracking_log_broad_log_id_idx ON ONLY nms.tracking_log USING btree (broad_log_id);
CREATE INDEX tracking_log_delivery_id_log_date_idx ON ONLY nms.tracking_log USING btree (delivery_id, log_date);
CREATE INDEX tracking_log_id_idx ON ONLY nms.tracking_log USING btree (id);
CREATE INDEX tracking_log_log_date_idx ON ONLY nms.tracking_log USING btree (log_date);
CREATE UNIQUE INDEX tracking_log_raw_id_delivery_id_log_date_idx ON ONLY nms.tracking_log USING btree (raw_id, delivery_id, log_date) WHERE (raw_id IS NOT NULL);
CREATE INDEX tracking_log_recipient_id_idx ON ONLY nms.tracking_log USING btree (recipient_id);
CREATE INDEX tracking_log_source_id_idx ON ONLY nms.tracking_log USING btree (source_id);
CREATE INDEX tracking_log_url_id_recipient_id_idx ON ONLY nms.tracking_log USING btree (url_id, recipient_id);

CREATE TABLE nms.tracking_log_batch_event (
    id bigint DEFAULT nextval('nms.tracking_log_id_seq'::regclass) NOT NULL,
    broad_log_id bigint,
    delivery_id bigint DEFAULT 0 NOT NULL,
    event_id bigint,
    url_id bigint NOT NULL,
    user_agent_id bigint,
    source_id text,
    source_type text DEFAULT ''::text NOT NULL,
    external_id text,
    raw_id text,
    log_date timestamp with time zone NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tracking_log_batch_event_pkey PRIMARY KEY (delivery_id, id)
);
CREATE INDEX tracking_log_batch_event_broad_log_id_idx ON nms.tracking_log_batch_event USING btree (broad_log_id);
CREATE INDEX tracking_log_batch_event_delivery_id_log_date_idx ON nms.tracking_log_batch_event USING btree (delivery_id, log_date);
CREATE INDEX tracking_log_batch_event_event_id_idx ON nms.tracking_log_batch_event USING btree (event_id);
CREATE INDEX tracking_log_batch_event_id_idx ON nms.tracking_log_batch_event USING btree (id);
CREATE INDEX tracking_log_batch_event_last_modified_id_idx ON nms.tracking_log_batch_event USING btree (last_modified, id);
CREATE INDEX tracking_log_batch_event_log_date_idx ON nms.tracking_log_batch_event USING btree (log_date);
CREATE UNIQUE INDEX tracking_log_batch_event_raw_id_delivery_id_idx ON nms.tracking_log_batch_event USING btree (raw_id, delivery_id) WHERE (raw_id IS NOT NULL);
CREATE INDEX tracking_log_batch_event_source_id ON nms.tracking_log_batch_event USING btree (source_id);
CREATE TRIGGER touch BEFORE UPDATE ON nms.tracking_log_batch_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.tracking_log_default PARTITION OF nms.tracking_log DEFAULT WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

CREATE TABLE nms.tracking_log_event_histo (
    id bigint DEFAULT nextval('nms.tracking_log_id_seq'::regclass) NOT NULL,
    execution_instance_id smallint DEFAULT 0 NOT NULL,
    queue text DEFAULT 'rt'::text NOT NULL,
    remote_id bigint NOT NULL,
    event_id bigint,
    broad_log_remote_id bigint,
    delivery_id bigint,
    url_id bigint,
    log_date timestamp with time zone NOT NULL,
    source_type text DEFAULT ''::text NOT NULL,
    CONSTRAINT tracking_log_event_histo_queue_check CHECK (queue = ANY (ARRAY['rt'::text, 'batch'::text])),
    CONSTRAINT tracking_log_event_histo_pkey PRIMARY KEY (id),
    CONSTRAINT tracking_log_event_histo_execution_instance_id_queue_remote_key UNIQUE (execution_instance_id, queue, remote_id)
);
CREATE INDEX tracking_log_event_histo_delivery_id_idx ON nms.tracking_log_event_histo USING btree (delivery_id);
CREATE INDEX tracking_log_event_histo_event_id_idx ON nms.tracking_log_event_histo USING btree (event_id);
CREATE INDEX tracking_log_event_histo_log_date_idx ON nms.tracking_log_event_histo USING btree (log_date);
CREATE INDEX tracking_log_event_histo_url_id_idx ON nms.tracking_log_event_histo USING btree (url_id);

CREATE TABLE nms.tracking_log_rt_event (
    id bigint DEFAULT nextval('nms.tracking_log_id_seq'::regclass) NOT NULL,
    broad_log_id bigint,
    delivery_id bigint DEFAULT 0 NOT NULL,
    event_id bigint,
    url_id bigint NOT NULL,
    user_agent_id bigint,
    source_id text,
    source_type text DEFAULT ''::text NOT NULL,
    external_id text,
    raw_id text,
    log_date timestamp with time zone NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tracking_log_rt_event_pkey PRIMARY KEY (delivery_id, id)
);
CREATE INDEX tracking_log_rt_event_broad_log_id_idx ON nms.tracking_log_rt_event USING btree (broad_log_id);
CREATE INDEX tracking_log_rt_event_delivery_id_log_date_idx ON nms.tracking_log_rt_event USING btree (delivery_id, log_date);
CREATE INDEX tracking_log_rt_event_event_id_idx ON nms.tracking_log_rt_event USING btree (event_id);
CREATE INDEX tracking_log_rt_event_id_idx ON nms.tracking_log_rt_event USING btree (id);
CREATE INDEX tracking_log_rt_event_last_modified_id_idx ON nms.tracking_log_rt_event USING btree (last_modified, id);
CREATE INDEX tracking_log_rt_event_log_date_idx ON nms.tracking_log_rt_event USING btree (log_date);
CREATE UNIQUE INDEX tracking_log_rt_event_raw_id_delivery_id_idx ON nms.tracking_log_rt_event USING btree (raw_id, delivery_id) WHERE (raw_id IS NOT NULL);
CREATE INDEX tracking_log_rt_event_source_id ON nms.tracking_log_rt_event USING btree (source_id);
CREATE TRIGGER touch BEFORE UPDATE ON nms.tracking_log_rt_event FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.tracking_log_visitor (
    id bigint DEFAULT nextval('nms.tracking_log_id_seq'::regclass) NOT NULL,
    broad_log_id bigint,
    delivery_id bigint DEFAULT 0 NOT NULL,
    visitor_id bigint,
    url_id bigint NOT NULL,
    user_agent_id bigint,
    source_id text,
    source_type text DEFAULT ''::text NOT NULL,
    external_id text,
    raw_id text,
    log_date timestamp with time zone NOT NULL,
    CONSTRAINT tracking_log_visitor_pkey PRIMARY KEY (delivery_id, id)
) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);
CREATE INDEX tracking_log_visitor_broad_log_id_idx ON nms.tracking_log_visitor USING btree (broad_log_id);
CREATE INDEX tracking_log_visitor_delivery_id_log_date_idx ON nms.tracking_log_visitor USING btree (delivery_id, log_date);
CREATE INDEX tracking_log_visitor_id_idx ON nms.tracking_log_visitor USING btree (id);
CREATE INDEX tracking_log_visitor_log_date_idx ON nms.tracking_log_visitor USING btree (log_date);
CREATE UNIQUE INDEX tracking_log_visitor_raw_id_delivery_id_idx ON nms.tracking_log_visitor USING btree (raw_id, delivery_id) WHERE (raw_id IS NOT NULL);
CREATE INDEX tracking_log_visitor_source_id ON nms.tracking_log_visitor USING btree (source_id);
CREATE INDEX tracking_log_visitor_visitor_id_idx ON nms.tracking_log_visitor USING btree (visitor_id);

CREATE TABLE nms.tracking_stats (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    start_date timestamp with time zone NOT NULL,
    end_date timestamp with time zone NOT NULL,
    delivery_id bigint NOT NULL,
    url_id bigint NOT NULL,
    source_type text DEFAULT ''::text NOT NULL,
    total_clicks integer DEFAULT 0 NOT NULL,
    transaction integer DEFAULT 0 NOT NULL,
    article integer DEFAULT 0 NOT NULL,
    amount numeric(15,2) DEFAULT 0 NOT NULL,
    CONSTRAINT tracking_stats_pkey PRIMARY KEY (delivery_id, id),
    CONSTRAINT tracking_stats_delivery_id_url_id_source_type_start_date_key UNIQUE (delivery_id, url_id, source_type, start_date)
);
CREATE INDEX tracking_stats_id_idx ON nms.tracking_stats USING btree (id);
CREATE INDEX tracking_stats_start_date_idx ON nms.tracking_stats USING btree (start_date);
CREATE INDEX tracking_stats_url_id_idx ON nms.tracking_stats USING btree (url_id);

CREATE TABLE nms.tracking_url (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    delivery_id bigint DEFAULT 0 NOT NULL,
    type smallint DEFAULT 1 NOT NULL,
    source text,
    label text,
    category text,
    tag_id text,
    checksum bigint,
    occurrence integer DEFAULT 0 NOT NULL,
    offer_id bigint,
    offer_space_id bigint,
    validity date,
    with_params boolean DEFAULT false NOT NULL,
    CONSTRAINT tracking_url_type_check CHECK (type >= 1 AND type <= 6),
    CONSTRAINT tracking_url_pkey PRIMARY KEY (delivery_id, id)
);
CREATE INDEX tracking_url_checksum_idx ON nms.tracking_url USING btree (checksum);
CREATE INDEX tracking_url_id_idx ON nms.tracking_url USING btree (id);
CREATE UNIQUE INDEX tracking_url_tag_id_delivery_id_idx ON nms.tracking_url USING btree (tag_id, delivery_id) WHERE (tag_id IS NOT NULL);

CREATE TABLE nms.tracking_url_info (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    source text NOT NULL,
    label text,
    category text,
    type smallint DEFAULT 1 NOT NULL,
    checksum bigint NOT NULL,
    active boolean DEFAULT true NOT NULL,
    CONSTRAINT tracking_url_info_pkey PRIMARY KEY (id)
);
CREATE INDEX tracking_url_info_checksum_idx ON nms.tracking_url_info USING btree (checksum);

CREATE TABLE nms.typology (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    ip_affinity text,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT typology_pkey PRIMARY KEY (id),
    CONSTRAINT typology_internal_name_key UNIQUE (internal_name)
);

CREATE TABLE nms.typology_rule (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    rule_type text NOT NULL,
    message_type smallint,
    active boolean DEFAULT true NOT NULL,
    rule_order integer DEFAULT 50 NOT NULL,
    step text,
    frequency_seconds bigint DEFAULT 0 NOT NULL,
    force_on_personalization boolean DEFAULT false NOT NULL,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    validity_from timestamp with time zone,
    validity_to timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT typology_rule_rule_type_check CHECK (rule_type = ANY (ARRAY['control'::text, 'filtering'::text, 'pressure'::text, 'capacity'::text])),
    CONSTRAINT typology_rule_pkey PRIMARY KEY (id),
    CONSTRAINT typology_rule_internal_name_key UNIQUE (internal_name)
);
CREATE INDEX typology_rule_rule_type_active_idx ON nms.typology_rule USING btree (rule_type, active);

CREATE TABLE nms.typology_rule_rel (
    typology_id bigint NOT NULL,
    rule_id bigint NOT NULL,
    CONSTRAINT typology_rule_rel_rule_id_fkey FOREIGN KEY (rule_id) REFERENCES nms.typology_rule(id) ON DELETE CASCADE,
    CONSTRAINT typology_rule_rel_typology_id_fkey FOREIGN KEY (typology_id) REFERENCES nms.typology(id) ON DELETE CASCADE,
    CONSTRAINT typology_rule_rel_pkey PRIMARY KEY (typology_id, rule_id)
);
CREATE INDEX typology_rule_rel_rule_id_idx ON nms.typology_rule_rel USING btree (rule_id);

CREATE TABLE nms.user_agent (
    hash_key bigint NOT NULL,
    browser_name text,
    browser_version text,
    browser_image text,
    os_name text,
    os_family text,
    os_image text,
    device text,
    CONSTRAINT user_agent_pkey PRIMARY KEY (hash_key)
);

CREATE TABLE nms.user_agent_reject (
    hash_key bigint NOT NULL,
    user_agent_string text NOT NULL,
    hit integer DEFAULT 0 NOT NULL,
    last_update timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_agent_reject_pkey PRIMARY KEY (hash_key)
);

CREATE TABLE nms.user_agent_stats (
    hash_key bigint NOT NULL,
    stat_date date NOT NULL,
    pages integer DEFAULT 0 NOT NULL,
    visitors integer DEFAULT 0 NOT NULL,
    visitors_of_the_day integer DEFAULT 0 NOT NULL,
    CONSTRAINT user_agent_stats_pkey PRIMARY KEY (hash_key, stat_date)
);

CREATE TABLE nms.visitor (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    origin smallint DEFAULT 0 NOT NULL,
    external_id text,
    recipient_id bigint,
    email text,
    first_name text,
    last_name text,
    name text,
    lang text,
    gender smallint DEFAULT 0 NOT NULL,
    verified boolean DEFAULT false NOT NULL,
    referrer_id bigint,
    web_app_id bigint,
    delivery_id bigint,
    friend_count integer DEFAULT 0 NOT NULL,
    access_token text,
    token_expiration timestamp with time zone,
    folder_id bigint,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT visitor_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX visitor_external_id_origin_idx ON nms.visitor USING btree (external_id, origin);
CREATE INDEX visitor_lower_idx ON nms.visitor USING btree (lower(email));
CREATE INDEX visitor_purge ON nms.visitor USING btree (last_modified) WHERE ((recipient_id IS NULL) AND (origin = 0));
CREATE INDEX visitor_recipient_id_idx ON nms.visitor USING btree (recipient_id);
CREATE TRIGGER touch BEFORE UPDATE ON nms.visitor FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE nms.volume_consumed (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    typology_rule_id bigint NOT NULL,
    volume_line_id bigint,
    delivery_id bigint NOT NULL,
    consumed numeric(15,2) DEFAULT 0 NOT NULL,
    event_date timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT volume_consumed_pkey PRIMARY KEY (id)
);
CREATE INDEX volume_consumed_delivery_id_idx ON nms.volume_consumed USING btree (delivery_id);
CREATE INDEX volume_consumed_volume_line_id_idx ON nms.volume_consumed USING btree (volume_line_id);

CREATE TABLE nms.volume_line (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    typology_rule_id bigint NOT NULL,
    start_date timestamp with time zone NOT NULL,
    end_date timestamp with time zone NOT NULL,
    initial numeric(15,2) DEFAULT 0 NOT NULL,
    consumed numeric(15,2) DEFAULT 0 NOT NULL,
    sub_channel text,
    CONSTRAINT volume_line_typology_rule_id_fkey FOREIGN KEY (typology_rule_id) REFERENCES nms.typology_rule(id) ON DELETE CASCADE,
    CONSTRAINT volume_line_pkey PRIMARY KEY (id),
    CONSTRAINT volume_line_typology_rule_id_start_date_end_date_key UNIQUE (typology_rule_id, start_date, end_date)
);

CREATE TABLE nms.web_tracking_log (
    id bigint NOT NULL,
    amount numeric(15,2) DEFAULT 0 NOT NULL,
    article integer DEFAULT 0 NOT NULL,
    category text,
    delivery_id bigint,
    visitor_id bigint,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT web_tracking_log_pkey PRIMARY KEY (id)
);
CREATE INDEX web_tracking_log_delivery_id_idx ON nms.web_tracking_log USING btree (delivery_id);

CREATE TABLE xtk.api_token (
    token_hash bytea NOT NULL,
    operator_id bigint NOT NULL,
    ip inet,
    created timestamp with time zone DEFAULT now() NOT NULL,
    expiration timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT api_token_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES xtk.operator(id) ON DELETE CASCADE,
    CONSTRAINT api_token_pkey PRIMARY KEY (token_hash)
);
CREATE INDEX api_token_expiration_idx ON xtk.api_token USING btree (expiration);
CREATE INDEX api_token_operator_id_idx ON xtk.api_token USING btree (operator_id);

CREATE TABLE xtk.audit (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    seq bigint NOT NULL,
    entity_type text NOT NULL,
    entity text NOT NULL,
    action text NOT NULL,
    operator_id bigint,
    operator_login text NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    ip inet,
    allowed boolean DEFAULT true NOT NULL,
    route text,
    session text,
    detail json DEFAULT '{}'::json NOT NULL,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_detail_check CHECK (jsonb_typeof(detail::jsonb) = 'object'::text),
    CONSTRAINT audit_pkey PRIMARY KEY (id),
    CONSTRAINT audit_seq_key UNIQUE (seq)
);
CREATE INDEX audit_changed_at_idx ON xtk.audit USING btree (changed_at);
CREATE INDEX audit_entity_type_entity_changed_at_idx ON xtk.audit USING btree (entity_type, entity, changed_at);
CREATE INDEX audit_operator_login_changed_at_idx ON xtk.audit USING btree (operator_login, changed_at);
CREATE TRIGGER guard BEFORE DELETE OR UPDATE ON xtk.audit FOR EACH ROW EXECUTE FUNCTION xtk.guard_audit();
CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON xtk.audit FOR EACH STATEMENT EXECUTE FUNCTION xtk.guard_audit();

CREATE TABLE xtk.audit_anchor (
    one boolean DEFAULT true NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    purged_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT audit_anchor_one_check CHECK (one),
    CONSTRAINT audit_anchor_pkey PRIMARY KEY (one)
);
CREATE TRIGGER guard BEFORE INSERT OR DELETE OR UPDATE ON xtk.audit_anchor FOR EACH ROW EXECUTE FUNCTION xtk.guard_audit_anchor();
CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON xtk.audit_anchor FOR EACH STATEMENT EXECUTE FUNCTION xtk.guard_audit_anchor();

CREATE TABLE xtk.engine_node (
    id integer GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    name text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    affinities text[] DEFAULT '{}'::text[] NOT NULL,
    takes_unassigned boolean DEFAULT true NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    stopped_at timestamp with time zone,
    version text NOT NULL,
    retired_at timestamp with time zone,
    retired_by text,
    modules text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT engine_node_check CHECK ((retired_at IS NULL) = (retired_by IS NULL)),
    CONSTRAINT engine_node_pkey PRIMARY KEY (id),
    CONSTRAINT engine_node_name_key UNIQUE (name)
);

CREATE TABLE xtk.enum (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    kind text DEFAULT 'open'::text NOT NULL,
    alias_cleansing boolean DEFAULT false NOT NULL,
    binning boolean DEFAULT false NOT NULL,
    last_alias_cleansing timestamp with time zone,
    last_hits_computation timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT enum_kind_check CHECK (kind = ANY (ARRAY['open'::text, 'closed'::text, 'system'::text, 'emoticon'::text])),
    CONSTRAINT enum_pkey PRIMARY KEY (id),
    CONSTRAINT enum_internal_name_key UNIQUE (internal_name)
);

CREATE TABLE xtk.enum_alias (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    enum_id bigint NOT NULL,
    enum_value_id bigint,
    label text NOT NULL,
    hits integer DEFAULT 0 NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT enum_alias_enum_id_fkey FOREIGN KEY (enum_id) REFERENCES xtk.enum(id) ON DELETE CASCADE,
    CONSTRAINT enum_alias_enum_value_id_fkey FOREIGN KEY (enum_value_id) REFERENCES xtk.enum_value(id) ON DELETE SET NULL,
    CONSTRAINT enum_alias_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX enum_alias_enum_id_lower_idx ON xtk.enum_alias USING btree (enum_id, lower(label));
CREATE INDEX enum_alias_enum_value_id_idx ON xtk.enum_alias USING btree (enum_value_id);

CREATE TABLE xtk.enum_binding (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    enum_id bigint NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    modified_column text,
    CONSTRAINT enum_binding_enum_id_fkey FOREIGN KEY (enum_id) REFERENCES xtk.enum(id) ON DELETE CASCADE,
    CONSTRAINT enum_binding_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX enum_binding_enum_id_table_name_column_name_idx ON xtk.enum_binding USING btree (enum_id, table_name, column_name);

CREATE TABLE xtk.enum_value (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    enum_id bigint NOT NULL,
    name text NOT NULL,
    label text NOT NULL,
    img text,
    hits integer DEFAULT 0 NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT enum_value_enum_id_fkey FOREIGN KEY (enum_id) REFERENCES xtk.enum(id) ON DELETE CASCADE,
    CONSTRAINT enum_value_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX enum_value_enum_id_lower_idx ON xtk.enum_value USING btree (enum_id, lower(label));
CREATE UNIQUE INDEX enum_value_enum_id_name_idx ON xtk.enum_value USING btree (enum_id, name);

CREATE TABLE xtk.folder (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    parent_id bigint,
    full_name text NOT NULL,
    entity text,
    is_view boolean DEFAULT false NOT NULL,
    system boolean DEFAULT false NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT folder_pkey PRIMARY KEY (id),
    CONSTRAINT folder_full_name_key UNIQUE (full_name),
    CONSTRAINT folder_internal_name_key UNIQUE (internal_name)
);
CREATE INDEX folder_parent_id_idx ON xtk.folder USING btree (parent_id);

CREATE TABLE xtk.folder_right (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    folder_id bigint NOT NULL,
    operator_id bigint,
    group_id bigint,
    can_read boolean DEFAULT true NOT NULL,
    can_write boolean DEFAULT false NOT NULL,
    can_delete boolean DEFAULT false NOT NULL,
    propagate boolean DEFAULT true NOT NULL,
    CONSTRAINT folder_right_folder_id_fkey FOREIGN KEY (folder_id) REFERENCES xtk.folder(id) ON DELETE CASCADE,
    CONSTRAINT folder_right_pkey PRIMARY KEY (id)
);
CREATE INDEX folder_right_folder_id_idx ON xtk.folder_right USING btree (folder_id);

CREATE TABLE xtk."freeze" (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    reason text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    until timestamp with time zone,
    by_id bigint,
    by_login text NOT NULL,
    lifted_at timestamp with time zone,
    lifted_by text,
    CONSTRAINT freeze_check CHECK (until > since),
    CONSTRAINT freeze_check1 CHECK (lifted_at >= since),
    CONSTRAINT freeze_check2 CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)),
    CONSTRAINT freeze_reason_check CHECK (length(reason) >= 1 AND length(reason) <= 200),
    CONSTRAINT freeze_pkey PRIMARY KEY (id),
    CONSTRAINT freeze_one EXCLUDE USING gist (tstzrange(since, LEAST(until, lifted_at)) WITH &&)
);

CREATE TABLE xtk.heatmap_load (
    task_id bigint NOT NULL,
    slot timestamp with time zone NOT NULL,
    samples integer NOT NULL,
    database_seconds double precision NOT NULL,
    lock_seconds double precision NOT NULL,
    CONSTRAINT heatmap_load_task_id_fkey FOREIGN KEY (task_id) REFERENCES xtk.workflow_task(id) ON DELETE CASCADE,
    CONSTRAINT heatmap_load_pkey PRIMARY KEY (task_id, slot)
) WITH (fillfactor=80);
CREATE INDEX heatmap_load_slot_idx ON xtk.heatmap_load USING btree (slot);

CREATE TABLE xtk.heatmap_sample (
    task_id bigint NOT NULL,
    step_order integer DEFAULT 0 NOT NULL,
    workflow_id bigint NOT NULL,
    workflow_name text NOT NULL,
    workflow_label text NOT NULL,
    kind text NOT NULL,
    activity text,
    start_date timestamp with time zone NOT NULL,
    end_date timestamp with time zone,
    CONSTRAINT heatmap_sample_pkey PRIMARY KEY (task_id, step_order)
);
CREATE INDEX heatmap_sample_span ON xtk.heatmap_sample USING gist (tstzrange(start_date, end_date, '[]'::text)) WHERE (step_order = 0);
CREATE INDEX heatmap_sample_start_date_end_date_idx ON xtk.heatmap_sample USING btree (start_date, end_date);

CREATE TABLE xtk.instance_key (
    one boolean DEFAULT true NOT NULL,
    check_value bytea NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    first_seq bigint DEFAULT 1 NOT NULL,
    CONSTRAINT instance_key_check_value_check CHECK (length(check_value) = 32),
    CONSTRAINT instance_key_one_check CHECK (one),
    CONSTRAINT instance_key_pkey PRIMARY KEY (one)
);

CREATE TABLE xtk.job (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    delivery_id bigint,
    start_date timestamp with time zone,
    end_date timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT job_pkey PRIMARY KEY (id),
    CONSTRAINT job_internal_name_key UNIQUE (internal_name)
);
CREATE INDEX job_delivery_id_idx ON xtk.job USING btree (delivery_id);

CREATE TABLE xtk.job_log (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    job_id bigint,
    delivery_id bigint,
    log_type smallint DEFAULT 0 NOT NULL,
    message text NOT NULL,
    object text,
    error integer DEFAULT 0 NOT NULL,
    log_date timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT job_log_pkey PRIMARY KEY (id)
);
CREATE INDEX job_log_delivery_id_idx ON xtk.job_log USING btree (delivery_id);
CREATE INDEX job_log_job_id_id_idx ON xtk.job_log USING btree (job_id, id);

CREATE TABLE xtk.login_attempt (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    login text NOT NULL,
    operator_id bigint,
    ip inet,
    success boolean NOT NULL,
    reason text,
    created timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT login_attempt_pkey PRIMARY KEY (id)
);
CREATE INDEX login_attempt_created_idx ON xtk.login_attempt USING btree (created);
CREATE INDEX login_attempt_ip_created_idx ON xtk.login_attempt USING btree (ip, created);
CREATE INDEX login_attempt_lower_created_idx ON xtk.login_attempt USING btree (lower(login), created);

CREATE TABLE xtk.node_module (
    node_id integer NOT NULL,
    module text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT node_module_node_id_fkey FOREIGN KEY (node_id) REFERENCES xtk.engine_node(id) ON DELETE CASCADE,
    CONSTRAINT node_module_pkey PRIMARY KEY (node_id, module)
) WITH (fillfactor=70);

CREATE TABLE xtk.olap_aggregate (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    cube_id bigint NOT NULL,
    name text NOT NULL,
    dimensions jsonb NOT NULL,
    mode text DEFAULT 'full'::text NOT NULL,
    partial_condition text,
    table_name text NOT NULL,
    workflow_name text NOT NULL,
    last_update timestamp with time zone,
    row_count bigint,
    duration_ms bigint,
    CONSTRAINT olap_aggregate_mode_check CHECK (mode = ANY (ARRAY['full'::text, 'partial'::text])),
    CONSTRAINT olap_aggregate_cube_id_fkey FOREIGN KEY (cube_id) REFERENCES xtk.olap_cube(id) ON DELETE CASCADE,
    CONSTRAINT olap_aggregate_pkey PRIMARY KEY (id),
    CONSTRAINT olap_aggregate_cube_id_name_key UNIQUE (cube_id, name),
    CONSTRAINT olap_aggregate_table_name_key UNIQUE (table_name)
);

CREATE TABLE xtk.olap_cube (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    name text NOT NULL,
    label text NOT NULL,
    fact_table text NOT NULL,
    filter text,
    CONSTRAINT olap_cube_pkey PRIMARY KEY (id),
    CONSTRAINT olap_cube_name_key UNIQUE (name)
);

CREATE TABLE xtk.olap_dimension (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    cube_id bigint NOT NULL,
    name text NOT NULL,
    expression text NOT NULL,
    levels jsonb DEFAULT '[]'::jsonb NOT NULL,
    binning jsonb,
    CONSTRAINT olap_dimension_cube_id_fkey FOREIGN KEY (cube_id) REFERENCES xtk.olap_cube(id) ON DELETE CASCADE,
    CONSTRAINT olap_dimension_pkey PRIMARY KEY (id),
    CONSTRAINT olap_dimension_cube_id_name_key UNIQUE (cube_id, name)
);

CREATE TABLE xtk.olap_measure (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    cube_id bigint NOT NULL,
    name text NOT NULL,
    operator text NOT NULL,
    expression text DEFAULT '*'::text NOT NULL,
    filter text,
    CONSTRAINT olap_measure_operator_check CHECK (operator = ANY (ARRAY['count'::text, 'count_distinct'::text, 'sum'::text, 'avg'::text, 'min'::text, 'max'::text])),
    CONSTRAINT olap_measure_cube_id_fkey FOREIGN KEY (cube_id) REFERENCES xtk.olap_cube(id) ON DELETE CASCADE,
    CONSTRAINT olap_measure_pkey PRIMARY KEY (id),
    CONSTRAINT olap_measure_cube_id_name_key UNIQUE (cube_id, name)
);

CREATE TABLE xtk.operator (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    login text NOT NULL,
    label text NOT NULL,
    email text,
    password_hash text,
    password_changed_at timestamp with time zone,
    disabled boolean DEFAULT false NOT NULL,
    forbid_console boolean DEFAULT false NOT NULL,
    language text DEFAULT 'en'::text NOT NULL,
    theme text DEFAULT 'system'::text NOT NULL,
    timezone text,
    security_zone_id bigint,
    folder_id bigint,
    trusted_ips text[] DEFAULT '{}'::text[] NOT NULL,
    org_unit_id bigint,
    is_builtin boolean DEFAULT false NOT NULL,
    last_login timestamp with time zone,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    CONSTRAINT operator_language_check CHECK (language = ANY (ARRAY['en'::text, 'ko'::text])),
    CONSTRAINT operator_login_check CHECK (login <> ''::text),
    CONSTRAINT operator_theme_check CHECK (theme = ANY (ARRAY['system'::text, 'light'::text, 'dark'::text])),
    CONSTRAINT operator_security_zone_id_fkey FOREIGN KEY (security_zone_id) REFERENCES xtk.security_zone(id),
    CONSTRAINT operator_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX operator_login ON xtk.operator USING btree (lower(login));
CREATE TRIGGER touch BEFORE UPDATE ON xtk.operator FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE xtk.operator_group (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    is_builtin boolean DEFAULT false NOT NULL,
    CONSTRAINT operator_group_pkey PRIMARY KEY (id),
    CONSTRAINT operator_group_internal_name_key UNIQUE (internal_name)
);

CREATE TABLE xtk.operator_group_member (
    group_id bigint NOT NULL,
    operator_id bigint NOT NULL,
    CONSTRAINT operator_group_member_group_id_fkey FOREIGN KEY (group_id) REFERENCES xtk.operator_group(id) ON DELETE CASCADE,
    CONSTRAINT operator_group_member_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES xtk.operator(id) ON DELETE CASCADE,
    CONSTRAINT operator_group_member_pkey PRIMARY KEY (group_id, operator_id)
);
CREATE INDEX operator_group_member_operator_id_idx ON xtk.operator_group_member USING btree (operator_id);

CREATE TABLE xtk.option (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    name text NOT NULL,
    data_type text DEFAULT 'string'::text NOT NULL,
    string_value text,
    long_value bigint,
    double_value double precision,
    timestamp_value timestamp with time zone,
    memo_value text,
    description text,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    modified_by_id bigint,
    CONSTRAINT option_data_type_check CHECK (data_type = ANY (ARRAY['string'::text, 'long'::text, 'double'::text, 'timestamp'::text, 'memo'::text])),
    CONSTRAINT option_pkey PRIMARY KEY (id),
    CONSTRAINT option_name_key UNIQUE (name)
);
CREATE TRIGGER touch BEFORE UPDATE ON xtk.option FOR EACH ROW EXECUTE FUNCTION xtk.touch_last_modified();

CREATE TABLE xtk.package_install (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    name text NOT NULL,
    label text NOT NULL,
    version text,
    installed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT package_install_pkey PRIMARY KEY (id),
    CONSTRAINT package_install_name_key UNIQUE (name)
);

CREATE TABLE xtk.reject (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    job_id bigint NOT NULL,
    log_date timestamp with time zone DEFAULT now() NOT NULL,
    message text NOT NULL,
    origin text,
    schema_name text,
    data jsonb,
    CONSTRAINT reject_pkey PRIMARY KEY (id)
);
CREATE INDEX reject_job_id_idx ON xtk.reject USING btree (job_id);
CREATE INDEX reject_log_date_idx ON xtk.reject USING btree (log_date);

CREATE TABLE xtk."right" (
    name text NOT NULL,
    label text NOT NULL,
    CONSTRAINT right_pkey PRIMARY KEY (name)
);

CREATE TABLE xtk.right_grant (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    right_name text NOT NULL,
    operator_id bigint,
    group_id bigint,
    CONSTRAINT right_grant_check CHECK (num_nonnulls(operator_id, group_id) = 1),
    CONSTRAINT right_grant_group_id_fkey FOREIGN KEY (group_id) REFERENCES xtk.operator_group(id) ON DELETE CASCADE,
    CONSTRAINT right_grant_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES xtk.operator(id) ON DELETE CASCADE,
    CONSTRAINT right_grant_right_name_fkey FOREIGN KEY (right_name) REFERENCES xtk."right"(name),
    CONSTRAINT right_grant_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX right_grant_group ON xtk.right_grant USING btree (group_id, right_name) WHERE (group_id IS NOT NULL);
CREATE UNIQUE INDEX right_grant_operator ON xtk.right_grant USING btree (operator_id, right_name) WHERE (operator_id IS NOT NULL);

CREATE TABLE xtk.schema_version (
    version integer NOT NULL
);

CREATE TABLE xtk.security_zone (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    parent_id bigint,
    allow_http boolean DEFAULT false NOT NULL,
    allow_debug boolean DEFAULT false NOT NULL,
    allow_empty_password boolean DEFAULT false NOT NULL,
    allow_user_password boolean DEFAULT false NOT NULL,
    session_token_only boolean DEFAULT false NOT NULL,
    show_errors boolean DEFAULT false NOT NULL,
    networks cidr[] DEFAULT '{}'::cidr[] NOT NULL,
    proxies cidr[] DEFAULT '{}'::cidr[] NOT NULL,
    CONSTRAINT security_zone_pkey PRIMARY KEY (id),
    CONSTRAINT security_zone_internal_name_key UNIQUE (internal_name)
);

CREATE TABLE xtk.session_info (
    token_hash bytea NOT NULL,
    data bytea NOT NULL,
    expiration timestamp with time zone NOT NULL,
    operator_id bigint,
    ip inet,
    user_agent text,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_seen timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT session_info_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES xtk.operator(id) ON DELETE CASCADE,
    CONSTRAINT session_info_pkey PRIMARY KEY (token_hash)
);
CREATE INDEX session_info_expiration_idx ON xtk.session_info USING btree (expiration);
CREATE INDEX session_info_operator_id_idx ON xtk.session_info USING btree (operator_id);

CREATE TABLE xtk.setup_token (
    token_hash bytea NOT NULL,
    kind text NOT NULL,
    operator_id bigint,
    created timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    expiration timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT setup_token_check CHECK ((kind = 'reset'::text) = (operator_id IS NOT NULL)),
    CONSTRAINT setup_token_kind_check CHECK (kind = ANY (ARRAY['setup'::text, 'reset'::text])),
    CONSTRAINT setup_token_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES xtk.operator(id) ON DELETE CASCADE,
    CONSTRAINT setup_token_pkey PRIMARY KEY (token_hash)
);
CREATE INDEX setup_token_expiration_idx ON xtk.setup_token USING btree (expiration);

CREATE TABLE xtk.slot_month (
    workflow_id bigint NOT NULL,
    month date NOT NULL,
    answer text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    slots bigint NOT NULL,
    CONSTRAINT slot_month_month_check CHECK (EXTRACT(day FROM month) = 1::numeric),
    CONSTRAINT slot_month_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES xtk.workflow(id) ON DELETE CASCADE,
    CONSTRAINT slot_month_pkey PRIMARY KEY (month, workflow_id, answer, reason)
);
CREATE INDEX slot_month_workflow_id_idx ON xtk.slot_month USING btree (workflow_id);

CREATE TABLE xtk.workflow (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    internal_name text NOT NULL,
    label text NOT NULL,
    description text,
    kind text DEFAULT 'technical'::text NOT NULL,
    package text,
    built boolean DEFAULT false NOT NULL,
    instance_types text[] DEFAULT '{}'::text[] NOT NULL,
    reads text[] DEFAULT '{}'::text[] NOT NULL,
    writes text[] DEFAULT '{}'::text[] NOT NULL,
    folder_id bigint,
    state text DEFAULT 'being_edited'::text NOT NULL,
    failed boolean DEFAULT false NOT NULL,
    state_since timestamp with time zone DEFAULT now() NOT NULL,
    state_by text,
    severity text DEFAULT 'normal'::text NOT NULL,
    supervisor_group_id bigint,
    priority smallint DEFAULT 1 NOT NULL,
    affinity text DEFAULT ''::text NOT NULL,
    history_days integer DEFAULT 30 NOT NULL,
    log_sql boolean DEFAULT false NOT NULL,
    keep_result boolean DEFAULT false NOT NULL,
    exclusive boolean DEFAULT false NOT NULL,
    on_error text DEFAULT 'stop'::text NOT NULL,
    error_limit integer DEFAULT 0 NOT NULL,
    consecutive_errors integer DEFAULT 0 NOT NULL,
    error_template text,
    max_execution_seconds integer,
    timezone text,
    watchdog boolean DEFAULT false NOT NULL,
    schedule jsonb DEFAULT '{"kind": "none"}'::jsonb NOT NULL,
    cron text GENERATED ALWAYS AS ((schedule ->> 'cron'::text)) STORED,
    valid_from timestamp with time zone,
    valid_to timestamp with time zone,
    max_executions integer,
    execution_count integer DEFAULT 0 NOT NULL,
    next_processing timestamp with time zone,
    last_processed timestamp with time zone,
    paused_at timestamp with time zone,
    pause_reason text,
    pause_until timestamp with time zone,
    pause_notice_count integer DEFAULT 0 NOT NULL,
    pause_last_notice_at timestamp with time zone,
    pause_warning boolean DEFAULT false NOT NULL,
    execution_operator_id bigint,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    variables jsonb DEFAULT '{}'::jsonb NOT NULL,
    operation_id bigint,
    definition jsonb,
    is_builtin boolean DEFAULT false NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    last_modified timestamp with time zone DEFAULT now() NOT NULL,
    created_by_id bigint,
    modified_by_id bigint,
    alarmed boolean DEFAULT false NOT NULL,
    CONSTRAINT workflow_affinity_check CHECK (affinity ~ '^[A-Za-z0-9_-]*$'::text),
    CONSTRAINT workflow_check CHECK (NOT failed OR (state = ANY (ARRAY['paused'::text, 'finished'::text]))),
    CONSTRAINT workflow_error_limit_check CHECK (error_limit >= 0 AND error_limit <= 1000),
    CONSTRAINT workflow_history_days_check CHECK (history_days >= 0 AND history_days <= 36500),
    CONSTRAINT workflow_id_check CHECK (id >= 1 AND id <= 2147483647),
    CONSTRAINT workflow_kind_check CHECK (kind = ANY (ARRAY['technical'::text, 'campaign'::text])),
    CONSTRAINT workflow_max_execution_seconds_check CHECK (max_execution_seconds > 0),
    CONSTRAINT workflow_max_executions_check CHECK (max_executions > 0),
    CONSTRAINT workflow_on_error_check CHECK (on_error = ANY (ARRAY['stop'::text, 'ignore'::text, 'abort'::text])),
    CONSTRAINT workflow_priority_check CHECK (priority >= 0 AND priority <= 2),
    CONSTRAINT workflow_severity_check CHECK (severity = ANY (ARRAY['normal'::text, 'production'::text, 'critical'::text])),
    CONSTRAINT workflow_state_check CHECK (state = ANY (ARRAY['being_edited'::text, 'start_pending'::text, 'started'::text, 'pause_pending'::text, 'paused'::text, 'stop_pending'::text, 'finished'::text])),
    CONSTRAINT workflow_supervisor_group_id_fkey FOREIGN KEY (supervisor_group_id) REFERENCES xtk.operator_group(id) ON DELETE SET NULL,
    CONSTRAINT workflow_pkey PRIMARY KEY (id),
    CONSTRAINT workflow_internal_name_key UNIQUE (internal_name)
);
CREATE INDEX workflow_kind_package_idx ON xtk.workflow USING btree (kind, package);
CREATE INDEX workflow_next_processing_idx ON xtk.workflow USING btree (next_processing) WHERE (state = 'started'::text);
CREATE INDEX workflow_operation_id_idx ON xtk.workflow USING btree (operation_id);
CREATE INDEX workflow_state_failed_idx ON xtk.workflow USING btree (state, failed);

CREATE TABLE xtk.workflow_drift (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    workflow_id bigint NOT NULL,
    cause text NOT NULL,
    task_id bigint NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    closed_task_id bigint,
    measured double precision NOT NULL,
    bound double precision NOT NULL,
    p10 double precision NOT NULL,
    median double precision NOT NULL,
    p90 double precision NOT NULL,
    runs integer NOT NULL,
    weekday smallint,
    busy boolean DEFAULT false NOT NULL,
    acknowledged_at timestamp with time zone,
    acknowledged_by text,
    acknowledged_reason text DEFAULT ''::text NOT NULL,
    CONSTRAINT workflow_drift_cause_check CHECK (cause = ANY (ARRAY['slower'::text, 'faster'::text, 'more'::text, 'fewer'::text])),
    CONSTRAINT workflow_drift_check CHECK ((closed_at IS NULL) = (closed_task_id IS NULL)),
    CONSTRAINT workflow_drift_check1 CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
    CONSTRAINT workflow_drift_runs_check CHECK (runs >= 8),
    CONSTRAINT workflow_drift_weekday_check CHECK (weekday >= 1 AND weekday <= 7),
    CONSTRAINT workflow_drift_task_id_fkey FOREIGN KEY (task_id) REFERENCES xtk.workflow_task(id) ON DELETE CASCADE,
    CONSTRAINT workflow_drift_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES xtk.workflow(id) ON DELETE CASCADE,
    CONSTRAINT workflow_drift_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX workflow_drift_open ON xtk.workflow_drift USING btree (workflow_id, cause) WHERE (closed_at IS NULL);
CREATE INDEX workflow_drift_task_id_idx ON xtk.workflow_drift USING btree (task_id);
CREATE INDEX workflow_drift_workflow_id_opened_at_idx ON xtk.workflow_drift USING btree (workflow_id, opened_at);

CREATE TABLE xtk.workflow_event (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    workflow_id bigint NOT NULL,
    kind text DEFAULT 'scheduled'::text NOT NULL,
    mode text DEFAULT 'normal'::text NOT NULL,
    signal text,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    reason text,
    occurrences integer DEFAULT 1 NOT NULL,
    scheduled_at timestamp with time zone DEFAULT now() NOT NULL,
    scheduled_to timestamp with time zone,
    not_before timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    processing_date timestamp with time zone,
    task_id bigint,
    losses smallint DEFAULT 0 NOT NULL,
    operator_id bigint,
    operator_login text,
    created timestamp with time zone DEFAULT now() NOT NULL,
    outcome text,
    answer text GENERATED ALWAYS AS (
CASE
    WHEN (status = 'pending'::text) THEN 'waiting'::text
    WHEN (status = 'processing'::text) THEN 'running'::text
    WHEN (status <> 'processed'::text) THEN status
    WHEN (outcome = ANY (ARRAY['failed'::text, 'stopped'::text, 'interrupted'::text])) THEN outcome
    WHEN (kind = 'catch_up'::text) THEN 'caught_up'::text
    WHEN ((processing_date - scheduled_at) > '00:02:00'::interval) THEN 'ran_late'::text
    ELSE 'ran'::text
END) STORED,
    slot boolean GENERATED ALWAYS AS (((mode = 'normal'::text) AND ((kind = 'scheduled'::text) OR ((kind = 'catch_up'::text) AND (operator_login IS NULL))))) STORED,
    CONSTRAINT workflow_event_check CHECK ((reason IS NULL) = (status = ANY (ARRAY['pending'::text, 'processing'::text, 'processed'::text]))),
    CONSTRAINT workflow_event_check1 CHECK (outcome IS NULL OR status = 'processed'::text),
    CONSTRAINT workflow_event_kind_check CHECK (kind = ANY (ARRAY['scheduled'::text, 'catch_up'::text, 'manual'::text, 'resume'::text, 'signal'::text])),
    CONSTRAINT workflow_event_mode_check CHECK (mode = ANY (ARRAY['normal'::text, 'simulation'::text])),
    CONSTRAINT workflow_event_occurrences_check CHECK (occurrences > 0),
    CONSTRAINT workflow_event_status_check CHECK (status = ANY (ARRAY['pending'::text, 'processing'::text, 'processed'::text, 'skipped'::text, 'missed'::text, 'cancelled'::text])),
    CONSTRAINT workflow_event_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES xtk.workflow(id) ON DELETE CASCADE,
    CONSTRAINT workflow_event_pkey PRIMARY KEY (id)
);
CREATE INDEX workflow_event_not_run ON xtk.workflow_event USING btree (workflow_id, scheduled_at, id) WHERE (slot AND (answer <> ALL (ARRAY['ran'::text, 'ran_late'::text, 'caught_up'::text, 'running'::text, 'waiting'::text])));
CREATE INDEX workflow_event_pending ON xtk.workflow_event USING btree (status, scheduled_at) WHERE (status = 'pending'::text);
CREATE INDEX workflow_event_scheduled_at_idx ON xtk.workflow_event USING btree (scheduled_at);
CREATE UNIQUE INDEX workflow_event_slot ON xtk.workflow_event USING btree (workflow_id, scheduled_at) WHERE (kind = ANY (ARRAY['scheduled'::text, 'catch_up'::text]));
CREATE INDEX workflow_event_workflow_id_scheduled_at_idx ON xtk.workflow_event USING btree (workflow_id, scheduled_at);
CREATE INDEX workflow_event_workflow_id_status_idx ON xtk.workflow_event USING btree (workflow_id, status);
CREATE TRIGGER keep_slots AFTER DELETE ON xtk.workflow_event REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION xtk.keep_slots();

CREATE TABLE xtk.workflow_job (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    workflow_id bigint NOT NULL,
    command text NOT NULL,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    operator_id bigint,
    operator_login text NOT NULL,
    affinity text DEFAULT ''::text NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    applied_at timestamp with time zone,
    outcome text,
    CONSTRAINT workflow_job_command_check CHECK (command = ANY (ARRAY['start'::text, 'pause'::text, 'stop'::text, 'unconditional_stop'::text, 'restart'::text, 'cleanup'::text, 'simulate'::text, 'wakeup'::text, 'run'::text])),
    CONSTRAINT workflow_job_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES xtk.workflow(id) ON DELETE CASCADE,
    CONSTRAINT workflow_job_pkey PRIMARY KEY (id)
);
CREATE INDEX workflow_job_applied_at_idx ON xtk.workflow_job USING btree (applied_at);
CREATE INDEX workflow_job_created_idx ON xtk.workflow_job USING btree (created) WHERE (applied_at IS NULL);
CREATE UNIQUE INDEX workflow_job_open ON xtk.workflow_job USING btree (workflow_id, command) WHERE (applied_at IS NULL);

CREATE TABLE xtk.workflow_log (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    workflow_id bigint NOT NULL,
    task_id bigint,
    step_order integer,
    step_key text,
    level text DEFAULT 'info'::text NOT NULL,
    message text NOT NULL,
    log_date timestamp with time zone DEFAULT now() NOT NULL,
    simulation boolean DEFAULT false NOT NULL,
    args jsonb,
    CONSTRAINT workflow_log_level_check CHECK (level = ANY (ARRAY['info'::text, 'warning'::text, 'error'::text, 'sql'::text])),
    CONSTRAINT workflow_log_message_check CHECK (length(message) <= 512),
    CONSTRAINT workflow_log_pkey PRIMARY KEY (id, log_date)
) PARTITION BY RANGE (log_date);
CREATE INDEX workflow_log_log_date_idx ON ONLY xtk.workflow_log USING btree (log_date);
CREATE INDEX workflow_log_task_id_id_idx ON ONLY xtk.workflow_log USING btree (task_id, id);
CREATE INDEX workflow_log_trouble ON ONLY xtk.workflow_log USING btree (task_id, level, id) WHERE (level <> 'info'::text);
CREATE INDEX workflow_log_workflow_id_log_date_idx ON ONLY xtk.workflow_log USING btree (workflow_id, log_date);

CREATE TABLE xtk.workflow_log_default PARTITION OF xtk.workflow_log DEFAULT;

CREATE TABLE xtk.workflow_login (
    workflow_id bigint NOT NULL,
    operator_id bigint NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT workflow_login_pkey PRIMARY KEY (workflow_id)
);

CREATE TABLE xtk.workflow_outside_effect (
    key text NOT NULL,
    workflow_id bigint NOT NULL,
    task_id bigint,
    effect text NOT NULL,
    begun_at timestamp with time zone DEFAULT now() NOT NULL,
    done_at timestamp with time zone,
    CONSTRAINT workflow_outside_effect_pkey PRIMARY KEY (key)
);
CREATE INDEX workflow_outside_effect_begun_at_idx ON xtk.workflow_outside_effect USING btree (begun_at) WHERE (done_at IS NULL);

CREATE TABLE xtk.workflow_task (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    workflow_id bigint NOT NULL,
    event_id bigint,
    mode text DEFAULT 'normal'::text NOT NULL,
    trigger text DEFAULT 'scheduled'::text NOT NULL,
    status text DEFAULT 'running'::text NOT NULL,
    node text NOT NULL,
    backend_pid integer NOT NULL,
    build text DEFAULT ''::text NOT NULL,
    started_by_id bigint,
    started_by text,
    due_at timestamp with time zone,
    start_date timestamp with time zone DEFAULT now() NOT NULL,
    completion_date timestamp with time zone,
    cut_off timestamp with time zone DEFAULT now() NOT NULL,
    resumes_task_id bigint,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    rows_read bigint DEFAULT 0 NOT NULL,
    rows_changed bigint DEFAULT 0 NOT NULL,
    warnings integer DEFAULT 0 NOT NULL,
    error_code text,
    error_step text,
    error_message text,
    error_detail text,
    result jsonb DEFAULT '{}'::jsonb NOT NULL,
    cancel_requested text,
    cancel_requested_at timestamp with time zone,
    steps_begun integer DEFAULT 0 NOT NULL,
    steps_done integer DEFAULT 0 NOT NULL,
    CONSTRAINT workflow_task_cancel_requested_check CHECK (cancel_requested = ANY (ARRAY['stop'::text, 'unconditional_stop'::text])),
    CONSTRAINT workflow_task_check CHECK ((completion_date IS NULL) = (status = 'running'::text)),
    CONSTRAINT workflow_task_mode_check CHECK (mode = ANY (ARRAY['normal'::text, 'simulation'::text])),
    CONSTRAINT workflow_task_status_check CHECK (status = ANY (ARRAY['running'::text, 'completed'::text, 'failed'::text, 'stopped'::text, 'interrupted'::text])),
    CONSTRAINT workflow_task_trigger_check CHECK (trigger = ANY (ARRAY['scheduled'::text, 'catch_up'::text, 'manual'::text, 'resume'::text, 'signal'::text])),
    CONSTRAINT workflow_task_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES xtk.workflow(id) ON DELETE CASCADE,
    CONSTRAINT workflow_task_pkey PRIMARY KEY (id)
);
CREATE INDEX workflow_task_completion_date_idx ON xtk.workflow_task USING btree (completion_date);
CREATE INDEX workflow_task_event_id_idx ON xtk.workflow_task USING btree (event_id);
CREATE INDEX workflow_task_node_start_date_id_idx ON xtk.workflow_task USING btree (node, start_date, id);
CREATE UNIQUE INDEX workflow_task_running ON xtk.workflow_task USING btree (workflow_id) WHERE (status = 'running'::text);
CREATE INDEX workflow_task_simulation ON xtk.workflow_task USING btree (start_date, id) WHERE (mode = 'simulation'::text);
CREATE INDEX workflow_task_start_date_completion_date_idx ON xtk.workflow_task USING btree (start_date, completion_date);
CREATE INDEX workflow_task_start_date_id_idx ON xtk.workflow_task USING btree (start_date, id);
CREATE INDEX workflow_task_status_idx ON xtk.workflow_task USING btree (status) WHERE (status = 'running'::text);
CREATE INDEX workflow_task_status_start_date_id_idx ON xtk.workflow_task USING btree (status, start_date, id);
CREATE INDEX workflow_task_trigger_start_date_id_idx ON xtk.workflow_task USING btree (trigger, start_date, id);
CREATE INDEX workflow_task_warned ON xtk.workflow_task USING btree (start_date, id) WHERE (warnings > 0);
CREATE INDEX workflow_task_workflow_id_start_date_id_idx ON xtk.workflow_task USING btree (workflow_id, start_date, id);
CREATE TRIGGER workflow_task_final BEFORE UPDATE ON xtk.workflow_task FOR EACH ROW EXECUTE FUNCTION xtk.freeze_final_task();

CREATE TABLE xtk.workflow_task_effect (
    task_id bigint NOT NULL,
    step_order integer NOT NULL,
    table_name text NOT NULL,
    inserted bigint DEFAULT 0 NOT NULL,
    updated bigint DEFAULT 0 NOT NULL,
    deleted bigint DEFAULT 0 NOT NULL,
    dropped integer DEFAULT 0 NOT NULL,
    estimated boolean DEFAULT false NOT NULL,
    CONSTRAINT workflow_task_effect_task_id_fkey FOREIGN KEY (task_id) REFERENCES xtk.workflow_task(id) ON DELETE CASCADE,
    CONSTRAINT workflow_task_effect_pkey PRIMARY KEY (task_id, step_order, table_name)
);

CREATE TABLE xtk.workflow_task_step (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    task_id bigint NOT NULL,
    step_order integer NOT NULL,
    step_key text NOT NULL,
    label text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'running'::text NOT NULL,
    start_date timestamp with time zone DEFAULT now() NOT NULL,
    end_date timestamp with time zone,
    rows_read bigint DEFAULT 0 NOT NULL,
    rows_changed bigint DEFAULT 0 NOT NULL,
    progress_done bigint DEFAULT 0 NOT NULL,
    progress_total bigint,
    progress_unit text,
    batches integer DEFAULT 0 NOT NULL,
    message text,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT workflow_task_step_status_check CHECK (status = ANY (ARRAY['running'::text, 'completed'::text, 'failed'::text, 'stopped'::text, 'interrupted'::text, 'kept'::text])),
    CONSTRAINT workflow_task_step_task_id_fkey FOREIGN KEY (task_id) REFERENCES xtk.workflow_task(id) ON DELETE CASCADE,
    CONSTRAINT workflow_task_step_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX workflow_task_step_task_id_step_key_idx ON xtk.workflow_task_step USING btree (task_id, step_key);
CREATE UNIQUE INDEX workflow_task_step_task_id_step_order_idx ON xtk.workflow_task_step USING btree (task_id, step_order);
