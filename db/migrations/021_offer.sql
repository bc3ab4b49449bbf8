-- Publication of offers: what of a design the publication has dealt with, whom it still has to tell, and the signal.

-- On a live offer: the last_modified of the design offer that it shows, as for categories and spaces. On a design offer:
-- its own last_modified that the publication has dealt with, published or refused; another one makes it due again.
ALTER TABLE nms.offer ADD COLUMN source_modified timestamptz;
CREATE INDEX ON nms.offer (live_offer_id);
-- What changed in a live environment since an execution instance heard of it, and disabled offers to delete.
CREATE INDEX ON nms.offer (environment_id, last_modified);
CREATE INDEX offer_disabled ON nms.offer (disabled_at) WHERE state = 'disabled';

-- What happened to the offer, for a mail in the reader's language; notify: nobody was told yet.
ALTER TABLE nms.offer_log
    ADD COLUMN detail jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN notify boolean NOT NULL DEFAULT false;
CREATE INDEX offer_log_notify ON nms.offer_log (id) WHERE notify;

-- The representations and weights of a design offer are part of it: a change of theirs is a change of the offer.
CREATE FUNCTION nms.touch_design_offer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE nms.offer o
    SET last_modified = now()
    FROM nms.offer_env e
    WHERE o.id IN (OLD.offer_id, NEW.offer_id)
      AND o.last_modified <> now()
      AND e.id = o.environment_id
      AND e.kind = 'design';
    RETURN NULL;
END $$;
CREATE TRIGGER touch_offer AFTER INSERT OR DELETE OR UPDATE OF offer_id, space_id, approval, content ON nms.offer_view
    FOR EACH ROW EXECUTE FUNCTION nms.touch_design_offer();
CREATE TRIGGER touch_offer AFTER INSERT OR DELETE OR UPDATE ON nms.offer_weight
    FOR EACH ROW EXECUTE FUNCTION nms.touch_design_offer();

-- The second of its two approvals publishes a design offer at once, whoever gives it: it makes the signal "approval" of
-- the workflow offerMgt due. A signal that waits stands for all that come while it waits: its lock, taken at the end of
-- the transaction so that it is short, makes the run that takes it see this approval, too.
CREATE FUNCTION nms.signal_offer_approval() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$;
CREATE CONSTRAINT TRIGGER approval_inserted AFTER INSERT ON nms.offer
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW
    WHEN (NEW.content_status = 'approved' AND NEW.eligibility_status = 'approved')
    EXECUTE FUNCTION nms.signal_offer_approval();
CREATE CONSTRAINT TRIGGER approval_given AFTER UPDATE ON nms.offer
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW
    WHEN (NEW.content_status = 'approved' AND NEW.eligibility_status = 'approved'
          AND (OLD.content_status, OLD.eligibility_status) IS DISTINCT FROM (NEW.content_status, NEW.eligibility_status))
    EXECUTE FUNCTION nms.signal_offer_approval();
