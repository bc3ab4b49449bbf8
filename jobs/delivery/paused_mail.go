package delivery

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
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

// mail puts the notice into the outbox, for each receiver in his language: supervisors, who made the workflow and who
// changed it last; administrators only as one of these. Its key names workflow, pause and notice, so that it exists once
// whatever is repeated. It returns the mails and the people without an address.
func (w pausedWorkflow) mail(ctx context.Context, tx pgx.Tx, what, url string) (mails, without int64, err error) {
	notice := db.Notice{Key: fmt.Sprintf("workflow_paused:%d:%d:%s:%d", w.id, w.since.Unix(), what, w.notices+1),
		Event: pausedEvents[what], Workflow: w.id, Name: pausedItself, Authors: true,
		Link: fmt.Sprintf("%s/workflows/%s", strings.TrimRight(url, "/"), w.name), Texts: map[string]db.NoticeText{}}
	for language, text := range pausedMails[what] {
		number := min(w.notices+1, maxNotices)
		notice.Texts[language] = db.NoticeText{
			Subject: fmt.Sprintf(text.subject, w.label, w.date(), number, maxNotices, notice.Link),
			Body:    fmt.Sprintf(text.body, w.label, w.date(), number, maxNotices, notice.Link)}
	}
	return db.WriteNotice(ctx, tx, notice)
}

// pausedEvents names what a notice tells for programs that read it.
var pausedEvents = map[string]string{"reminded": "paused", "stopped": "stopped"}
