package engine

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"nightshift/db/dbtest"
	"nightshift/jobs"
)

// BenchmarkDueAtOnce makes 46 slots due at the same moment, known some seconds before as slots are, and measures how late
// their runs begin. The floor is what 46 sessions and durable rows alone take: a connection, an insert and a commit each.
func BenchmarkDueAtOnce(b *testing.B) {
	const slots = 46
	d := dbtest.New(b)
	ctx := b.Context()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	exec := func(sql string, args ...any) {
		b.Helper()
		_, err := d.Pool.Exec(ctx, sql, args...)
		must(err)
	}
	exec(`INSERT INTO xtk.option (name, data_type, long_value) VALUES ('XtkWorkflow_ConcurrencyLimit', 'long', 200)`)
	exec(`INSERT INTO xtk.workflow (internal_name, label, built, state) SELECT 'due' || n, 'due', true, 'started' FROM generate_series(1, $1) n`, slots)
	exec(`CREATE TABLE nms.floor (at timestamptz)`)
	var all []jobs.Workflow
	for i := range slots {
		all = append(all, quick(fmt.Sprintf("due%d", i+1)))
	}
	e := New(Config{DB: d, Workflows: all, Node: "bench", TakesUnassigned: true, Logger: slog.New(slog.DiscardHandler)})
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- e.Run(working) }()
	for round := 0; b.Loop(); round++ {
		exec(`UPDATE xtk.workflow SET next_processing = now() + interval '8 seconds' WHERE internal_name LIKE 'due%'`)
		for done := 0; done < slots*(round+1); {
			<-time.After(20 * time.Millisecond)
			must(d.Pool.QueryRow(ctx, `SELECT count(*) FROM xtk.workflow_task WHERE status = 'completed'`).Scan(&done))
		}
	}
	stop()
	must(<-ended)
	var p50, p95 float64
	must(d.Pool.QueryRow(ctx, `
		SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY late), percentile_cont(0.95) WITHIN GROUP (ORDER BY late)
		FROM (SELECT extract(epoch FROM start_date - due_at) * 1000 AS late FROM xtk.workflow_task) t`).Scan(&p50, &p95))
	began := time.Now()
	for range slots {
		session, err := d.RunSession(ctx, "nightshift floor")
		must(err)
		_, err = session.Exec(ctx, `INSERT INTO nms.floor VALUES (now())`)
		must(err)
		must(session.Close(ctx))
	}
	floor := float64(time.Since(began).Microseconds()) / 1000
	b.ReportMetric(p50, "ms-late-p50")
	b.ReportMetric(p95, "ms-late-p95")
	b.ReportMetric(floor, "ms-floor")
	b.ReportMetric(p95/floor, "x-of-floor")
}
