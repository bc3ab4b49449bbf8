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

// BenchmarkForecastingDeliveries foresees many small deliveries: two thousand to ten people each, one in five prepared,
// under two pressure rules. What a delivery costs is what is measured.
//
//	go run ./db/dbtest/cluster go test ./jobs/delivery -run - -bench ForecastingDeliveries -benchtime 1x
func BenchmarkForecastingDeliveries(b *testing.B) {
	d := planned(b,
		ruled(1, "pressure", `{"threshold": 20, "period_days": 15, "use_calendar": true, "grouping": "week"}`),
		ruled(4, "pressure", `{"threshold": 30, "period_days": 30, "use_calendar": true, "dimension": "r.account"}`),
		`INSERT INTO nms.recipient (id, email, status, account) SELECT n, 'q' || n || '@example.com', n % 2, 'h' || n / 2 FROM generate_series(4, 500) n`,
		`INSERT INTO nms.delivery (id, internal_name, label, typology_id, schedule_mode, contact_date, target_def, state, to_deliver)
		 SELECT n, 'DM' || n, 'Newsletter ' || n, 1, 'scheduled', '2026-05-20 09:00+09'::timestamptz + make_interval(hours => n / 4),
		        jsonb_build_object('query', 'r.id % 50 = ' || n % 50), CASE n % 5 WHEN 0 THEN 'target_ready' ELSE 'editing' END, 10 FROM generate_series(1, 2000) n`,
		`INSERT INTO nms.broad_log (delivery_id, recipient_id, address, created)
		 SELECT d.id, r.id, r.email, '2026-05-18' FROM nms.delivery d JOIN nms.recipient r ON r.id % 50 = d.id % 50 WHERE d.state = 'target_ready'`,
		`ANALYZE`)
	for _, name := range []string{"first", "again"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				foresees(b, d)
				b.Log(one(b, d, `SELECT string_agg(step_key || ' ' || round(extract(epoch FROM end_date - start_date) * 1000) || ' ms', ', ' ORDER BY step_order)
					FROM xtk.workflow_task_step WHERE task_id = (SELECT max(id) FROM xtk.workflow_task)`),
					one(b, d, `SELECT md5(string_agg(concat_ws(' ', delivery_id, typology_rule_id, excluded_count), ',' ORDER BY delivery_id, typology_rule_id)) || ' ' || sum(excluded_count) FROM nms.dlv_exclusion`))
			}
		})
	}
}
