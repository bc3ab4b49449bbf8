package demo_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/db/demo"
)

// installed is an empty database with the workflows that get a past.
func installed(t *testing.T) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	_, err := d.Pool.Exec(t.Context(), `
		UPDATE xtk.workflow
		SET built = true
		WHERE internal_name IN ('cleanup', 'aliasCleansing', 'cleanupPausedWorkflows')`)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// today is a moment that every test loads as of: this hour.
func today() time.Time { return time.Now().UTC().Truncate(time.Hour) }

// digests hashes the rows of every table.
func digests(t *testing.T, d *db.DB) map[string]string {
	t.Helper()
	rows, err := d.Pool.Query(t.Context(), `
		SELECT format('%I.%I', n.nspname, c.relname)
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('nms', 'xtk')
		  AND c.relkind IN ('r', 'p')
		  AND NOT c.relispartition`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, table := range tables {
		var digest *string
		err := d.Pool.QueryRow(t.Context(), `SELECT md5(string_agg(md5(r::text), '' ORDER BY r::text)) FROM `+table+` r`).Scan(&digest)
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		if digest != nil {
			all[table] = *digest
		}
	}
	return all
}

// installedNow are rows that the migrations write with the moment of the migration, not the demo's.
var installedNow = []string{"xtk.schema_version", "xtk.operator", "xtk.package_install", "xtk.option", "nms.broad_log_msg", "xtk.enum", "xtk.workflow"}

func TestSameSeedSameRows(t *testing.T) {
	t.Parallel()
	now, all := today(), []map[string]string{}
	for _, seed := range []int64{7, 7, 8} {
		d := installed(t)
		if err := demo.LoadAt(t.Context(), d, demo.Small, seed, now); err != nil {
			t.Fatal(err)
		}
		all = append(all, digests(t, d))
	}
	other := 0
	for _, table := range slices.Sorted(maps.Keys(all[0])) {
		if all[0][table] != all[1][table] && !slices.Contains(installedNow, table) {
			t.Errorf("%s: two loads with the same seed differ, want the same rows", table)
		}
		if all[0][table] != all[2][table] {
			other++
		}
	}
	if other < 10 {
		t.Errorf("another seed changed %d tables, want at least 10", other)
	}
}

// TestSmallIsSmallAndQuick: seconds on an idle machine; here others share it.
func TestSmallIsSmallAndQuick(t *testing.T) {
	t.Parallel()
	d := installed(t)
	began, last := time.Now(), int64(0)
	err := demo.Load(t.Context(), d, demo.Small, 1, func(done, total int64, what string) {
		if done < last || done > total || what == "" {
			t.Errorf("progress %d of %d %q after %d: want it to grow up to its total", done, total, what, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the small demo took %s, want seconds", took)
	}
	if last != demo.Small.Rows() {
		t.Errorf("progress ended at %d, want %d", last, demo.Small.Rows())
	}
	if got := countAll(t, d); got < 45_000 || got > 55_000 {
		t.Errorf("the small demo has %d rows, want about 50,000", got)
	}
}

func countAll(t *testing.T, d *db.DB) (sum int64) {
	t.Helper()
	for table := range digests(t, d) {
		var n int64
		if err := d.Pool.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// TestNothingIsDestroyed: a second load is refused in words, and so is one into a database with people of its own.
func TestNothingIsDestroyed(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if _, err := d.Pool.Exec(t.Context(), `INSERT INTO nms.recipient (last_name) VALUES ('Real')`); err != nil {
		t.Fatal(err)
	}
	before := digests(t, d)
	err := demo.Load(t.Context(), d, demo.Small, 1, nil)
	if !errors.Is(err, demo.ErrNotEmpty) {
		t.Fatalf("loading into a database with a recipient: got %v, want %v", err, demo.ErrNotEmpty)
	}
	if after := digests(t, d); !maps.Equal(before, after) {
		t.Errorf("the refused load changed rows: got %v, want %v", after, before)
	}
}

// TestInterruptedLoadLeavesNothing: half a demo is no demo, and the next try begins anew.
func TestInterruptedLoadLeavesNothing(t *testing.T) {
	t.Parallel()
	d := installed(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := demo.Load(ctx, d, demo.Small, 1, func(done, _ int64, _ string) {
		if done > 20_000 {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("the interrupted load succeeded, want an error")
	}
	var people int64
	if err := d.Pool.QueryRow(t.Context(), `SELECT count(*) FROM nms.recipient`).Scan(&people); err != nil || people != 0 {
		t.Fatalf("after the interrupted load: %d recipients (%v), want none", people, err)
	}
	if err := demo.Load(t.Context(), d, demo.Small, 1, nil); err != nil {
		t.Errorf("the next load: %v, want none", err)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	d := installed(t)
	var out bytes.Buffer
	if err := demo.Command(t.Context(), []string{"--size", "small", "--seed", "3"}, d.URL(), &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "100 %") || !strings.Contains(got, "invented") {
		t.Errorf("output %q: want a bar up to 100 %% and a word on what is invented", got)
	}
	var started bool
	if err := d.Pool.QueryRow(t.Context(), `
		SELECT bool_and(state = 'started')
		FROM xtk.workflow
		WHERE built AND internal_name IN ('tracking', 'forecasting', 'offerMgt', 'billing', 'cleanup')`).Scan(&started); err != nil || !started {
		t.Errorf("workflows that find work in the demo: got started %t, %v", started, err)
	}
	err := demo.Command(t.Context(), nil, d.URL(), &out)
	if !errors.Is(err, demo.ErrNotEmpty) {
		t.Errorf("the command once more: got %v, want %v", err, demo.ErrNotEmpty)
	}
	if err := demo.Command(t.Context(), []string{"--size", "huge"}, d.URL(), &out); err == nil || !strings.Contains(err.Error(), "small, medium or large") {
		t.Errorf("size huge: got %v, want the sizes there are", err)
	}
}

// TestNextRowsFollow: after the demo, the database's own ids go on behind the demo's.
func TestNextRowsFollow(t *testing.T) {
	t.Parallel()
	d := installed(t)
	if err := demo.Load(t.Context(), d, demo.Small, 1, nil); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO nms.recipient (last_name) VALUES ('Next')`,
		`INSERT INTO nms.delivery (internal_name, label) VALUES ('next', 'Next')`,
		`INSERT INTO nms.broad_log (delivery_id) VALUES (1)`,
		`INSERT INTO nms.broad_log_rt_event (delivery_id, event_id) VALUES (1, 1)`,
		`INSERT INTO nms.tracking_log (url_id, log_date) VALUES (1, now())`,
		`INSERT INTO nms.rt_event DEFAULT VALUES`,
		`INSERT INTO nms.proposition (offer_id, status, event_date) VALUES (1, 'generated', now())`,
		`INSERT INTO xtk.workflow_log (workflow_id, message) VALUES (1, 'next')`,
		`INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key) SELECT max(id), 99, 'next' FROM xtk.workflow_task`,
	} {
		if _, err := d.Pool.Exec(t.Context(), statement); err != nil {
			t.Errorf("%s: %v, want no error", statement, err)
		}
	}
	var doubled int64
	err := d.Pool.QueryRow(t.Context(), `
		SELECT count(*)
		FROM (SELECT id FROM nms.broad_log UNION ALL SELECT id FROM nms.broad_log_rt_event
		      UNION ALL SELECT id FROM nms.broad_log_batch_event UNION ALL SELECT id FROM nms.broad_log_event_histo) m
		GROUP BY id
		HAVING count(*) > 1`).Scan(&doubled)
	if !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("message ids in two tables: got %d (%v), want none: they share one sequence", doubled, err)
	}
}
