package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nightshift/views"
)

// scripts fills a folder with executables before any of them runs.
func scripts(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// said are the custom indicators as name, level and trouble, in their order.
func said(all []views.Indicator) (lines []string) {
	for _, i := range all {
		lines = append(lines, strings.TrimSpace(i.File+": "+i.Name+" "+i.Level()+" "+i.Trouble))
	}
	return lines
}

// What a host's operator adds is run without a shell's surroundings and within bounds; whatever it does, its indicator says so,
// and the page and the document stand. The parts of this test go one after the other: a script that another part of this
// process is writing cannot be run.
func TestProbes(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://secret")
	t.Setenv("NIGHTSHIFT_KEY", "secret")
	t.Run("run", probesRun)
	t.Run("page", probesOnPage)
	t.Run("kept", probesKept)
}

func probesRun(t *testing.T) {
	dir := scripts(t, map[string]string{
		"a-good":     `printf 'Queue\t7\t5\t10\tfiles\nFree\t3\t20\t10\n\nCalm\t-1\t0\t5\n'`,
		"b-lines":    `printf 'only\ttwo\nNan\tNaN\t1\t2\nZoo \342\200\256\t1\t2\t3\n%0100d\t1\t2\t3\nLast\t1\t2\t3\n' 0`,
		"c-exit":     `echo 'fine	1	2	3'; echo 'cannot connect' >&2; exit 3`,
		"e-long":     `while :; do echo 'Label	1	2	3'; done`,
		"f-empty":    `true`,
		"g-env":      `printf 'Environment%s\t%s\t1\t2\n' "$NIGHTSHIFT_KEY$DATABASE_URL$HOME" "$(env | grep -cv '^PWD=\|^PATH=\|^LANG=\|^_=\|^SHLVL=\|^OLDPWD=')"`,
		"h-nohelp":   "",
		"i-writable": `printf 'Never\t1\t2\t3\n'`,
		"j-children": `sleep 60 & printf 'Orphan\t1\t2\t3\n'`,
		".hidden":    `printf 'Never\t1\t2\t3\n'`,
		"README":     "not for running",
	})
	for name, mode := range map[string]os.FileMode{"h-nohelp": 0o700, "i-writable": 0o722, "README": 0o600} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "h-nohelp"), []byte("#!/no/such/interpreter\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := &probes{dir: dir, logger: slog.New(slog.DiscardHandler), within: 30 * time.Second}
	want := []string{"a-good: Queue warning", "a-good: Free alert", "a-good: Calm ok",
		"b-lines: b-lines unknown probe_line", "b-lines: b-lines unknown probe_line", "b-lines: b-lines unknown probe_line",
		"b-lines: b-lines unknown probe_line", "b-lines: Last ok",
		"c-exit: c-exit unknown probe_exit", "e-long: e-long unknown probe_long",
		"f-empty: f-empty unknown probe_empty", "g-env: Environment ok", "h-nohelp: h-nohelp unknown probe_start",
		"i-writable: i-writable unknown probe_writable", "j-children: j-children unknown probe_timeout"}
	if got := said(p.ask(t.Context())); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := said(p.ask(t.Context())); len(got) != 1 || !strings.HasSuffix(got[0], "unknown probe_writable") {
		t.Errorf("a folder that everybody may write to: got %q, want nothing of it run", got)
	}
	p.dir, p.within = scripts(t, map[string]string{"slow": `sleep 60 & wait`}), 200*time.Millisecond
	began := time.Now()
	if got := said(p.ask(t.Context())); len(got) != 1 || got[0] != "slow: slow unknown probe_timeout" || time.Since(began) > 30*time.Second {
		t.Errorf("a slow one: got %q after %s, want it given up, its children too", got, time.Since(began))
	}
	p.dir = filepath.Join(dir, "none")
	if got := said(p.ask(t.Context())); len(got) != 1 || !strings.HasSuffix(got[0], "unknown probe_folder") {
		t.Errorf("no folder: got %q, want that it cannot be read", got)
	}
}

func probesOnPage(t *testing.T) {
	c := newConsole(t)
	c.probes = &probes{logger: slog.New(slog.DiscardHandler), within: 30 * time.Second,
		dir: scripts(t, map[string]string{"queue": `printf '<b>Queue</b>\t7\t5\t10\tfiles\n'`, "wrong": `exit 3`})}
	got, page := c.ask("reader", http.MethodGet, "/monitoring", nil)
	for _, word := range []string{"Custom indicators", "ended with exit code 3", "unknown", "&lt;b&gt;Queue&lt;/b&gt;"} {
		if got.StatusCode != http.StatusOK || !strings.Contains(page, word) {
			t.Errorf("the page: got %d without %q", got.StatusCode, word)
		}
	}
	_, body := c.ask("reader", http.MethodGet, "/nl/monitor", nil, func(r *http.Request) { r.Header.Set("Accept", "application/json") })
	var document struct {
		State      string
		Indicators []struct{ Key, Name, State, File, Reason, Unit string }
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatal(err)
	}
	last := document.Indicators[len(document.Indicators)-2:]
	if q := last[0]; q.Key != "custom" || q.Name != "<b>Queue</b>" || q.State != "warning" || q.Unit != "files" {
		t.Errorf("the document: got %+v, want the queue with a warning", q)
	}
	if w := last[1]; w.State != "unknown" || w.Reason != "ended with exit code 3" || document.State != "alert" {
		t.Errorf("the document: got %+v in %q, want it unknown, why, and an alert", w, document.State)
	}
}

// An answer is kept for a minute, and who asks meanwhile starts nothing.
func probesKept(t *testing.T) {
	dir := scripts(t, map[string]string{"count": `echo x >> "$0.log"; printf 'Runs\t%s\t5\t9\n' "$(wc -l < "$0.log")"`})
	p := &probes{dir: dir, logger: slog.New(slog.DiscardHandler), within: 30 * time.Second}
	answers := make(chan []views.Indicator, 8)
	for range cap(answers) {
		go func() { answers <- p.read(context.WithoutCancel(t.Context())) }()
	}
	for range cap(answers) {
		if got := <-answers; len(got) != 1 || got[0].Current != 1 {
			t.Errorf("got %+v, want the one run of all who asked", got)
		}
	}
	p.at = p.at.Add(-probeEvery)
	if got := p.read(t.Context()); len(got) != 1 || got[0].Current != 2 {
		t.Errorf("a minute later: got %+v, want a second run", got)
	}
}
