package engine

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// errorsTold is after how many errors in a row, which its policy ignores, people are told of a workflow.
const errorsTold = 3

// tells says what people are told of an ending: that the workflow has failed, that it goes on with errors in a row, or
// that it recovered after they were told. Empty: nothing.
func (p policy) tells(e ending, c consequence) string {
	switch {
	case c.failed:
		return "failed"
	case e.mode != "normal":
		return ""
	case e.status == "failed" && p.onError == "ignore" && c.state == "" && c.errors == errorsTold && p.state == db.Started:
		return "errors"
	case e.status == "completed" && p.alarm:
		return "recovered"
	}
	return ""
}

// tell writes the notice of an ending, once a run, and remembers whether the supervisors have been alarmed.
func (p policy) tell(ctx context.Context, tx pgx.Tx, e ending, c consequence) error {
	event := p.tells(e, c)
	if event == "" {
		return nil
	}
	if _, err := tx.Exec(ctx, `UPDATE xtk.workflow SET alarmed = $2 WHERE id = $1`, e.workflow, event != "recovered"); err != nil {
		return fmt.Errorf("remember the alarm of %s: %w", p.name, err)
	}
	link, err := linkTo(ctx, tx, e.task, event != "recovered")
	if err != nil {
		return err
	}
	notice := db.Notice{Key: fmt.Sprintf("workflow_%s:%d", event, e.task), Event: event, Workflow: e.workflow, Name: p.name, Task: e.task,
		Link: link, Texts: map[string]db.NoticeText{}}
	for language, text := range notices[event] {
		args := []any{p.name, e.task, orDash(e.step), orDash(e.message), link, c.errors}
		notice.Texts[language] = db.NoticeText{Subject: fmt.Sprintf(text.Subject, args...), Body: fmt.Sprintf(text.Body, args...)}
	}
	_, _, err = db.WriteNotice(ctx, tx, notice)
	return err
}

// linkTo is the address of a run; of a failed one, that of the line of its log that says so.
func linkTo(ctx context.Context, tx pgx.Tx, task int64, failed bool) (string, error) {
	var base string
	var line int64
	err := tx.QueryRow(ctx, `
		SELECT COALESCE((SELECT rtrim(string_value, '/') FROM xtk.option WHERE name = 'NmsServer_URL'), ''),
		       COALESCE((SELECT min(id) FROM xtk.workflow_log WHERE task_id = $1 AND level = 'error'), 0)`, task).Scan(&base, &line)
	if err != nil {
		return "", fmt.Errorf("link to run %d: %w", task, err)
	}
	if line == 0 || !failed {
		return fmt.Sprintf("%s/runs/%d", base, task), nil
	}
	return fmt.Sprintf("%s/runs/%d?line=%d#L%d", base, task, line, line), nil
}

// notices are the texts by event and language. Their places: workflow, run, step, message, link, errors in a row.
var notices = map[string]map[string]db.NoticeText{
	"failed": {
		"en": {Subject: "Workflow %[1]s has failed", Body: `The workflow %[1]s has failed in run %[2]d.

Step: %[3]s
Error: %[4]s

The failing line of the log: %[5]s
Start executes the failed step again, Restart begins anew.
`},
		"ko": {Subject: "워크플로우 %[1]s 실패", Body: `워크플로우 %[1]s, 실행 %[2]d 실패.

단계: %[3]s
오류: %[4]s

실패한 로그 줄: %[5]s
시작은 실패한 단계부터, 다시 시작은 처음부터 실행합니다.
`},
	},
	"errors": {
		"en": {Subject: "Workflow %[1]s: %[6]d errors in a row", Body: `The last %[6]d runs of the workflow %[1]s have failed. Its policy ignores errors: it goes on as planned.

Run: %[2]d
Step: %[3]s
Error: %[4]s

The failing line of the log: %[5]s
`},
		"ko": {Subject: "워크플로우 %[1]s: 연속 오류 %[6]d회", Body: `워크플로우 %[1]s의 최근 실행 %[6]d회가 연속 실패했습니다. 오류 무시 정책에 따라 일정대로 계속 실행됩니다.

실행: %[2]d
단계: %[3]s
오류: %[4]s

실패한 로그 줄: %[5]s
`},
	},
	"recovered": {
		"en": {Subject: "Workflow %[1]s works again", Body: `The workflow %[1]s has completed run %[2]d after it had failed.

%[5]s
`},
		"ko": {Subject: "워크플로우 %[1]s 복구됨", Body: `실패했던 워크플로우 %[1]s이(가) 실행 %[2]d을(를) 정상 완료했습니다.

%[5]s
`},
	},
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
