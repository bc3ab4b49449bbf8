package delivery_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs/jobtest"
	"nightshift/jobs/redirlog"
)

// backlog is how many lines wait, in the rounds of each side of which the fastest counts.
const (
	backlog = 1_000_000
	rounds  = 1
)

// platform is an empty log of hits, and 200 deliveries of the last month with their 200,000 messages.
func platform(b *testing.B) func(testing.TB) *db.DB {
	b.Helper()
	d := dbtest.New(b)
	if _, err := d.EnsurePartitions(b.Context()); err != nil {
		b.Fatal(err)
	}
	do(b, d, `
		INSERT INTO nms.delivery (id, internal_name, label, state, mapping_id, contact_date, created)
		SELECT n, 'dm' || n, 'Delivery ' || n, 'finished', (SELECT id FROM nms.delivery_mapping WHERE internal_name = 'mapRecipient'),
		       now() - interval '20 days', now() - interval '21 days'
		FROM generate_series(1, 200) n`, `
		INSERT INTO nms.tracking_url (id, delivery_id, type)
		SELECT 1000 + n * 5 + k, n, 1
		FROM generate_series(1, 200) n, generate_series(0, 4) k`, `
		INSERT INTO nms.broad_log (id, delivery_id, recipient_id, status, created, last_modified)
		SELECT n, 1 + (n - 1) / 1000, n, 'sent', now() - interval '20 days', now() - interval '20 days'
		FROM generate_series(1, 200000) n`, `ANALYZE`)
	return dbtest.Fork(b, d)
}

// rawBacklog writes the raw log of a day: a third clicks, the rest opens, of messages in no order.
func rawBacklog(b *testing.B, folder string) []redirlog.Line {
	b.Helper()
	agents := []string{chrome, "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"}
	lines := make([]redirlog.Line, backlog)
	for i := range lines {
		message := int64(i)*7919%200_000 + 1
		deliveryID := 1 + (message-1)/1000
		url := int64(1)
		if i%3 == 0 {
			url = 1000 + deliveryID*5 + int64(i)%5
		}
		lines[i] = redirlog.Line{ID: uint64(1_000_000_000 + i), Date: morning().Add(time.Duration(i) * 80 * time.Millisecond), BroadLog: message, Delivery: deliveryID,
			URL: url, Flag: "h", UUID: fmt.Sprintf("u-%016x", message*2654435761), Agent: agents[i%2], Address: "192.0.2.7"}
	}
	for part := range slices.Chunk(lines, 50_000) {
		rawFile(b, folder, part[0].ID, part...)
	}
	return lines
}

// bareCopy brings the rows that a run makes of the lines into the same table by one COPY.
func bareCopy(b *testing.B, d *db.DB, lines []redirlog.Line) time.Duration {
	session := jobtest.OpenSession(b, d, "bench")
	defer func() { _ = session.Close(context.Background()) }()
	columns := []string{"broad_log_id", "delivery_id", "recipient_id", "url_id", "user_agent_id", "source_id", "raw_id", "log_date"}
	begin := time.Now()
	_, err := session.CopyFrom(b.Context(), pgx.Identifier{"nms", "tracking_log"}, columns, pgx.CopyFromSlice(len(lines), func(i int) ([]any, error) {
		l := &lines[i]
		return []any{l.BroadLog, l.Delivery, l.BroadLog, l.URL, int64(7), l.UUID, fmt.Sprintf("%x-%x-%x", l.ID, l.BroadLog, l.URL), l.Date}, nil
	}))
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

// stepTime is how long a step of a run took, as its row says it.
func stepTime(b *testing.B, d *db.DB, task int64, key string) time.Duration {
	b.Helper()
	var seconds float64
	if err := d.Pool.QueryRow(b.Context(), `
		SELECT extract(epoch FROM end_date - start_date)
		FROM xtk.workflow_task_step
		WHERE task_id = $1 AND step_key = $2`, task, key).Scan(&seconds); err != nil {
		b.Fatal(err)
	}
	return time.Duration(seconds * float64(time.Second))
}

// A backlog of a million lines, parsed and loaded, against one COPY of the same rows into the same table; then the hour that
// follows, consolidated and computed, against all of it.
func BenchmarkTracking(b *testing.B) {
	fresh, folder := platform(b), b.TempDir()
	lines := rawBacklog(b, folder)
	for b.Loop() {
		var floor, loaded, all, hour []time.Duration
		for range rounds {
			bare := fresh(b)
			floor = append(floor, bareCopy(b, bare, lines))
			bare.Close()
			d := fresh(b)
			r := track(b, d, own(folder), jobtest.CutOff(morning().Add(24*time.Hour)))
			loaded = append(loaded, stepTime(b, d, r.TaskID, "retrieve"))
			all = append(all, stepTime(b, d, r.TaskID, "consolidate"))
			do(b, d, `
				INSERT INTO nms.tracking_log (broad_log_id, delivery_id, recipient_id, url_id, source_id, log_date)
				SELECT n, 1 + (n - 1) / 1000, n, 1, 'u' || n, '`+morning().Add(24*time.Hour).Format(time.RFC3339)+`'::timestamptz + n * interval '80 milliseconds'
				FROM generate_series(1, 41667) n`, `ANALYZE nms.tracking_log`)
			r = track(b, d, jobtest.CutOff(morning().Add(25*time.Hour)))
			hour = append(hour, stepTime(b, d, r.TaskID, "consolidate"))
			d.Close()
		}
		f, l, a, h := slices.Min(floor), slices.Min(loaded), slices.Min(all), slices.Min(hour)
		b.ReportMetric(f.Seconds(), "s-copy")
		b.ReportMetric(l.Seconds(), "s-load")
		b.ReportMetric(f.Seconds()/l.Seconds(), "x-of-copy")
		b.ReportMetric(a.Seconds(), "s-all")
		b.ReportMetric(h.Seconds(), "s-hour")
		b.ReportMetric(h.Seconds()/a.Seconds(), "x-of-all")
	}
}
