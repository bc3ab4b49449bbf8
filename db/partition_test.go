package db_test

import (
	"context"
	"testing"
	"time"

	"nightshift/db/dbtest"
)

func TestEnsurePartitions(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	now := time.Now().UTC()
	name := "xtk.workflow_log" + now.Format("_2006_01")
	for _, sql := range []string{
		"DROP TABLE " + name,
		`INSERT INTO xtk.workflow_log (workflow_id, message) VALUES (1, 'waits in the default partition')`,
		`INSERT INTO xtk.workflow_log (workflow_id, message, log_date) VALUES (1, 'older than any partition', '2001-01-01')`,
	} {
		if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for round, want := range []int{1, 0} {
		got, err := d.EnsurePartitions(context.Background())
		if err != nil || got != want {
			t.Fatalf("call %d: got %d partitions, error %v, want %d", round+1, got, err, want)
		}
	}
	var moved, stayed, ahead int
	err := d.Pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM `+name+`),
		       (SELECT count(*) FROM xtk.workflow_log_default),
		       (SELECT count(*) FROM pg_inherits WHERE inhparent = 'xtk.workflow_log'::regclass)`).Scan(&moved, &stayed, &ahead)
	if err != nil || moved != 1 || stayed != 1 || ahead != 18 {
		t.Errorf("got %d rows moved, %d kept, %d partitions, error %v, want 1, 1 and 18 (17 months and the default)", moved, stayed, ahead, err)
	}
}
