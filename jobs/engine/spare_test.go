package engine

import (
	"fmt"
	"strings"
	"testing"
)

// TestSpares: as many sessions wait as runs are expected, each run that takes one lessens that, and what was expected in
// vain is let go.
func TestSpares(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	s := newSpares(n.d)
	const waiting = `
		SELECT count(*) FROM pg_stat_activity
		WHERE application_name = 'nightshift spare session' AND state = 'idle' AND datname = current_database()`
	s.expect(t.Context(), 9)
	n.until("9", waiting)
	if got := n.text(`SELECT is_called FROM xtk.workflow_task_id_seq`); got != "false" {
		t.Error("numbers of runs: some are drawn, want none before a run")
	}
	for range 4 {
		session, run, err := s.take(t.Context(), 73, "spare")
		if err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			t.Error("lock of workflow 73: got taken, want free")
		}
		if _, err := session.Exec(t.Context(), `SET application_name = 'run'`); err != nil {
			t.Error(err)
		}
		if err := letGo(t.Context(), session); err != nil {
			t.Error(err)
		}
	}
	n.until("5", waiting)
	s.expect(t.Context(), 0)
	n.until("3", waiting)
	s.close(t.Context())
	n.until("0", waiting)
}

// TestGiveBack: the session of a run that has ended serves the next one, which finds nothing that the first left in it.
func TestGiveBack(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	s := newSpares(n.d)
	defer s.close(t.Context())
	ctx := t.Context()
	session, err := n.d.RunSession(ctx, "nightshift run")
	if err != nil {
		t.Fatal(err)
	}
	const left = `SELECT current_setting('work_mem') || ' ' || current_setting('application_name') || ' ' || (to_regclass('pg_temp.mine') IS NULL)
		|| ' ' || (SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%mine%')
		|| ' ' || (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 73 AND pid = pg_backend_pid())`
	var clean, got string
	if err := session.QueryRow(ctx, left).Scan(&clean); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`SELECT pg_advisory_lock(73, 73)`, `SET work_mem = '7MB'`, `CREATE TEMPORARY TABLE mine (n int)`, `SET application_name = 'nightshift cleanup #1'`} {
		if _, err := session.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := session.Exec(ctx, `INSERT INTO mine VALUES ($1)`, 1); err != nil {
		t.Fatal(err)
	}
	pid := session.PgConn().PID()
	if err := s.giveBack(ctx, session); err != nil {
		t.Fatal(err)
	}
	again, run, err := s.take(ctx, 73, "again")
	if err != nil || run == 0 || again.PgConn().PID() != pid {
		t.Fatalf("again: run %d, backend %d (%v), want one and that of %d", run, again.PgConn().PID(), err, pid)
	}
	if err := again.QueryRow(ctx, left).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(clean, "nightshift run", fmt.Sprintf("nightshift again #%d", run), 1); got != want {
		t.Errorf("left by the first run: got %q, want %q", got, want)
	}
	if err := letGo(ctx, again); err != nil {
		t.Error(err)
	}
}
