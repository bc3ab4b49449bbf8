package delivery_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/delivery"
	"nightshift/jobs/jobtest"
)

var aliasCleansing = jobs.Workflow{Name: "aliasCleansing", Run: delivery.AliasCleansing}

// companies returns a database whose enumeration of companies is cleansed, with values, aliases ("alias→value") and
// recipients of these companies, all modified two days ago.
func companies(t testing.TB, values, aliases, recipients []string) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	do(t, d, `UPDATE xtk.enum SET alias_cleansing = true WHERE internal_name = 'company'`)
	run := func(sql string, args ...any) {
		t.Helper()
		if _, err := d.Pool.Exec(context.Background(), sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	run(`
		INSERT INTO xtk.enum_value (enum_id, name, label)
		SELECT e.id, 'v' || u.n, u.label
		FROM xtk.enum e, unnest($1::text[]) WITH ORDINALITY AS u (label, n)
		WHERE e.internal_name = 'company'`, values)
	for _, alias := range aliases {
		label, value, _ := strings.Cut(alias, "→")
		run(`
			INSERT INTO xtk.enum_alias (enum_id, enum_value_id, label, last_modified)
			SELECT e.id, (SELECT v.id FROM xtk.enum_value v WHERE v.enum_id = e.id AND v.label = $2), $1, now() - interval '2 days'
			FROM xtk.enum e
			WHERE e.internal_name = 'company'`, label, value)
	}
	run(`
		INSERT INTO nms.recipient (email, company, last_modified)
		SELECT 'r' || u.n || '@example.com', u.company, now() - interval '2 days'
		FROM unnest($1::text[]) WITH ORDINALITY AS u (company, n)`, recipients)
	return d
}

func cleanse(t testing.TB, d *db.DB, options ...jobtest.Option) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, aliasCleansing, options...)
	if got.Status != "completed" {
		t.Fatalf("got %s (%s), want completed\n%s", got.Status, got.Message, strings.Join(got.Log, "\n"))
	}
	return got
}

// tells checks that a line of the log has a text.
func tells(t testing.TB, got jobtest.Result, text string) {
	t.Helper()
	if !strings.Contains(strings.Join(got.Log, "\n"), text) {
		t.Errorf("got the log\n%s\nwant a line with %q", strings.Join(got.Log, "\n"), text)
	}
}

const (
	companiesNow = `SELECT string_agg(company || '×' || n, ', ' ORDER BY company COLLATE "C")
		FROM (SELECT company, count(*) AS n FROM nms.recipient GROUP BY company) c`
	toQualify = `SELECT string_agg(label, ', ' ORDER BY label COLLATE "C") FROM xtk.enum_alias WHERE enum_value_id IS NULL`
)

func TestAliasIsReplaced(t *testing.T) {
	t.Parallel()
	d := companies(t, []string{"NIELSEN Ltd"}, []string{"NEILSEN→NIELSEN Ltd"}, []string{"NEILSEN", "NEILSEN", "NEILSEN", "Other Inc"})
	got := cleanse(t, d)
	want(t, d, [2]string{companiesNow, "NIELSEN Ltd×3, Other Inc×1"}, [2]string{toQualify, "Other Inc"})
	tells(t, got, "replaced 'NEILSEN' by 'NIELSEN Ltd': 3 rows (nms.recipient.company)")
	tells(t, got, "Enumeration 'company': 2 distinct values since the beginning, 1 aliases applied, 3 rows updated, 1 values to qualify")
	if e := got.Effects["nms.recipient"]; e.Updated != 3 {
		t.Errorf("got %d recipients updated, want 3", e.Updated)
	}
}

