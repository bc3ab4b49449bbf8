package engine

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
)

// BenchmarkRunNow measures from the order to run a workflow to the first instruction of its function, with its row and its
// first line written before. The floor is one durable row whose notice starts a function in a process that listens. The run
// before has been tidied up: the order comes when nobody works, as a person's does.
func BenchmarkRunNow(b *testing.B) {
	d := dbtest.New(b)
	ctx := b.Context()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	began := make(chan time.Time, 1)
	work := jobs.Workflow{Name: "now", Run: func(context.Context, *jobs.Run) error { began <- time.Now(); return nil }}
	var id int64
	must(d.Pool.QueryRow(ctx, `
		INSERT INTO xtk.workflow (internal_name, label, built, state)
		VALUES ('now', 'now', true, 'started')
		RETURNING id`).Scan(&id))
	e := New(Config{DB: d, Workflows: []jobs.Workflow{work}, Node: "bench", TakesUnassigned: true, Logger: slog.New(slog.DiscardHandler)})
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- e.Run(working) }()
	listener, err := pgx.Connect(ctx, d.URL())
	must(err)
	defer func() { _ = listener.Close(context.WithoutCancel(ctx)) }()
	_, err = listener.Exec(ctx, `LISTEN nightshift_bench`)
	must(err)
	var ours, floor []time.Duration
	for range 60 {
		<-time.After(100 * time.Millisecond)
		begin := time.Now()
		must(d.Order(ctx, kim(), id, db.RunNow, db.OrderArgs{}))
		ours = append(ours, (<-began).Sub(begin))
		for done := false; !done; {
			<-time.After(20 * time.Millisecond)
			must(d.Pool.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM xtk.workflow_task WHERE status = 'running')`).Scan(&done))
		}
		begin = time.Now()
		_, err := d.Pool.Exec(ctx, `
			WITH due AS (INSERT INTO xtk.workflow_log (workflow_id, message) VALUES (0, 'floor') RETURNING id)
			SELECT pg_notify('nightshift_bench', id::text) FROM due`)
		must(err)
		_, err = listener.WaitForNotification(ctx)
		must(err)
		floor = append(floor, time.Since(begin))
	}
	stop()
	must(<-ended)
	at := func(all []time.Duration, share float64) float64 {
		slices.Sort(all)
		return float64(all[int(share*float64(len(all)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(at(ours, 0.5), "p50-ms")
	b.ReportMetric(at(ours, 0.95), "p95-ms")
	b.ReportMetric(at(floor, 0.5), "floor-p50-ms")
	b.ReportMetric(at(ours, 0.5)/at(floor, 0.5), "x-of-floor-p50-ms")
}
