package e2e_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"nightshift/views/locale"
)

// Kim pauses a workflow for an hour. The pages say why, until when and how long that is; at the end it goes on without
// anybody.
func TestPauseEndsByItself(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		const reason = "the archive is copied until then"
		d := filled(t)
		started(t, d, "cleanup")
		account(t, d, "kim", lang, "administrators")
		p := visit(t, start(t, d.URL()), lang)
		p.signIn("kim")
		p.open("/workflows/cleanup/pause")
		p.fill("reason", reason)
		p.press("input[name=until][value='1h']")
		p.confirm("cleanup", "pause")
		awaitState(t, d, "cleanup", "paused")
		p.open("/workflows/cleanup")
		p.sees(reason)
		p.counts("workflow.until", "@until", "@")
		p.accessible()
		p.open("/workflows?q=state:paused")
		p.counts("row.resumes", "@")
		p.accessible()

		// The form knows minutes; no test waits for one, so the end of the row is moved.
		var end time.Time
		if err := d.Pool.QueryRow(t.Context(), `
			UPDATE xtk.workflow SET pause_until = now() + interval '3 seconds' WHERE internal_name = 'cleanup' RETURNING pause_until`).Scan(&end); err != nil {
			t.Fatal(err)
		}
		awaitState(t, d, "cleanup", "started")
		var since time.Time
		var by string
		if err := d.Pool.QueryRow(t.Context(), `SELECT state_since, state_by FROM xtk.workflow WHERE internal_name = 'cleanup'`).Scan(&since, &by); err != nil {
			t.Fatal(err)
		}
		if since.Before(end) || by != "nightshift" {
			t.Errorf("started at %s by %s, want it at %s or later by nightshift", since, by, end)
		}
		p.open("/workflows/cleanup")
		p.sees(p.says("state.started"))
	})
}

// counts waits for a text of the console that ends with "in 59 min", or some minutes less on a slow machine.
func (p *person) counts(key string, args ...any) {
	p.t.Helper()
	args[len(args)-1] = p.says("time.in", p.says("unit.min", "@minutes"))
	pattern := regexp.QuoteMeta(p.says(key, args...))
	pattern = strings.NewReplacer("@until", ".+", "@minutes", `5\d`).Replace(pattern)
	if err := p.GetByText(regexp.MustCompile(pattern)).Locator("visible=true").First().WaitFor(); err != nil {
		p.t.Fatalf("at %s: want a text like %s: %s", p.URL(), pattern, err)
	}
}