func TestAliasCleansingOffOrForBinning(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"off":     `UPDATE xtk.enum SET alias_cleansing = false WHERE internal_name = 'company'`,
		"binning": `UPDATE xtk.enum SET binning = true WHERE internal_name = 'company'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := companies(t, []string{"NIELSEN Ltd"}, []string{"NEILSEN→NIELSEN Ltd"}, []string{"NEILSEN", "Other Inc"})
			do(t, d, sql)
			before := jobtest.Digest(t, d)
			cleanse(t, d)
			if jobtest.Digest(t, d) != before {
				t.Error("got other rows than before, want no change")
			}
		})
	}
}

func TestSpellingsAreFolded(t *testing.T) {
	t.Parallel()
	d := companies(t, []string{"NIELSEN Ltd", "Café Noir", "100% \\_Fruit'"}, nil,
		[]string{"nielsen  ltd", " NIELSEN LTD ", "CAFE\u0301 noir", "100% \\_fruit'", "100x \\_Fruit'", "v1", "V2", "  "})
	cleanse(t, d)
	want(t, d, [2]string{companiesNow, "  ×1, 100% \\_Fruit'×1, 100x \\_Fruit'×1, Café Noir×1, NIELSEN Ltd×2, v1×1, v2×1"},
		[2]string{toQualify, "100x \\_Fruit'"})
}

func TestSecondCleansingReadsNothing(t *testing.T) {
	t.Parallel()
	d := companies(t, []string{"NIELSEN Ltd"}, []string{"NEILSEN→NIELSEN Ltd"}, []string{"NEILSEN", "Other Inc"})
	cleanse(t, d)
	first := one(t, d, `SELECT last_alias_cleansing FROM xtk.enum WHERE internal_name = 'company'`)
	before := jobtest.Digest(t, d, "nms.recipient", "xtk.enum_alias", "xtk.enum_value")
	got := cleanse(t, d)
	if step := got.StepOf(t, "company"); step.RowsRead != 0 || step.RowsChanged > 1 {
		t.Errorf("got %d rows read, %d changed, want none but the day of the cleansing", step.RowsRead, step.RowsChanged)
	}
	if jobtest.Digest(t, d, "nms.recipient", "xtk.enum_alias", "xtk.enum_value") != before {
		t.Error("got other rows after the second run, want no change")
	}
	want(t, d, [2]string{fmt.Sprintf(`SELECT last_alias_cleansing > '%s' FROM xtk.enum WHERE internal_name = 'company'`, first), "true"})
}

func TestNewMappingReachesOldRows(t *testing.T) {
	t.Parallel()
	d := companies(t, []string{"Adobe"}, nil, []string{"Adob", "Old Name", "adobe"})
	do(t, d, `UPDATE xtk.enum SET last_alias_cleansing = now() - interval '1 hour' WHERE internal_name = 'company'`,
		`INSERT INTO xtk.enum_alias (enum_id, enum_value_id, label) SELECT enum_id, id, 'Adob' FROM xtk.enum_value`)
	cleanse(t, d)
	want(t, d, [2]string{companiesNow, "Adobe×1, Old Name×1, adobe×1"}, [2]string{toQualify, ""})
}

func TestCleansingInBatchesStopsAndGoesOn(t *testing.T) {
	t.Parallel()
	d := companies(t, []string{"NIELSEN Ltd"}, []string{"NEILSEN→NIELSEN Ltd"}, nil)
	do(t, d, `INSERT INTO nms.recipient (email, company) SELECT n || '@example.com', 'NEILSEN' FROM generate_series(1, 12000) AS n`,
		// The second batch waits for this table until the run is stopped.
		`CREATE TABLE nms.gate (passed int)`,
		`INSERT INTO nms.gate VALUES (0)`,
		`CREATE FUNCTION nms.gate() RETURNS trigger LANGUAGE plpgsql AS $$
		 BEGIN
			IF (SELECT count(*) FROM nms.recipient WHERE company <> 'NEILSEN') >= 10000 AND (SELECT passed FROM nms.gate) = 0 THEN
				PERFORM pg_sleep(30);
			END IF;
			RETURN NULL;
		 END $$`,
		`CREATE TRIGGER gate AFTER UPDATE ON nms.recipient FOR EACH STATEMENT EXECUTE FUNCTION nms.gate()`)
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	go func() {
		for ctx.Err() == nil { // until the second batch sleeps
			var asleep bool
			if err := d.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event = 'PgSleep')`).Scan(&asleep); err != nil || asleep {
				stop(jobs.ErrStopped)
			}
		}
	}()
	got := jobtest.Run(t, d, aliasCleansing, jobtest.Context(ctx))
	if got.Status != "stopped" {
		t.Fatalf("got %s, want stopped", got.Status)
	}
	want(t, d, [2]string{companiesNow, "NEILSEN×7000, NIELSEN Ltd×5000"},
		[2]string{`SELECT last_alias_cleansing FROM xtk.enum WHERE internal_name = 'company'`, ""})
	do(t, d, `UPDATE nms.gate SET passed = 1`)
	tells(t, cleanse(t, d), "7000 rows in 2 batches")
	want(t, d, [2]string{companiesNow, "NIELSEN Ltd×12000"})
	do(t, d, `UPDATE nms.recipient SET company = 'NEILSEN', last_modified = clock_timestamp()`)
	tells(t, cleanse(t, d), "12000 rows in 3 batches")
	want(t, d, [2]string{companiesNow, "NIELSEN Ltd×12000"})
}

