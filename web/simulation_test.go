package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The report of a rehearsal leads to its page as a run, with the log.
func TestSimulationLeadsToItsRun(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.exec(`
		INSERT INTO xtk.workflow_task (id, workflow_id, node, backend_pid, mode, status, start_date, completion_date)
		SELECT 7, id, 'n', 1, 'simulation', 'completed', '2024-11-27 03:00Z', '2024-11-27 03:01Z'
		FROM xtk.workflow
		WHERE internal_name = 'cleanup'`)
	_, report := c.ask("kim", http.MethodGet, "/runs/7", nil)
	link := regexp.MustCompile(`href="(/runs/7\?[^"]*)"`).FindStringSubmatch(report)
	if link == nil {
		t.Fatal("got no link to the run in the report")
	}
	if _, run := c.ask("kim", http.MethodGet, link[1], nil); !strings.Contains(run, `id="log"`) || strings.Contains(report, `id="log"`) {
		t.Errorf("%s: got no page with a log", link[1])
	}
}
