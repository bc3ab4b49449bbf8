package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/views/locale"
)

// patience is how long a test waits for something that takes moments on an idle machine.
const patience = 60 * time.Second

// root is who orders in a test that has no browser.
var root = db.Actor{Login: "e2e", Rights: []string{"ADMINISTRATION"}}

// password is that of every account of these tests.
const password = "the lamp at the gate 7"

// empty is an installed database, filled is one with the small demo; both are the test's own.
func empty(t testing.TB) *db.DB { return keyed(dbtest.New(t)) }

func filled(t testing.TB) *db.DB { return keyed(dbtest.Demo(t)) }

func keyed(d *db.DB) *db.DB {
	d.UseKey([]byte(instanceKey))
	return d
}

// account makes an operator of some groups who reads the language, with the password of these tests.
func account(t testing.TB, d *db.DB, login string, lang locale.Lang, groups ...string) {
	t.Helper()
	o, err := d.AddOperator(t.Context(), root, db.OperatorEdit{Login: login, Label: login, Language: string(lang), Groups: groups})
	if err != nil {
		t.Fatalf("operator %s: %s", login, err)
	}
	token, err := d.ResetLink(t.Context(), root, o.ID)
	if err == nil {
		err = d.ResetPassword(t.Context(), root, token, password)
	}
	if err != nil {
		t.Fatalf("password of %s: %s", login, err)
	}
}

// workflow finds a workflow's id by its internal name.
func workflow(t testing.TB, d *db.DB, name string) int64 {
	t.Helper()
	var id int64
	if err := d.Pool.QueryRow(t.Context(), `SELECT id FROM xtk.workflow WHERE internal_name = $1`, name).Scan(&id); err != nil {
		t.Fatalf("workflow %s: %s", name, err)
	}
	return id
}

// order gives an order as an administrator would.
func order(t testing.TB, d *db.DB, name, command string) {
	t.Helper()
	if err := d.Order(t.Context(), root, workflow(t, d, name), db.Command(command), db.OrderArgs{}); err != nil {
		t.Fatalf("order %s of %s: %s", command, name, err)
	}
}

// started brings a workflow to the state started, whatever the demo left it in.
func started(t testing.TB, d *db.DB, name string) {
	t.Helper()
	_, err := d.Pool.Exec(t.Context(), `
		UPDATE xtk.workflow
		   SET state = 'started', failed = false, next_processing = NULL, schedule = '{"kind": "none"}'
		 WHERE internal_name = $1`, name)
	if err != nil {
		t.Fatalf("start %s: %s", name, err)
	}
}

// task is one run as the tables show it.
type task struct {
	ID     int64
	Status string
	Node   string
}

// lastTask is the newest run of a workflow after the given one; ok is false when there is none.
func lastTask(t testing.TB, d *db.DB, name string, after int64) (found task, ok bool) {
	t.Helper()
	err := d.Pool.QueryRow(t.Context(), `
		SELECT t.id, t.status, t.node
		  FROM xtk.workflow_task t
		  JOIN xtk.workflow w ON w.id = t.workflow_id
		 WHERE w.internal_name = $1 AND t.id > $2
		 ORDER BY t.id DESC
		 LIMIT 1`, name, after).Scan(&found.ID, &found.Status, &found.Node)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatalf("newest run of %s: %s", name, err)
	}
	return found, err == nil
}

func statusOf(t testing.TB, d *db.DB, id int64) (status string) {
	t.Helper()
	if err := d.Pool.QueryRow(t.Context(), `SELECT status FROM xtk.workflow_task WHERE id = $1`, id).Scan(&status); err != nil {
		t.Fatalf("status of run %d: %s", id, err)
	}
	return status
}

// newestTask is the id of the newest run of all, from which a test counts its own.
func newestTask(t testing.TB, d *db.DB) int64 {
	t.Helper()
	var id int64
	if err := d.Pool.QueryRow(t.Context(), `SELECT coalesce(max(id), 0) FROM xtk.workflow_task`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

// awaitTask waits for a run after the given one in one of the states.
func awaitTask(t testing.TB, d *db.DB, name string, after int64, states ...string) task {
	t.Helper()
	var last task
	await(t, patience, func() string { return name + " in one of the states " + text(states) + ", last seen " + text(last) }, func() bool {
		found, ok := lastTask(t, d, name, after)
		last = found
		for _, state := range states {
			if ok && found.Status == state {
				return true
			}
		}
		return false
	})
	return last
}

// await asks every few milliseconds until something holds, and fails with what it was waiting for.
func await(t testing.TB, limit time.Duration, what func() string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", limit, what())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
