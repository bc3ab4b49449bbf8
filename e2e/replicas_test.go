package e2e_test

import (
	"strconv"
	"testing"

	"nightshift/db"
	"nightshift/views/locale"
)

// replicas are two nodes on one database: the gate takes no work, the yard serves only the affinity "yard".
func replicas(t *testing.T, d *db.DB) (gate, yard *node) {
	t.Helper()
	gate = start(t, d.URL(), "NIGHTSHIFT_NODE=gate", "NIGHTSHIFT_TAKES_UNASSIGNED=false")
	yard = start(t, d.URL(), "NIGHTSHIFT_NODE=yard", "NIGHTSHIFT_TAKES_UNASSIGNED=false", "NIGHTSHIFT_AFFINITIES=yard")
	if _, err := d.Pool.Exec(t.Context(), `UPDATE xtk.workflow SET affinity = 'yard' WHERE internal_name = 'cleanup'`); err != nil {
		t.Fatal(err)
	}
	return gate, yard
}

// An order given at one node is carried out by the other, its log is read live at the first, and a stop given there reaches it.
func TestOrderHereRunThere(t *testing.T) {
	t.Parallel()
	d := filled(t)
	account(t, d, "kim", locale.English, "administrators")
	started(t, d, "cleanup")
	release := hold(t, d)
	defer release()
	gate, _ := replicas(t, d)
	p := visit(t, gate, locale.English)
	p.signIn("kim")
	before := newestTask(t, d)
	p.ask("cleanup", "run")
	run := awaitTask(t, d, "cleanup", before, "running")
	if run.Node != "yard" {
		t.Errorf("the run: got node %q, want yard", run.Node)
	}
	page := "/runs/" + strconv.FormatInt(run.ID, 10)
	p.open(page)
	p.sees("yard")
	p.ask("cleanup", "stop")
	awaitTask(t, d, "cleanup", before, "stopped")
	p.open(page)
	p.sees(p.says("state.stopped"))
}

// Sessions live in the database: who signs in at one node is in at the other, and who signs out is out at both.
func TestSessionIsEverywhere(t *testing.T) {
	t.Parallel()
	d := filled(t)
	account(t, d, "kim", locale.English, "administrators")
	gate, yard := replicas(t, d)
	p := visit(t, gate, locale.English)
	p.signIn("kim")
	// A cookie of localhost is one of all its ports.
	p.open(yard.base + "/about")
	p.finds("nav.rail")
	p.press("form[action='/sign-out'] button")
	p.open(gate.base + "/about")
	p.arrives(gate.base + "/sign-in**")
}
