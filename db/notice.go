package db

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// NoticeText is what a notice says in one language.
type NoticeText struct{ Subject, Body string }

// Notice is what people outside the console are told of a workflow: one mail to each person who watches it, and one
// message to each active webhook. Key makes each of them exist once, whatever is repeated.
type Notice struct {
	Key      string
	Event    string // failed, errors, recovered, drift, paused or stopped
	Workflow int64
	Name     string // internal name of the workflow that writes the notice
	Task     int64  // the run it is about; 0: none
	Authors  bool   // who made the workflow and who changed it last are told, too
	Link     string // absolute, where the console's address is known
	Texts    map[string]NoticeText
}

// noticeReceivers are the supervisors of a workflow, those of the group of workflow supervisors when it has no group of
// its own. One person, and one address, once. A disabled operator is told, too.
const noticeReceivers = `
	WITH told AS (
		SELECT DISTINCT o.id, o.language, trim(COALESCE(o.email, '')) AS address
		FROM xtk.workflow w
		JOIN xtk.operator o
		  ON @authors AND o.id IN (w.created_by_id, w.modified_by_id)
		  OR o.id IN (SELECT m.operator_id
		              FROM xtk.operator_group_member m
		              JOIN xtk.operator_group g ON g.id = m.group_id
		              WHERE g.id = w.supervisor_group_id
		                 OR w.supervisor_group_id IS NULL AND g.internal_name = 'workflowSupervisors')
		WHERE w.id = @workflow
	)`

// WriteNotice puts a notice into the outbox, in the transaction of what it tells of. It returns how many mails were
// written, and how many people have no address.
func WriteNotice(ctx context.Context, tx pgx.Tx, n Notice) (mails, without int64, err error) {
	tag, err := tx.Exec(ctx, noticeReceivers+`
		INSERT INTO nms.notification (effect_key, workflow_name, template, object_schema, object_id, operator_id, to_address, subject, body_text)
		SELECT DISTINCT ON (lower(t.address))
		       @key || ':' || t.id, @name, @event, 'xtk.workflow', @workflow, t.id, t.address,
		       CASE t.language WHEN 'ko' THEN @ko_subject ELSE @en_subject END,
		       CASE t.language WHEN 'ko' THEN @ko_body ELSE @en_body END
		FROM told t
		WHERE t.address <> ''
		ORDER BY lower(t.address), t.id
		ON CONFLICT (effect_key) DO NOTHING`, pgx.StrictNamedArgs{"key": n.Key, "name": n.Name, "event": "workflow_" + n.Event,
		"workflow": n.Workflow, "authors": n.Authors, "en_subject": n.Texts["en"].Subject, "en_body": n.Texts["en"].Body,
		"ko_subject": n.Texts["ko"].Subject, "ko_body": n.Texts["ko"].Body})
	if err != nil {
		return 0, 0, fmt.Errorf("mails of the notice %s: %w", n.Key, err)
	}
	if err := tx.QueryRow(ctx, noticeReceivers+`
		SELECT count(*)
		FROM told
		WHERE address = ''`, pgx.StrictNamedArgs{"workflow": n.Workflow, "authors": n.Authors}).Scan(&without); err != nil {
		return 0, 0, fmt.Errorf("people without an address: %w", err)
	}
	return tag.RowsAffected(), without, n.toWebhooks(ctx, tx)
}

// webhookMessage is the body that a webhook gets. Text is ready to be shown, as chat programs do.
type webhookMessage struct {
	Text     string    `json:"text"`
	Event    string    `json:"event"`
	ID       string    `json:"id"` // the same in every try
	Instance string    `json:"instance"`
	Workflow string    `json:"workflow"`
	Label    string    `json:"label"`
	State    string    `json:"state"`
	Run      int64     `json:"run,omitempty"`
	URL      string    `json:"url,omitempty"`
	At       time.Time `json:"at"`
}

// toWebhooks writes the message for each active webhook, in its language.
func (n Notice) toWebhooks(ctx context.Context, tx pgx.Tx) error {
	var any bool
	m := webhookMessage{Event: n.Event, ID: n.Key, Run: n.Task, URL: n.Link}
	err := tx.QueryRow(ctx, `
		SELECT w.internal_name, w.label, CASE WHEN w.failed THEN 'failed' ELSE w.state END, clock_timestamp(),
		       COALESCE((SELECT string_value FROM xtk.option WHERE name = 'XtkInstanceName'), ''),
		       EXISTS (SELECT FROM nms.ext_account WHERE type = $2 AND active)
		FROM xtk.workflow w
		WHERE w.id = $1`, n.Workflow, AccountWebhook).Scan(&m.Workflow, &m.Label, &m.State, &m.At, &m.Instance, &any)
	if err != nil {
		return fmt.Errorf("workflow of the notice %s: %w", n.Key, err)
	}
	if !any {
		return nil
	}
	bodies := map[string]string{}
	for _, language := range []string{"en", "ko"} {
		m.Text = n.Texts[language].Subject + "\n" + n.Texts[language].Body
		body, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("message to webhooks: %w", err)
		}
		bodies[language] = string(body)
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO nms.notification (effect_key, channel, account_id, workflow_name, template, object_schema, object_id, to_address, subject, body_text)
		SELECT @key || ':webhook:' || a.id, 'webhook', a.id, @name, @event, 'xtk.workflow', @workflow, a.label,
		       CASE a.params ->> 'language' WHEN 'ko' THEN @ko_subject ELSE @en_subject END,
		       CASE a.params ->> 'language' WHEN 'ko' THEN @ko_body ELSE @en_body END
		FROM nms.ext_account a
		WHERE a.type = @type
		  AND a.active
		ON CONFLICT (effect_key) DO NOTHING`, pgx.StrictNamedArgs{"key": n.Key, "name": n.Name, "event": "workflow_" + n.Event,
		"workflow": n.Workflow, "type": AccountWebhook, "en_subject": n.Texts["en"].Subject, "ko_subject": n.Texts["ko"].Subject,
		"en_body": bodies["en"], "ko_body": bodies["ko"]}); err != nil {
		return fmt.Errorf("messages to webhooks: %w", err)
	}
	return nil
}

// PublishURL stores the console's address as people reach it, for whoever writes a link into a mail.
func (d *DB) PublishURL(ctx context.Context, address string) error {
	_, err := d.Pool.Exec(ctx, `
		INSERT INTO xtk.option (name, data_type, string_value)
		VALUES ('NmsServer_URL', 'string', $1)
		ON CONFLICT (name) DO UPDATE
		SET string_value = excluded.string_value
		WHERE xtk.option.string_value IS DISTINCT FROM excluded.string_value`, address)
	if err != nil {
		return fmt.Errorf("store the console's address: %w", err)
	}
	return nil
}
