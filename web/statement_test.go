package web

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// The statement says the finding, its columns add up to what was due, month by month, on the page and in the file.
func TestStatementPage(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		INSERT INTO xtk.workflow_event (workflow_id, status, reason, outcome, scheduled_at, processing_date)
		SELECT w.id, CASE i WHEN 3 THEN 'skipped' WHEN 4 THEN 'missed' ELSE 'processed' END,
		       CASE i WHEN 3 THEN 'freeze' WHEN 4 THEN 'service_down' END, CASE WHEN i NOT IN (3, 4) THEN 'completed' END, at, at
		FROM xtk.workflow w, (SELECT i, timestamptz '2025-11-01 00:00+00' + i * interval '1 hour' AS at FROM generate_series(1, 48) i) slot
		WHERE w.internal_name IN ('cleanup', 'tracking')`); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Pool.Exec(t.Context(), `INSERT INTO xtk.freeze (reason, by_login, since, until) VALUES ('release <9>', 'lee', '2025-11-01 02:30+00', '2025-11-01 03:30+00')`); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"/statement?month=2025-11":                   {"Of 96 slots due, 92 ran in November 2025", "2 missed with no process up, 2 skipped: freeze.", "October 2025", "December 2025"},
		"/statement?month=2025-10":                   {"Nothing was due in October 2025"},
		"/workflows/cleanup/statement?month=2025-11": {"Of 48 slots due, 46 ran in November 2025", "freeze, lee: release &lt;9&gt;", "no process was up"},
	} {
		got, body := c.ask("reader", http.MethodGet, path, nil)
		for _, text := range want {
			if got.StatusCode != http.StatusOK || !strings.Contains(body, text) {
				t.Errorf("%s: got %d without %q", path, got.StatusCode, text)
			}
		}
	}
	for _, month := range []string{"2025-13", "1850-01", "2999-01", "x"} {
		if got, _ := c.ask("reader", http.MethodGet, "/statement?month="+month, nil); got.StatusCode != http.StatusBadRequest {
			t.Errorf("month %s: got %d, want 400", month, got.StatusCode)
		}
	}
	_, body := c.ask("reader", http.MethodGet, "/statement.csv?month=2025-11", nil)
	lines, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(lines) != 4 {
		t.Fatalf("csv: got %d lines, %v, want a head, two workflows and the sum", len(lines), err)
	}
	for _, line := range lines[1:] {
		var cells []int
		for _, cell := range line[3:] {
			n, err := strconv.Atoi(cell)
			if err != nil {
				t.Fatal(err)
			}
			cells = append(cells, n)
		}
		sum := 0
		for _, n := range cells[1:] {
			sum += n
		}
		if cells[0] != sum || sum == 0 {
			t.Errorf("csv of %q: got %d due, want the sum of the others, %d", line[2], cells[0], sum)
		}
	}
}
