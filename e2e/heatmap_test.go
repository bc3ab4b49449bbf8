package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"

	"nightshift/db"
	"nightshift/views/locale"
)

// Kim runs a workflow, loads the day and finds the run in its cell, in both measures and in the table; then goes through
// the busiest day before with the keyboard.
func TestHeatMap(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		d := filled(t)
		started(t, d, "aliasCleansing")
		account(t, d, "kim", lang, "administrators")
		execute(t, d, `UPDATE xtk.operator SET timezone = 'UTC' WHERE login = 'kim'`)
		p := visit(t, start(t, d.URL()), lang)
		p.signIn("kim")
		// A run over the seam of two cells has its rows in both: then another one is for this test.
		for range 5 {
			before := newestTask(t, d)
			p.ask("aliasCleansing", "run")
			run := awaitTask(t, d, "aliasCleansing", before, "completed")
			if h, whole := heatOf(t, d, run.ID); whole {
				p.findsRun(h, run.ID)
				p.walksByKeyboard(d, h.day)
				return
			}
		}
		t.Fatal("five runs in a row lie over a seam of cells")
	})
}

// heat is where a run stands on the map of its day.
type heat struct {
	day        string
	cell       int
	runs, rows int64 // of its workflow in the cell
}

// heatOf works out from the history of runs what the map has to show.
func heatOf(t *testing.T, d *db.DB, run int64) (h heat, whole bool) {
	t.Helper()
	if err := d.Pool.QueryRow(t.Context(), `
		WITH cell AS (
			SELECT t.*, date_bin('5 minutes', t.start_date, '2000-01-01 00:00+00') AS slot
			  FROM xtk.workflow_task t WHERE t.id = $1)
		SELECT to_char(min(cell.slot) AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
		       extract(epoch FROM (min(cell.slot) AT TIME ZONE 'UTC')::time)::int / 300, count(*), sum(t.rows_changed),
		       bool_and(t.start_date >= cell.slot AND t.completion_date < cell.slot + interval '5 minutes')
		  FROM cell
		  JOIN xtk.workflow_task t ON t.workflow_id = cell.workflow_id
		   AND t.start_date < cell.slot + interval '5 minutes' AND t.completion_date >= cell.slot`, run).Scan(
		&h.day, &h.cell, &h.runs, &h.rows, &whole); err != nil {
		t.Fatalf("cell of run %d: %s", run, err)
	}
	return h, whole
}

// findsRun opens the day of a run, loads it and reads the run's cell, its list and the table.
func (p *person) findsRun(h heat, run int64) {
	p.t.Helper()
	p.open("/heat-map?workflow=aliasCleansing&day=" + h.day)
	p.press("form[action='/heat-map/load'] button")
	p.finds("div.flash")
	cell := fmt.Sprintf("#cell-%d", h.cell)
	p.reads(cell, strconv.FormatInt(h.runs, 10))
	p.press(cell)
	p.finds(cell + "[aria-current]")
	p.finds(fmt.Sprintf(".heat-list a[href='/runs/%d']", run))
	p.accessible()

	p.press("nav.tabs a[href*='measure=rows']")
	p.finds("nav.tabs a[href*='measure=rows'][aria-current]")
	says := p.says("heat.says", h.runs, h.rows)
	if got, err := p.finds(cell).GetAttribute("aria-label"); err != nil || !strings.HasSuffix(got, says) {
		p.t.Errorf("cell %d: got %q, %v, want it to end with %q", h.cell, got, err, says)
	}
	p.press(".heat-legend .aside")
	row := p.finds(fmt.Sprintf("#heat tbody tr:has(a[href*='cell=%d'])", h.cell))
	got, err := row.Locator("td.num").AllInnerTexts()
	if err != nil || len(got) < 2 || plain(got[0]) != h.runs || plain(got[1]) != h.rows {
		p.t.Errorf("the table's row of cell %d: got %v, %v, want %d runs and %d rows", h.cell, got, err, h.runs, h.rows)
	}
	p.accessible()
	p.press(".heat-switch a")
	p.finds(cell)
}

// walksByKeyboard goes to the latest day before with runs in two cells, and there from cell to cell, to the runs of one
// and to the day after, all without the mouse.
func (p *person) walksByKeyboard(d *db.DB, before string) {
	p.t.Helper()
	var day, next string
	if err := d.Pool.QueryRow(p.t.Context(), `
		SELECT to_char(max(b.day), 'YYYY-MM-DD'), to_char(max(b.day) + 1, 'YYYY-MM-DD')
		  FROM (SELECT (t.start_date AT TIME ZONE 'UTC')::date AS day FROM xtk.workflow_task t
		         GROUP BY 1 HAVING count(DISTINCT date_bin('1 hour', t.start_date, '2000-01-01 00:00+00')) > 1) b
		 WHERE b.day < $1::text::date`, before).Scan(&day, &next); err != nil {
		p.t.Fatal(err)
	}
	p.open("/heat-map?day=" + day)
	p.press("form[action='/heat-map/load'] button")
	p.finds("div.flash")
	p.finds("[data-heat] a[tabindex='0']") // the keys are there
	ids, err := p.Locator("[data-heat] a:not(:empty)").EvaluateAll("all => all.map(cell => cell.id)")
	if err != nil {
		p.t.Fatal(err)
	}
	filled := ids.([]any)
	if len(filled) < 2 {
		p.t.Fatalf("cells with runs on %s: got %v, want two or more", day, filled)
	}
	first, second := filled[0].(string), filled[1].(string)
	if err := p.Locator("#" + first).Focus(); err != nil {
		p.t.Fatal(err)
	}
	at, _ := strconv.Atoi(strings.TrimPrefix(first, "cell-"))
	p.types("ArrowDown", fmt.Sprintf("cell-%d", at+12))
	p.types("ArrowRight", fmt.Sprintf("cell-%d", at+13))
	p.types("ArrowLeft", fmt.Sprintf("cell-%d", at+12))
	p.types("ArrowUp", first)
	p.types("Shift+ArrowRight", second)
	p.types("Shift+ArrowLeft", first)
	p.types("Shift+ArrowRight", second)
	p.types("Enter", second)
	p.finds("#" + second + "[aria-current]")
	p.finds(".heat-list a[href^='/runs/']")
	p.types("Shift+ArrowLeft", first)
	if err := p.Keyboard().Press("Control+ArrowRight"); err != nil {
		p.t.Fatal(err)
	}
	p.arrives("**/heat-map?*day=" + next + "*")
}

// types presses a key and waits until the element of the id has the focus.
func (p *person) types(key, id string) {
	p.t.Helper()
	if err := p.Keyboard().Press(key); err != nil {
		p.t.Fatal(err)
	}
	if err := p.Locator("#" + id + ":focus").WaitFor(); err != nil {
		now, _ := p.Evaluate("document.activeElement.id")
		p.t.Fatalf("after %s at %s: the focus is on %q, want %q: %s", key, p.URL(), now, id, err)
	}
}

// plain is a number as the pages write it, 1,204,551; -1 when it is none.
func plain(written string) int64 {
	n, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(written), ",", ""), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// reads waits until what the selector finds says the text and nothing else.
func (p *person) reads(selector, want string) {
	p.t.Helper()
	if err := playwright.NewPlaywrightAssertions(10_000).Locator(p.Locator(selector)).ToHaveText(want); err != nil {
		p.t.Fatalf("%s at %s: %s", selector, p.URL(), err)
	}
}
