package e2e_test

import (
	"strconv"
	"testing"

	"github.com/playwright-community/playwright-go"

	"nightshift/db"
	"nightshift/views/locale"
)

// sameOrigin makes a request of the test look like one of a page of the node.
func sameOrigin(n *node) playwright.APIRequestContextPostOptions {
	return playwright.APIRequestContextPostOptions{Headers: map[string]string{"Origin": n.base, "Sec-Fetch-Site": "same-origin"},
		MaxRedirects: playwright.Int(0)}
}

// operatorAt is an administrator who reads the language, signed in at a node on a demo database.
func operatorAt(t *testing.T, lang locale.Lang, habits ...habit) (*person, *db.DB) {
	t.Helper()
	d := filled(t)
	account(t, d, "kim", lang, "administrators")
	p := visit(t, start(t, d.URL()), lang, habits...)
	p.signIn("kim")
	return p, d
}

// ask goes to the page of an order by its address and confirms.
func (p *person) ask(workflow, order string) {
	p.t.Helper()
	p.open("/workflows/" + workflow + "/" + order)
	p.confirm(workflow, order)
}

func (p *person) confirm(workflow, order string) {
	p.t.Helper()
	// Not the button that shows what follows.
	p.press("form[action='/workflows/" + workflow + "/" + order + "'] button[type=submit]:not([formaction])")
}

// Kim starts Database cleanup, watches its log arrive without touching the page, and reads what it did.
func TestStartCleanupAndWatch(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		for name, habits := range map[string][]habit{"with script": nil, "without script": {withoutScript}} {
			t.Run(name, func(t *testing.T) { startAndWatch(t, lang, habits...) })
		}
	})
}

func startAndWatch(t *testing.T, lang locale.Lang, habits ...habit) {
	t.Helper()
	p, d := operatorAt(t, lang, habits...)
	started(t, d, "cleanup")
	release := hold(t, d)
	defer release()
	before := newestTask(t, d)
	p.open("/workflows/cleanup")
	p.ask("cleanup", "run")
	run := awaitTask(t, d, "cleanup", before, "running")
	p.open("/runs/" + strconv.FormatInt(run.ID, 10))
	p.finds("#log li, #log tr, .log li, .log tr")
	p.sees(p.says("state.running"))
	release()
	awaitTask(t, d, "cleanup", before, "completed")
	if len(habits) > 0 {
		p.open("/runs/" + strconv.FormatInt(run.ID, 10))
	}
	// With script the last line arrives by itself: the page is not opened again.
	var last string
	if err := d.Pool.QueryRow(t.Context(), `
		SELECT message FROM xtk.workflow_log WHERE task_id = $1 ORDER BY id DESC LIMIT 1`, run.ID).Scan(&last); err != nil {
		t.Fatal(err)
	}
	p.sees(last)
	p.sees("nms.broad_log")
}

// Kim rehearses tonight's cleanup: a plan with rows, and no row of the business is touched.
func TestSimulate(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		p, d := operatorAt(t, lang)
		rows := countRows(t, d)
		before := newestTask(t, d)
		p.ask("cleanup", "simulate")
		run := awaitTask(t, d, "cleanup", before, "completed")
		p.open("/runs/" + strconv.FormatInt(run.ID, 10))
		p.sees("nms.broad_log")
		if got := countRows(t, d); got != rows {
			t.Errorf("rows of the marketing tables after a simulation: got %d, want %d as before", got, rows)
		}
	})
}

// countRows counts what cleanup would delete most of.
func countRows(t *testing.T, d *db.DB) (rows int) {
	t.Helper()
	if err := d.Pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM nms.broad_log) + (SELECT count(*) FROM nms.tracking_log)
		     + (SELECT count(*) FROM nms.delivery) + (SELECT count(*) FROM nms.recipient)`).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// Kim pauses a workflow with a reason; everybody can read why, and a resume starts it again.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		for name, habits := range map[string][]habit{"with script": nil, "without script": {withoutScript}} {
			t.Run(name, func(t *testing.T) {
				p, d := operatorAt(t, lang, habits...)
				started(t, d, "cleanup")
				p.open("/workflows/cleanup/pause")
				p.fill("reason", "the archive is copied tonight <b>")
				p.confirm("cleanup", "pause")
				awaitState(t, d, "cleanup", "paused")
				p.open("/workflows/cleanup")
				p.sees("the archive is copied tonight <b>")
				p.ask("cleanup", "start")
				awaitState(t, d, "cleanup", "started")
			})
		}
	})
}

func awaitState(t *testing.T, d *db.DB, name, want string) {
	t.Helper()
	var state string
	await(t, patience, func() string { return name + " is " + state + ", want " + want }, func() bool {
		if err := d.Pool.QueryRow(t.Context(), `SELECT state FROM xtk.workflow WHERE internal_name = $1`, name).Scan(&state); err != nil {
			t.Fatal(err)
		}
		return state == want
	})
}

// Kim stops a run that hangs on somebody's lock: it ends stopped, and what it had done stays.
func TestStopALongRun(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		p, d := operatorAt(t, lang)
		started(t, d, "cleanup")
		release := hold(t, d)
		before := newestTask(t, d)
		p.ask("cleanup", "run")
		run := awaitTask(t, d, "cleanup", before, "running")
		p.open("/runs/" + strconv.FormatInt(run.ID, 10))
		p.ask("cleanup", "stop")
		awaitTask(t, d, "cleanup", before, "stopped")
		release()
		p.open("/runs/" + strconv.FormatInt(run.ID, 10))
		p.sees(p.says("state.stopped"))
		awaitState(t, d, "cleanup", "finished")
	})
}

// hold locks a table that cleanup needs until release is called, so that a run is long however fast the machine is.
func hold(t *testing.T, d *db.DB) (release func()) {
	t.Helper()
	tx, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE nms.broad_log IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	release = func() { _ = tx.Rollback(t.Context()) }
	return release
}
