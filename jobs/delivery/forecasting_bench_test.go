package delivery_test

import (
	"strings"
	"testing"
	"time"
)

// BenchmarkForecasting foresees a million messages: twenty deliveries to fifty thousand people who have got six messages
// each, under two pressure rules and one of capacity. The first run writes everything, the others find it written.
//
//	go run ./db/dbtest/cluster go test ./jobs/delivery -run - -bench Forecasting -benchtime 1x
func BenchmarkForecasting(b *testing.B) {
	d := planned(b,
		ruled(1, "pressure", `{"threshold_formula": "CASE r.status WHEN 0 THEN 4 ELSE 8 END", "period_days": 15, "use_calendar": true, "grouping": "week"}`),
		ruled(4, "pressure", `{"threshold": 20, "period_days": 30, "use_calendar": true, "dimension": "r.account"}`), officeHours(`, "exclude_excess": true`),
		`INSERT INTO nms.recipient (id, email, status, account) SELECT n, 'q' || n || '@example.com', n % 2, 'h' || n / 2 FROM generate_series(4, 50000) n`,
		`INSERT INTO nms.delivery (id, internal_name, label, typology_id, schedule_mode, contact_date, target_def)
		 SELECT n, 'DM' || n, 'Newsletter ' || n, 1, 'scheduled', '2026-05-20 09:00+09'::timestamptz + make_interval(days => n), '{"query": "true"}' FROM generate_series(1, 20) n`,
		onDay(99, "05-18", "state = 'finished'"),
		`INSERT INTO nms.broad_log (delivery_id, recipient_id, status, event_date, created)
		 SELECT 99, id, 'sent', TIMESTAMP '2026-05-18' - make_interval(days => n * 3), '2026-05-18' FROM nms.recipient, generate_series(1, 6) n`,
		`ANALYZE`)
	floor := func(b *testing.B, sql string) time.Duration {
		b.Helper()
		begin := time.Now()
		do(b, d, sql)
		return time.Since(begin).Round(time.Millisecond)
	}
	for _, name := range []string{"first", "again"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				begin := time.Now()
				got := foresees(b, d)
				took := time.Since(begin).Round(time.Millisecond)
				b.Logf("%s; a bare copy of the provisional logs %s, a bare sort of them %s\n%s", took,
					floor(b, `CREATE TABLE copied (LIKE nms.forecast_log INCLUDING INDEXES); INSERT INTO copied SELECT * FROM nms.forecast_log; DROP TABLE copied`),
					floor(b, `SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY recipient_id, weight, contact_date) FROM nms.forecast_log) l`),
					strings.Join(got.Log, "\n"))
			}
		})
	}
}
