package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/playwright-community/playwright-go"

	"nightshift/views/locale"
)

// monitor is what /nl/monitor answers to a machine.
type monitor struct {
	State      string
	Modules    []struct{ Name, Module, State string }
	Indicators []indicator
	Workflows  []watched
	Deliveries struct {
		Failed     int
		InProgress int `json:"in_progress"`
	}
}

type watched struct{ Name, State, Reason string }

type indicator struct {
	Key, Name, Unit, State       string
	Current, Max, Warning, Alert float64
}

// level is what the numbers say.
func (i indicator) level() string {
	switch {
	case i.Alert > 0 && i.Current >= i.Alert:
		return "alert"
	case i.Warning > 0 && i.Current >= i.Warning:
		return "warning"
	}
	return "ok"
}

// A workflow fails. Lee, who has no right, reads in Monitoring that it needs a person and follows the link to it; a machine
// reads the same as JSON, and the ping needs nobody. Kim, an administrator, says that a node that was lost is retired.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		d := filled(t)
		account(t, d, "kim", lang, "administrators")
		account(t, d, "lee", lang)
		execute(t, d, `UPDATE xtk.operator SET email = NULL WHERE login = 'billing'`)
		execute(t, d, `UPDATE nms.billing SET sent_at = NULL`)
		started(t, d, "billing")
		execute(t, d, `INSERT INTO xtk.engine_node (name, host, pid, version, modules) VALUES ('lost', 'machine-2', 7, 'test', '{engine,mail}')`)
		n := start(t, d.URL(), "NIGHTSHIFT_NODE=night", "NIGHTSHIFT_INDICATORS="+folderOfIndicators(t))
		p := visit(t, n, lang)
		before := newestTask(t, d)
		order(t, d, "billing", "run")
		awaitTask(t, d, "billing", before, "failed")
		p.answersPing()

		p.signIn("lee")
		p.open("/monitoring")
		document := p.monitor()
		p.agreesWith(document)
		p.accessible()
		i := slices.IndexFunc(document.Workflows, func(w watched) bool { return w.Name == "billing" })
		if i < 0 || document.Workflows[i].State != "failed" || document.State != "alert" {
			t.Fatalf("the document: got %+v, want an alert and billing failed", document)
		}
		p.sees(document.Workflows[i].Reason)
		p.press("main a[href='/workflows/billing']")
		p.arrives("**/workflows/billing")
		p.sees(p.says("state.failed"))
		p.accessible()
		visit(t, n, lang).retires("lost")
	})
}

