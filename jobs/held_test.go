package jobs_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/jobs/jobtest"
)

// hold opens a session like a person's, which has the table for itself until it is closed.
func hold(t *testing.T, d *db.DB, table string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(d.URL())
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["application_name"] = "psql"
	other, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close(context.Background()) })
	for _, sql := range []string{`BEGIN`, `LOCK TABLE ` + table + ` IN ACCESS EXCLUSIVE MODE`} {
		if _, err := other.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return other
}

// TestWhoHoldsTheLock: a run that waits says for whom, with what a person needs to end that session, and so does its end.
func TestWhoHoldsTheLock(t *testing.T) {
	t.Parallel()
	held := regexp.MustCompile(`the lock on nms\.item is held by psql of \S+, backend \d+, idle in transaction for \S+`)
	for name, run := range map[string]func(context.Context, *jobs.Run) error{
		"read": func(ctx context.Context, r *jobs.Run) error {
			return r.Query(ctx, func(pgx.Rows) error { return nil }, `SELECT FROM nms.item`)
		},
		"purge": oldItems(10).Run,
		"write": func(ctx context.Context, r *jobs.Run) error {
			_, err := r.Exec(ctx, "items", `DELETE FROM nms.item`)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := sample(t, 10)
			hold(t, d, "nms.item")
			got := jobtest.Run(t, d, workflow(run))
			log := strings.Join(got.Log, "\n")
			if got.Status != "failed" || got.Outcome.Code != "55P03" || !held.MatchString(got.Message) {

				t.Errorf("got %s (%s, %s), want failed with who holds the lock", got.Status, got.Outcome.Code, got.Message)
			}
			if strings.Count(log, "info waits: the lock on nms.item is held by psql of ") != 1 || got.Outcome.Warnings != 3 {
				t.Errorf("got %d warnings, want that it is tried again, and a line while it waits: %s", got.Outcome.Warnings, log)
			}
		})
	}
}

// TestALockThatIsGivenBack: what is locked for a moment fails nothing, wherever a run meets the lock.
func TestALockThatIsGivenBack(t *testing.T) {
	t.Parallel()
	d := sample(t, 100)
	other := hold(t, d, "nms.item")
	go func() {
		until(t, d, `SELECT EXISTS (SELECT FROM xtk.workflow_log WHERE message LIKE '%; again in %')`)
		_ = other.Close(context.Background())
	}()
	got := jobtest.Run(t, d, oldItems(10))
	if got.Status != "completed" || got.Effects["nms.item"].Deleted == 0 {
		t.Errorf("got %s (%s), %v, want completed with the rows deleted", got.Status, got.Message, got.Effects)
	}
}

// TestWhoStandsFirst: of those who wait for each other, the one is named who waits for nobody.
func TestWhoStandsFirst(t *testing.T) {
	t.Parallel()
	d := sample(t, 10)
	first := hold(t, d, "nms.item")
	second, err := d.Pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Release()
	waiting, done := context.WithCancel(t.Context())
	defer done()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = second.Exec(waiting, `SET lock_timeout = 0; ALTER TABLE nms.item ADD COLUMN another int`)
	}()
	until(t, d, `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'nms.item'::regclass)`)
	got := jobtest.Run(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		_, err := r.Exec(ctx, "items", `DELETE FROM nms.item`)
		return err
	}))
	if want := fmt.Sprintf("backend %d", first.PgConn().PID()); !strings.Contains(got.Message, want+", idle in transaction") {
		t.Errorf("got %q, want %s named, for whom both wait", got.Message, want)
	}
	done()
	<-ended
}
