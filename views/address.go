package views

import (
	"fmt"
	"net/url"
)

func workflowPath(name string) string { return "/workflows/" + url.PathEscape(name) }

func runPath(id int64) string { return fmt.Sprintf("/runs/%d", id) }

// linePath is the address of one line of a run's log.
func linePath(run, line int64) string {
	id := digits(line)
	return runPath(run) + "?line=" + id + "#L" + id
}