// folderOfIndicators holds one executable, which warns of files.
func folderOfIndicators(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "files"), []byte("#!/bin/sh\nprintf 'Files\\t7\\t5\\t10\\tfiles\\n'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// retires takes a lost node out of the list, once all modules of the node that answers have been heard.
func (p *person) retires(lost string) {
	p.t.Helper()
	p.signIn("kim")
	states := func() (own, others string) {
		for _, m := range p.monitor().Modules {
			if m.Name == lost {
				others += m.Module + " " + m.State + ", "
			} else {
				own += m.Module + " " + m.State + ", "
			}
		}
		return own, others
	}
	p.node.until(60*time.Second, "its modules are heard, and those of the other missing", func() bool {
		own, others := states()
		return own == "engine up, web up, redirection up, mail off, webhook off, " && others == "engine missing, mail missing, "
	})
	p.open("/monitoring")
	p.press("a[href$='/retire']")
	p.sees(p.says("monitor.retire_ask", lost))
	p.accessible()
	p.press("form button[type=submit].filled")
	p.arrives("**/monitoring")
	p.sees(p.says("monitor.module_redirection"))
	p.accessible()
	if own, others := states(); others != "" || own == "" {
		p.t.Errorf("after it was retired: got %q and %q, want only the node that answers", own, others)
	}
}

// answersPing asks as a load balancer does, without signing in.
func (p *person) answersPing() {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.node.base+"/nl/ping", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatalf("ping: %s", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK || string(body) != "OK\n" {
		p.t.Errorf("ping: got %d %q, %v, want 200 OK", answer.StatusCode, body, err)
	}
}

// monitor reads the document with the session of the page.
func (p *person) monitor() (document monitor) {
	p.t.Helper()
	answer, err := p.Context().Request().Get(p.node.base+"/nl/monitor",
		playwright.APIRequestContextGetOptions{Headers: map[string]string{"Accept": "application/json"}})
	if err != nil || answer.Status() != http.StatusOK {
		p.t.Fatalf("/nl/monitor: got %v, %v, want 200", answer, err)
	}
	raw, err := answer.Body()
	if err == nil {
		err = json.Unmarshal(raw, &document)
	}
	if err != nil {
		p.t.Fatalf("/nl/monitor: %s: %s", err, raw)
	}
	return document
}

// agreesWith compares the open page with the document: the same indicators in the same order, each with a value in its
// unit and its level, the limits of both, the workflows and the deliveries.
func (p *person) agreesWith(document monitor) {
	p.t.Helper()
	units := map[string][]string{"bytes": {"B"}, "seconds": {p.says("unit.s", ""), p.says("unit.m", ""), p.says("unit.below_second")}, "percent": {"%"}, "files": {"files"}}
	rows, err := p.Locator("tr.indicator").All()
	if err != nil || len(rows) != len(document.Indicators) {
		p.t.Fatalf("indicators of the page: got %d, %v, want %d", len(rows), err, len(document.Indicators))
	}
	for i, row := range rows {
		want := document.Indicators[i]
		label := p.says("monitor." + want.Key)
		if want.Key == "custom" {
			label = want.Name
		}
		cells, err := row.Locator("td:not(.gutter)").AllInnerTexts()
		if err != nil || len(cells) != 6 || !strings.HasPrefix(cells[0], label) {
			p.t.Fatalf("indicator %d: got %q, %v, want %s in words and five cells", i, cells, err, want.Key)
		}
		hasUnit := func(unit string) bool { return strings.Contains(cells[2], strings.TrimSpace(unit)) }
		if cells[2] == "" || want.Unit != "" && !slices.ContainsFunc(units[want.Unit], hasUnit) {
			p.t.Errorf("%s: got %q, want a number in %s", want.Key, cells[2], want.Unit)
		}
		if want.Warning > 0 && (cells[4] == "—" || cells[5] == "—") {
			p.t.Errorf("%s: got %q, want both limits", want.Key, cells)
		}
		// What is measured may have moved between the two looks: the level is a word on the page, and right in the document.
		if !slices.Contains([]string{p.says("monitor.ok"), p.says("monitor.warning"), p.says("monitor.alert")}, cells[1]) {
			p.t.Errorf("%s: got the level %q, want a word", want.Key, cells[1])
		}
		if got := want.level(); got != want.State {
			p.t.Errorf("%s: got %s of %v, warning from %v, alert from %v, want %s", want.Key, want.State, want.Current, want.Warning, want.Alert, got)
		}
	}
	hrefs, err := p.Locator("tr.watched a").EvaluateAll("all => all.map(a => a.getAttribute('href'))")
	if err != nil || len(hrefs.([]any)) != len(document.Workflows) {
		p.t.Fatalf("workflows of the page: got %v, %v, want %v", hrefs, err, document.Workflows)
	}
	for i, w := range document.Workflows {
		if got := hrefs.([]any)[i]; got != "/workflows/"+w.Name {
			p.t.Errorf("workflow %d: got %v, want %s", i, got, w.Name)
		}
	}
	facts, err := p.Locator("dl.facts dd").AllInnerTexts()
	want := fmt.Sprintf("%d %d", document.Deliveries.Failed, document.Deliveries.InProgress)
	if err != nil || len(facts) < 2 || facts[0]+" "+facts[1] != want {
		p.t.Errorf("deliveries: got %v, %v, want %s", facts, err, want)
	}
}
