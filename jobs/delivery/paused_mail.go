package delivery

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// mailText is a mail in one language. Its places are the workflow's label, since when it is paused, the number of this
// notice and of all, and the address of its page.
type mailText struct{ subject, body string }

var pausedMails = map[string]map[string]mailText{
	"reminded": {
		"en": {"Workflow %[1]s has been paused since %[2]s", `The workflow %[1]s has been paused since %[2]s. Nothing of it runs.

This is notice %[3]d of %[4]d. After the last one the workflow is stopped and its work tables are deleted.
Start it again, or stop it if it is no longer needed: %[5]s
`},
		"ko": {"워크플로우 %[1]s: %[2]s부터 일시 중지됨", `워크플로우 %[1]s이(가) %[2]s부터 일시 중지되어 실행되지 않습니다.

알림 %[3]d/%[4]d. 마지막 알림 후에는 워크플로우가 중지되고 작업 테이블이 삭제됩니다.
다시 시작하거나 더 필요하지 않으면 중지하십시오: %[5]s
`},
	},
	"stopped": {
		"en": {"Workflow %[1]s was stopped", `The workflow %[1]s had been paused since %[2]s. After %[4]d notices it was stopped unconditionally.

The next database cleanup deletes its work tables: %[5]s
`},
		"ko": {"워크플로우 %[1]s 중지됨", `워크플로우 %[1]s이(가) %[2]s부터 일시 중지되어 있었으며, 알림 %[4]d회 후 무조건 중지되었습니다.

다음 데이터베이스 정리에서 작업 테이블이 삭제됩니다: %[5]s
`},
	},
}

// pausedReceivers are who is told of a workflow: its supervisors, who made it and who changed it last. Administrators are
// told only as one of these; one person, and one address, once. A disabled operator is told, too.
const pausedReceivers = `
	WITH told AS (
		SELECT DISTINCT o.id, o.language, trim(COALESCE(o.email, '')) AS address
		FROM xtk.workflow w
		JOIN xtk.operator o
		  ON o.id IN (w.created_by_id, w.modified_by_id)
		  OR o.id IN (SELECT m.operator_id
		              FROM xtk.operator_group_member m
		              JOIN xtk.operator_group g ON g.id = m.group_id
		              WHERE g.id = w.supervisor_group_id
		                 OR w.supervisor_group_id IS NULL AND g.internal_name = 'workflowSupervisors')
		WHERE w.id = @workflow
	)`

// mail puts the mails into the outbox, each in its receiver's language. The key of each names workflow, pause, notice
// and receiver, so that it exists once whatever is repeated. It returns the mails and the people without an address.
func (w pausedWorkflow) mail(ctx context.Context, tx pgx.Tx, what, url string) (mails, without int64, err error) {
	key := fmt.Sprintf("workflow_paused:%d:%d:%s:%d", w.id, w.since.Unix(), what, w.notices+1)
	args := pgx.StrictNamedArgs{"workflow": w.id, "key": key, "name": pausedItself, "template": "workflowPaused"}
	for language, text := range pausedMails[what] {
		notice := min(w.notices+1, maxNotices)
		link := fmt.Sprintf("%s/workflows/%s", url, w.name)
		args[language+"_subject"] = fmt.Sprintf(text.subject, w.label, w.date(), notice, maxNotices, link)
		args[language+"_body"] = fmt.Sprintf(text.body, w.label, w.date(), notice, maxNotices, link)
	}
	tag, err := tx.Exec(ctx, pausedReceivers+`
		INSERT INTO nms.notification (effect_key, workflow_name, template, object_schema, object_id, operator_id, to_address, subject, body_text)
		SELECT DISTINCT ON (lower(t.address))
		       @key || ':' || t.id, @name, @template, 'xtk.workflow', @workflow, t.id, t.address,
		       CASE t.language WHEN 'ko' THEN @ko_subject ELSE @en_subject END,
		       CASE t.language WHEN 'ko' THEN @ko_body ELSE @en_body END
		FROM told t
		WHERE t.address <> ''
		ORDER BY lower(t.address), t.id
		ON CONFLICT (effect_key) DO NOTHING`, args)
	if err != nil {
		return 0, 0, fmt.Errorf("mails of %s: %w", w.name, err)
	}
	if err := tx.QueryRow(ctx, pausedReceivers+`
		SELECT count(*)
		FROM told
		WHERE address = ''`, pgx.StrictNamedArgs{"workflow": w.id}).Scan(&without); err != nil {
		return 0, 0, fmt.Errorf("people without an address: %w", err)
	}
	return tag.RowsAffected(), without, nil
}
