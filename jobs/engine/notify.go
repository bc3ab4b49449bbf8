package engine

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// notifySupervisors puts one mail for each supervisor who has an address into the outbox: once a run, whoever repeats
// it. Operators whose account is disabled are told too.
func notifySupervisors(ctx context.Context, tx pgx.Tx, name string, e ending) error {
	texts := map[string]string{}
	for language, text := range failureMail {
		texts[language+"_subject"] = fmt.Sprintf(text.subject, name)
		texts[language+"_body"] = fmt.Sprintf(text.body, name, e.task, orDash(e.step), orDash(e.message), e.task)
	}
	// Without a group of its own a workflow is watched by the group of workflow supervisors.
	if _, err := tx.Exec(ctx, `
		INSERT INTO nms.notification (effect_key, workflow_name, template, object_schema, object_id, operator_id, to_address, subject, body_text)
		SELECT 'workflow_failed:' || @task::bigint || ':' || o.id, @name, 'workflowFailed', 'xtk.workflow', w.id, o.id, o.email,
		       CASE o.language WHEN 'ko' THEN @ko_subject ELSE @en_subject END,
		       CASE o.language WHEN 'ko' THEN @ko_body ELSE @en_body END
		FROM xtk.workflow w
		JOIN xtk.operator_group g ON g.id = w.supervisor_group_id
		                          OR w.supervisor_group_id IS NULL AND g.internal_name = 'workflowSupervisors'
		JOIN xtk.operator_group_member m ON m.group_id = g.id
		JOIN xtk.operator o ON o.id = m.operator_id
		WHERE w.id = @workflow AND COALESCE(trim(o.email), '') <> ''
		ON CONFLICT (effect_key) DO NOTHING`, pgx.StrictNamedArgs{"task": e.task, "workflow": e.workflow, "name": name,
		"en_subject": texts["en_subject"], "en_body": texts["en_body"],
		"ko_subject": texts["ko_subject"], "ko_body": texts["ko_body"]}); err != nil {
		return fmt.Errorf("tell the supervisors of %s: %w", name, err)
	}
	return nil
}

// failureMail is the mail of a failed workflow by language: name; name, run, step, message, run.
var failureMail = map[string]struct{ subject, body string }{
	"en": {"Workflow %s has failed", `The workflow %s has failed in run %d.

Step: %s
Error: %s

The run with its log: /runs/%d
Start executes the failed step again, Restart begins anew.
`},
	"ko": {"워크플로우 %s 실패", `워크플로우 %s, 실행 %d 실패.

단계: %s
오류: %s

실행과 로그: /runs/%d
시작은 실패한 단계부터, 다시 시작은 처음부터 실행합니다.
`},
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
