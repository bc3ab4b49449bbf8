package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/views/locale"
)

// Kim freezes the instance before a release: every page says so to everybody, a slot that comes due is skipped and stands
// in the statement with kim's reason, and after the lift the next one runs. Lee, no administrator, may not.
func TestFreeze(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		const reason = "release 1.4 <b>"
		d := filled(t)
		started(t, d, "aliasCleansing")
		account(t, d, "kim", lang, "administrators")
		account(t, d, "lee", lang, "workflowExecution")
		n := start(t, d.URL())
		p, lee := visit(t, n, lang), visit(t, n, lang)
		lee.expect("403")
		p.signIn("kim")
		lee.signIn("lee")
		if got := lee.open("/freeze"); got != http.StatusForbidden {
			t.Errorf("lee asks to freeze: got %d, want 403", got)
		}

		p.press("a[href='/freeze']")
		p.press("form[action='/freeze'] button[type=submit]:not([formaction])")
		p.fill("reason", reason)
		p.press("input[name=until][value='1h']")
		p.accessible()
		p.press("form[action='/freeze'] button[type=submit]:not([formaction])")
		p.finds("div.flash")
		for _, page := range []string{"/", "/workflows", "/workflows/aliasCleansing", "/runs", "/statement", "/monitoring", "/account"} {
			for _, who := range []*person{p, lee} {
				who.open(page)
				who.finds("#freeze")
				who.sees(reason)
			}
		}
		p.accessible()
		if links, _ := lee.Locator("a[href='/freeze/lift']").Count(); links != 0 {
			t.Error("lee is offered to lift the freeze")
		}
		answer, err := lee.Context().Request().Post(n.base+"/freeze/lift", sameOrigin(n))
		if err != nil || answer.Status() != http.StatusForbidden {
			t.Errorf("lee lifts the freeze: got %v, %v, want 403", answer, err)
		}

		slot := comesDue(t, d, "aliasCleansing")
		await(t, patience, func() string { return "the slot skipped" }, func() bool { return answerOf(t, d, slot) == "skipped/freeze" })
		p.open("/workflows/aliasCleansing/statement?month=" + slot.UTC().Format("2006-01"))
		p.finds("#not-run time[datetime^='" + slot.UTC().Format("2006-01-02T15:04:05") + "']")
		p.sees(p.says("reason.freeze"))
		p.accessible()

		p.press("#freeze a")
		p.press("form[action='/freeze/lift'] button")
		p.finds("div.flash")
		lee.open("/")
		if bands, _ := lee.Locator("#freeze").Count(); bands != 0 {
			t.Error("the freeze is lifted and still shown")
		}
		slot = comesDue(t, d, "aliasCleansing")
		await(t, patience, func() string { return "the slot after the lift run" }, func() bool { return answerOf(t, d, slot) == "processed/" })
	})
}

// comesDue lets a slot of a workflow come due now and wakes the node, which would see it within seconds anyhow.
func comesDue(t *testing.T, d *db.DB, name string) (slot time.Time) {
	t.Helper()
	if err := d.Pool.QueryRow(t.Context(), `
		UPDATE xtk.workflow
		   SET schedule = jsonb_build_object('kind', 'once', 'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')),
		       next_processing = clock_timestamp(), timezone = 'UTC'
		 WHERE internal_name = $1
		RETURNING next_processing`, name).Scan(&slot); err != nil {
		t.Fatal(err)
	}
	execute(t, d, `SELECT pg_notify('nightshift_work', '0')`)
	return slot
}

// answerOf is what became of a slot, with the reason; empty when it is not there yet.
func answerOf(t *testing.T, d *db.DB, slot time.Time) (said string) {
	t.Helper()
	if err := d.Pool.QueryRow(t.Context(), `
		SELECT COALESCE(max(status || '/' || COALESCE(reason, '')), '') FROM xtk.workflow_event WHERE kind = 'scheduled' AND scheduled_at = $1`,
		slot).Scan(&said); err != nil {
		t.Fatal(err)
	}
	return said
}