func TestAliasesInACircleAndChains(t *testing.T) {
	t.Parallel()
	d := companies(t, []string{"A", "B", "One", "Two", "Three"}, []string{"A→B", "B→A", "Zero→One", "One→Two", "Two→Three"},
		[]string{"A", "B", "Zero", "one"})
	got := cleanse(t, d)
	want(t, d, [2]string{companiesNow, "A×1, B×1, Three×2"})
	tells(t, got, "warning Alias 'A' leads in a circle: left alone (nms.recipient.company)")
	tells(t, got, "warning Alias 'B' leads in a circle")
}

func TestHitsAreCountedWhenAskedFor(t *testing.T) {
	t.Parallel()
	const hits = `SELECT string_agg(label || '=' || hits, ', ' ORDER BY label)
		FROM (SELECT label, hits FROM xtk.enum_alias UNION ALL SELECT label, hits FROM xtk.enum_value) h`
	d := companies(t, []string{"NIELSEN Ltd", "Unused"}, []string{"NEILSEN→NIELSEN Ltd"}, []string{"NIELSEN Ltd"})
	do(t, d, `INSERT INTO nms.recipient (email, company) SELECT n || '@example.com', 'NEILSEN' FROM generate_series(1, 214) AS n`,
		`UPDATE xtk.enum_value SET hits = 7 WHERE label = 'Unused'`)
	cleanse(t, d)
	want(t, d, [2]string{hits, "NEILSEN=0, NIELSEN Ltd=0, Unused=7"})
	do(t, d, `UPDATE nms.recipient SET company = 'NEILSEN' WHERE company = 'NIELSEN Ltd' AND email <> 'r1@example.com'`)
	cleanse(t, d, jobtest.Args(map[string]string{"updateHits": ""}))
	want(t, d, [2]string{hits, "NEILSEN=214, NIELSEN Ltd=0, Unused=7"})
	do(t, d, `UPDATE nms.recipient SET company = 'NEILSEN' WHERE email <> 'r1@example.com'`)
	cleanse(t, d, jobtest.Args(map[string]string{"updateHits": "full"}))
	want(t, d, [2]string{hits, "NEILSEN=214, NIELSEN Ltd=1, Unused=0"},
		[2]string{`SELECT last_hits_computation IS NOT NULL FROM xtk.enum WHERE internal_name = 'company'`, "true"})
}

func TestSimulatedCleansingChangesNothing(t *testing.T) {
	t.Parallel()
	d := companies(t, []string{"NIELSEN Ltd"}, []string{"NEILSEN→NIELSEN Ltd"}, []string{"Other Inc"})
	do(t, d, `INSERT INTO nms.recipient (email, company) SELECT n || '@example.com', 'NEILSEN' FROM generate_series(1, 214) AS n`)
	before := jobtest.Digest(t, d)
	got := jobtest.Simulate(t, d, aliasCleansing)
	if got.Status != "completed" || jobtest.Digest(t, d) != before {
		t.Errorf("got %s and other rows, want completed and no change", got.Status)
	}
	tells(t, got, "would replace 'NEILSEN' by 'NIELSEN Ltd': 214 rows")
	tells(t, got, "214 rows would be updated, 1 values to qualify")
	if e := got.Effects["nms.recipient"]; e.Updated != 214 {
		t.Errorf("got %d recipients in the plan, want 214", e.Updated)
	}
}

