package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// loadWorkTables makes tables whose names cleanup knows: it drops those whose owner is gone and keeps the others, and
// what only looks like one of them.
func loadWorkTables(ctx context.Context, l *loader) error {
	err := l.exec(ctx, `
		INSERT INTO nms.simulation (id, internal_name, label, state, created, last_modified)
		VALUES (1, 'summer', 'Summer campaign', 'finished', $1, $1)`, l.ago(90*day))
	if err != nil {
		return err
	}
	names := [][2]string{
		{"nms", "wksimu_1_result"}, {"nms", "wksimu_77_result"},
		{"nms", "grp990001"}, {"nms", "wkdlv_990002_1"}, {"nms", "wkdlv_backup"}, {"nms", "grp_backup"},
		{"xtk", "wkf990003_1"}, {"xtk", "wkf990003_2"}, {"xtk", "wkfhisto990003_a"},
	}
	for i, kind := range listKinds {
		if kind.hasTable {
			names = append(names, [2]string{"nms", fmt.Sprintf("grp%d", i+1)})
		}
	}
	for _, d := range l.deliveries {
		switch d.label {
		case "State in_progress", "State stopped", "State editing", "State ready":
			names = append(names, [2]string{"nms", fmt.Sprintf("wkdlv_%d_1", d.id)})
		}
	}
	for _, name := range names {
		if err := l.workTable(ctx, name[0], name[1]); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) workTable(ctx context.Context, schema, table string) error {
	_, err := l.tx.Exec(ctx, "CREATE TABLE "+pgx.Identifier{schema, table}.Sanitize()+" (id bigint PRIMARY KEY, recipient_id bigint NOT NULL)")
	if err != nil {
		return fmt.Errorf("work table %s: %w", table, err)
	}
	return l.copy(ctx, schema+"."+table, "id recipient_id", numbered(20, func(i int64) []any { return []any{i + 1, i + 1} }))
}

// campaignWorkflow is a workflow that people drew, in a state that cleanupPausedWorkflows or cleanup looks at.
type campaignWorkflow struct {
	name, label, state, severity, reason string
	failed                               bool
	paused                               time.Duration
	notices                              int32
}

var campaignWorkflows = []campaignWorkflow{
	{name: "WKF9001", label: "Spring newsletter 봄 뉴스레터", state: "paused", severity: "normal", paused: 9 * day, reason: "Waiting for the new pictures"},
	{name: "WKF9002", label: "Win-back of lapsed buyers", state: "paused", severity: "normal", paused: 40 * day, notices: 4, reason: "Budget is not decided"},
	{name: "WKF9003", label: "Birthday vouchers", state: "paused", severity: "production", paused: 60 * day, reason: "Vouchers are reprinted"},
	{name: "WKF9004", label: "Import of store receipts", state: "paused", severity: "normal", failed: true, paused: 3 * day},
	{name: "WKF9005", label: "Last year's summer sale", state: "finished", severity: "normal"},
}

// campaigns adds workflows of campaigns with their work tables. They are not technical workflows and this version does
// not run them; the paused ones are what cleanupPausedWorkflows is for.
func (l *loader) campaigns(ctx context.Context) error {
	for _, w := range campaignWorkflows {
		var reason, pausedAt, noticed any
		if w.reason != "" {
			reason = w.reason
		}
		since := l.ago(100 * day)
		if w.paused > 0 {
			pausedAt, since = l.ago(w.paused), l.ago(w.paused)
		}
		if w.notices > 0 {
			noticed = l.ago(8 * day)
		}
		var id int64
		err := l.tx.QueryRow(ctx, `
			INSERT INTO xtk.workflow
				(internal_name, label, kind, state, failed, severity, state_since, paused_at, pause_reason,
				 pause_notice_count, pause_last_notice_at, pause_warning, created, last_modified)
			VALUES ($1, $2, 'campaign', $3, $4, $5, $6, $7, $8, $9, $10, $9 > 0, $11, $6)
			RETURNING id`,
			w.name, w.label, w.state, w.failed, w.severity, since, pausedAt, reason, w.notices, noticed, l.ago(200*day)).Scan(&id)
		if err != nil {
			return fmt.Errorf("workflow %s: %w", w.name, err)
		}
		l.done++
		// Cleanup keeps the tables of a workflow that is not finished, and the history of any that exists.
		for _, table := range []string{fmt.Sprintf("wkf%d_1", id), fmt.Sprintf("wkfhisto%d_a", id)} {
			if err := l.workTable(ctx, "xtk", table); err != nil {
				return err
			}
		}
	}
	return l.exec(ctx, `INSERT INTO xtk.workflow_login (workflow_id, operator_id, created) VALUES (990003, 1, $1), (990004, 1, $1)`, l.ago(40*day))
}
