package engine

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/jobs/catalogue"
)

// publishing is a night with the workflow offerMgt in a state, and a design offer that waits for its second approval.
func publishing(t *testing.T, state string) (n night, workflow jobs.Workflow) {
	t.Helper()
	n = newNight(t)
	all := catalogue.All()
	workflow = all[slices.IndexFunc(all, func(w jobs.Workflow) bool { return w.Name == "offerMgt" })]
	n.exec(`UPDATE xtk.workflow SET state = $1, next_processing = now() + interval '1 year', paused_at = CASE WHEN $1 = 'paused' THEN now() END
		WHERE internal_name = 'offerMgt'`, state)
	n.exec(`INSERT INTO nms.offer_env (id, internal_name, label, kind, live_env_id) VALUES (1, 'design', 'Design', 'design', 2), (2, 'live', 'Live', 'live', NULL)`)
	n.exec(`INSERT INTO nms.offer_space (id, environment_id, internal_name, label, channel) VALUES (901, 1, 'web', 'Web', 120)`)
	n.exec(`INSERT INTO nms.offer (id, environment_id, internal_name, label, content_status) SELECT 910 + g, 1, 'o' || g, 'O', 'approved' FROM generate_series(1, 3) g`)
	n.exec(`INSERT INTO nms.offer_view (offer_id, space_id, approval) SELECT id, 901, 'approved' FROM nms.offer`)
	return n, workflow
}

const (
	signals = `SELECT string_agg(status, ' ' ORDER BY id) FROM xtk.workflow_event WHERE kind = 'signal' AND signal = 'approval'`
	live    = `SELECT count(*) FROM nms.offer WHERE environment_id = 2 AND state = 'live'`
)

// TestSecondApprovalPublishesAtOnce: whoever approves, by whatever way, the offer is live without its workflow being due.
func TestSecondApprovalPublishesAtOnce(t *testing.T) {
	t.Parallel()
	n, w := publishing(t, db.Started)
	n.engine(Config{}, w)
	n.until("1", `SELECT count(*) FROM xtk.engine_node WHERE stopped_at IS NULL`)
	n.exec(`UPDATE nms.offer SET eligibility_status = 'approved' WHERE id = 911`)
	n.until("1", live)
	n.until("processed", signals)
}

// TestApprovalsAreCoalesced: while a signal waits, more approvals make no more of it, and what approves nothing anew makes none.
func TestApprovalsAreCoalesced(t *testing.T) {
	t.Parallel()
	n, w := publishing(t, db.Started)
	n.exec(`UPDATE nms.offer SET label = 'no approval' WHERE id = 911`)
	n.exec(`INSERT INTO nms.offer (id, environment_id, internal_name, label, content_status, eligibility_status) VALUES (970, 2, 'theirs', 'Live', 'approved', 'approved')`)
	if got := n.text(signals); got != "" {
		t.Errorf("nothing approved in a design environment: got %q, want no signal", got)
	}
	// Two people approve at the same time: the second waits for the signal of the first.
	first, err := n.d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Exec(t.Context(), `UPDATE nms.offer SET eligibility_status = 'approved' WHERE id = 911`); err != nil {
		t.Fatal(err)
	}
	n.exec(`UPDATE nms.offer SET eligibility_status = 'approved' WHERE id IN (912, 913)`)
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.exec(`UPDATE nms.offer SET label = 'approved before' WHERE id = 911`)
	if got := n.text(signals); got != "pending" {
		t.Errorf("three approvals: got %q, want one signal that waits", got)
	}
	n.engine(Config{}, w)
	n.until("3", live)
	n.until("processed", signals)
}

// TestApprovalWhileARunTakesTheSignal: an approval that finds the signal taken makes a new one, so none is lost.
func TestApprovalWhileARunTakesTheSignal(t *testing.T) {
	t.Parallel()
	n, _ := publishing(t, db.Started)
	n.exec(`UPDATE nms.offer SET eligibility_status = 'approved' WHERE id = 911`)
	taken, err := n.d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := taken.Exec(t.Context(), `UPDATE xtk.workflow_event SET status = 'processing' WHERE kind = 'signal'`); err != nil {
		t.Fatal(err)
	}
	approved := make(chan error, 1)
	go func() {
		approved <- pgx.BeginFunc(t.Context(), n.d.Pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE nms.offer SET eligibility_status = 'approved' WHERE id = 912`)
			return err
		})
	}()
	n.until("1", `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	if err := taken.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-approved; err != nil {
		t.Fatal(err)
	}
	if got := n.text(signals); got != "processing pending" {
		t.Errorf("got %q, want the one that was taken and a new one", got)
	}
}

// TestApprovalWhereNobodyPublishes: a workflow that is not started gets no signals; one that is paused keeps one.
func TestApprovalWhereNobodyPublishes(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{db.BeingEdited: "", db.Finished: "", db.Paused: "pending"} {
		n, _ := publishing(t, state)
		n.exec(`UPDATE nms.offer SET eligibility_status = 'approved'`)
		if got := n.text(signals); got != want {
			t.Errorf("%s: got %q, want %q", state, got, want)
		}
	}
}