func TestNothingToCleanse(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if got := cleanse(t, d); len(got.Effects) != 0 {
		t.Errorf("got %v, want no effect", got.Effects)
	}
}

func TestBindingsThatCannotBeCleansed(t *testing.T) {
	t.Parallel()
	d := companies(t, []string{"NIELSEN Ltd"}, []string{"NEILSEN→NIELSEN Ltd"}, []string{"NEILSEN"})
	do(t, d, `CREATE TABLE nms.short (id int, name varchar(8), note text)`,
		`INSERT INTO nms.short (id, name, note) VALUES (1, 'NEILSEN', 'NEILSEN')`,
		`INSERT INTO xtk.enum_binding (enum_id, table_name, column_name, modified_column)
		 SELECT e.id, b.table_name, b.column_name, b.modified_column
		 FROM xtk.enum e, (VALUES ('nms.foo', 'bar', NULL), ('nms.recipient; DROP TABLE nms.short', 'name', NULL),
			('nms.recipient', 'nothing', NULL), ('nms.recipient', 'id', NULL), ('nms.short', 'name', NULL), ('nms.short', 'note', 'changed'))
			AS b (table_name, column_name, modified_column)
		 WHERE e.internal_name = 'company'`)
	got := cleanse(t, d)
	want(t, d, [2]string{companiesNow, "NIELSEN Ltd×1"}, [2]string{`SELECT name || ', ' || note FROM nms.short`, "NEILSEN, NIELSEN Ltd"})
	tells(t, got, "Binding nms.foo.bar ignored: table does not exist")
	tells(t, got, "Binding nms.recipient.nothing ignored: column does not exist")
	tells(t, got, "Binding nms.recipient.id ignored: column does not hold text")
	tells(t, got, "nms.short.note has no date of modification: all of its rows are read")
	tells(t, got, "'NIELSEN Ltd' is longer than the 8 characters of nms.short.name")
}

func TestOneEnumerationFailsAlone(t *testing.T) {
	t.Parallel()
	d := companies(t, []string{"NIELSEN Ltd"}, []string{"NEILSEN→NIELSEN Ltd"}, []string{"NEILSEN"})
	do(t, d, `UPDATE xtk.enum SET alias_cleansing = true WHERE internal_name = 'origin'`,
		`UPDATE nms.recipient SET origin = 'x'`,
		`INSERT INTO xtk.enum_value (enum_id, name, label) SELECT id, 'X', 'X' FROM xtk.enum WHERE internal_name = 'origin'`,
		`ALTER TABLE nms.recipient ADD CHECK (company <> 'NIELSEN Ltd')`)
	got := jobtest.Run(t, d, aliasCleansing)
	if got.Status != "failed" || !strings.Contains(got.Message, "company: replace in nms.recipient.company") {
		t.Errorf("got %s (%s), want failed by company", got.Status, got.Message)
	}
	want(t, d, [2]string{`SELECT company || ', ' || origin FROM nms.recipient`, "NEILSEN, X"},
		[2]string{`SELECT string_agg(internal_name, ',') FROM xtk.enum WHERE last_alias_cleansing IS NOT NULL`, "origin"})
}

func TestCleansingSurvivesACutAnywhere(t *testing.T) {
	t.Parallel()
	setup := func(t testing.TB) *db.DB {
		return companies(t, []string{"NIELSEN Ltd", "Adobe"}, []string{"NEILSEN→NIELSEN Ltd"}, []string{"NEILSEN", "adobe", "Other Inc"})
	}
	jobtest.CrashSweep(t, aliasCleansing, setup)
	jobtest.StopSweep(t, aliasCleansing, setup)
}

func TestLedgerOfCleansing(t *testing.T) {
	t.Parallel()
	d := companies(t, []string{"NIELSEN Ltd"}, []string{"NEILSEN→NIELSEN Ltd"}, []string{"NEILSEN", "Other Inc"})
	counters := jobtest.Count(t, d)
	counters.Check(t, cleanse(t, d, jobtest.Args(map[string]string{"updateHits": "full"})))
}
