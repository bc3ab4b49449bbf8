-- What became of each due slot, in one word, so that a statement of a month reads one table: the runs of old slots may be
-- purged before the slots are.
ALTER TABLE xtk.workflow_event
	ADD outcome text CHECK (outcome IS NULL OR status = 'processed');

UPDATE xtk.workflow_event e
SET outcome = t.status
FROM xtk.workflow_task t
WHERE t.id = e.task_id AND e.status = 'processed';

ALTER TABLE xtk.workflow_event
	-- A failed run counts as failed, however late it was; a caught-up one is not late a second time.
	ADD answer text GENERATED ALWAYS AS (
		CASE WHEN status = 'pending' THEN 'waiting'
		     WHEN status = 'processing' THEN 'running'
		     WHEN status <> 'processed' THEN status
		     WHEN outcome IN ('failed', 'stopped', 'interrupted') THEN outcome
		     WHEN kind = 'catch_up' THEN 'caught_up'
		     WHEN processing_date - scheduled_at > interval '2 minutes' THEN 'ran_late'
		     ELSE 'ran' END) STORED,
	-- A slot of a schedule, and nothing that somebody or something else made due: what makes up for a pause is signed.
	ADD slot boolean GENERATED ALWAYS AS (
		mode = 'normal' AND (kind = 'scheduled' OR kind = 'catch_up' AND operator_login IS NULL)) STORED;

-- What did not run, workflow by workflow.
CREATE INDEX workflow_event_not_run ON xtk.workflow_event (workflow_id, scheduled_at, id)
	WHERE slot AND answer NOT IN ('ran', 'ran_late', 'caught_up', 'running', 'waiting');

-- What is left of slots whose rows were purged: their numbers by the month of the instance's zone.
CREATE TABLE xtk.slot_month (
	workflow_id bigint NOT NULL REFERENCES xtk.workflow ON DELETE CASCADE,
	month date NOT NULL CHECK (extract(day FROM month) = 1),
	answer text NOT NULL,
	reason text NOT NULL DEFAULT '',
	slots bigint NOT NULL,
	PRIMARY KEY (month, workflow_id, answer, reason)
);
CREATE INDEX ON xtk.slot_month (workflow_id);

CREATE FUNCTION xtk.keep_slots() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$;

CREATE TRIGGER keep_slots AFTER DELETE ON xtk.workflow_event
	REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION xtk.keep_slots();
