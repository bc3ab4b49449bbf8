package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
	"nightshift/jobs/jobtest"
)

func TestOnce(t *testing.T) {
	t.Parallel()
	d := sample(t, 1)
	called := map[string]int{}
	failing := true
	outside := workflow(func(ctx context.Context, r *jobs.Run) error {
		call := func(key string, result error) error {
			return r.Once(ctx, key, "mail "+key, func(context.Context) error { called[key]++; return result })
		}
		if err := call("sent", nil); err != nil {
			return err
		}
		refused := call("refused", map[bool]error{true: errors.New("550 no such user")}[failing])
		unknown := call("unknown", map[bool]error{true: fmt.Errorf("no answer: %w", jobs.ErrUnknown)}[failing])
		return errors.Join(refused, unknown)
	})
	if plan := jobtest.Simulate(t, d, outside); len(called) != 0 || plan.Status != "completed" || !strings.Contains(strings.Join(plan.Log, "\n"), "would: mail sent") {
		t.Fatalf("simulated: got %v called, %s, log %q; want none, completed, would: mail sent", called, plan.Status, plan.Log)
	}
	if first := jobtest.Run(t, d, outside); first.Status != "failed" {
		t.Errorf("first run: got %s, want failed", first.Status)
	}
	failing = false
	second := jobtest.Run(t, d, outside)
	if want := map[string]int{"sent": 1, "refused": 2, "unknown": 1}; fmt.Sprint(called) != fmt.Sprint(want) {
		t.Errorf("called: got %v, want %v: done is not repeated, refused is, unknown is not", called, want)
	}
	if second.Status != "completed" || second.Outcome.Warnings != 1 || !strings.Contains(strings.Join(second.Log, "\n"), "mail unknown: result unknown") {
		t.Errorf("second run: got %s, %d warnings, %q; want completed with a warning of the unknown result", second.Status, second.Outcome.Warnings, second.Log)
	}
	open := number(t, d, `SELECT count(*) FROM xtk.workflow_outside_effect WHERE done_at IS NULL`)
	if all := number(t, d, `SELECT count(*) FROM xtk.workflow_outside_effect`); open != 1 || all != 3 {
		t.Errorf("got %d keys, %d without confirmation, want 3 and 1", all, open)
	}
}

func TestResumeKeepsCompletedSteps(t *testing.T) {
	t.Parallel()
	d := sample(t, 10)
	var ran []string
	failing := true
	w := workflow(func(ctx context.Context, r *jobs.Run) error {
		if err := r.Steps(ctx, "a", "b", "c"); err != nil {
			return err
		}
		for _, name := range []string{"a", "b", "c"} {
			err := r.Step(ctx, name, func(context.Context) error {
				ran = append(ran, name)
				r.Say("%s items", name)
				if name == "b" && failing {
					return errors.New("no disk")
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	first := jobtest.Run(t, d, w)
	if first.Status != "failed" || first.Outcome.Step != "b" || first.Message != "b: no disk" {
		t.Fatalf("got %s in %q (%s), want failed in b", first.Status, first.Outcome.Step, first.Message)
	}
	failing, ran = false, nil
	second := jobtest.Run(t, d, w, jobtest.Resume(first.TaskID))
	if got, want := fmt.Sprint(ran), "[b c]"; got != want || second.Status != "completed" {
		t.Errorf("resumed: got %s, ran %s, want completed, %s", second.Status, got, want)
	}
	var states []string
	for _, s := range second.Steps {
		states = append(states, fmt.Sprint(s.Order, s.Key, s.Status, s.Message))
	}
	if want := "[1akepta items 2bcompletedb items 3ccompletedc items]"; fmt.Sprint(states) != want {
		t.Errorf("steps: got %v, want %s", states, want)
	}
	if announced := number(t, d, `SELECT jsonb_array_length(result -> 'steps') FROM xtk.workflow_task WHERE id = $1`, second.TaskID); announced != 3 {
		t.Errorf("announced: got %d, want 3", announced)
	}
	if line := "info 2/3 b: b items ("; !strings.Contains(strings.Join(second.Log, "\n"), line) {
		t.Errorf("log: got %q, want a line that begins %q", second.Log, line)
	}
}

func TestHostileText(t *testing.T) {
	t.Parallel()
	d := sample(t, 1)
	long := strings.Repeat("끝", 600)
	lines := []string{"nul \x00 and bell \a", "broken \xff utf-8", "two\nlines", "right \u202E left", "<script>alert(1)</script>", "100%d %s", long,
		"postgres://kim:hunter2@host/db", "host=x password='hunter2' user=y", "Authorization: Bearer hunter2"}
	got := jobtest.Run(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "lines", func(context.Context) error {
			for _, l := range lines {
				r.Log("%s", l)
				r.Say("%s", l)
			}
			return nil
		})
	}))
	if got.Status != "completed" || len(got.Log) != len(lines)+2 {
		t.Fatalf("got %s with %d lines, want completed with %d", got.Status, len(got.Log), len(lines)+2)
	}
	for i, l := range got.Log {
		if strings.ContainsAny(l, "\n\a\u202E") || strings.Contains(l, "hunter2") {
			t.Errorf("line %d: got %q, want it in one line, without control characters and passwords", i, l)
		}
	}
	if n := utf8.RuneCountInString(strings.TrimPrefix(got.Log[6], "info ")); n != 512 {
		t.Errorf("a long line: got %d characters, want 512", n)
	}
	if got.Log[4] != "info <script>alert(1)</script>" || got.Log[5] != "info 100%d %s" {
		t.Errorf("got %q and %q, want the text as it is: escaping is the page's", got.Log[4], got.Log[5])
	}
}

func TestFloodOfLines(t *testing.T) {
	t.Parallel()
	d := sample(t, 1)
	listener, err := pgx.Connect(t.Context(), d.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close(context.Background()) }()
	if _, err := listener.Exec(t.Context(), `LISTEN nightshift_log`); err != nil {
		t.Fatal(err)
	}
	const lines = 20000
	begin := time.Now()
	got := jobtest.Run(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		for i := range lines {
			r.Log("line %d", i)
		}
		return nil
	}))
	took := time.Since(begin)
	if len(got.Log) != lines+1 {
		t.Fatalf("got %d lines, want %d", len(got.Log), lines+1)
	}
	for i := range lines {
		if want := fmt.Sprintf("info line %d", i); got.Log[i] != want {
			t.Fatalf("line %d: got %q, want %q", i, got.Log[i], want)
		}
	}
	// Notifications come in the order of their commits: this one is the last.
	if _, err := d.Pool.Exec(t.Context(), `SELECT pg_notify('nightshift_log', 'over')`); err != nil {
		t.Fatal(err)
	}
	rings := 0
	for {
		n, err := listener.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n.Payload == "over" {
			break
		}
		if rings++; n.Payload != fmt.Sprint(got.TaskID) {
			t.Errorf("notified: got %q, want the id of the run", n.Payload)
		}
	}
	// At most one each 25 ms while the run writes, and at its end one for each 2,000 lines that still wait.
	if most := int(took/(25*time.Millisecond)) + 1 + lines/2000 + 1; rings == 0 || rings > most {
		t.Errorf("notified %d times in %s, want 1 to %d", rings, took, most)
	}
}

func TestFinishIsPartOfTheEnd(t *testing.T) {
	t.Parallel()
	d := sample(t, 1)
	w := workflow(func(context.Context, *jobs.Run) error { return errors.New("no disk") })
	got := jobtest.Run(t, d, w, jobtest.Finish(func(ctx context.Context, tx pgx.Tx, o jobs.Outcome) error {
		_, err := tx.Exec(ctx, `UPDATE xtk.workflow SET label = $1`, o.Status+" "+o.Message)
		return err
	}))
	if n := number(t, d, `SELECT count(*) FROM xtk.workflow WHERE label = 'failed no disk'`); got.Status != "failed" || n == 0 {
		t.Errorf("got %s, consequences %d, want failed with its consequences", got.Status, n)
	}
	got = jobtest.Run(t, d, w, jobtest.Lost(), jobtest.Finish(func(context.Context, pgx.Tx, jobs.Outcome) error {
		return errors.New("no such table")
	}))
	if got.Outcome.Status != "lost" || got.Status != "running" || len(got.Log) != 0 {
		t.Errorf("consequences that fail: got %s, task %s, log %q; want lost, running, and no end told", got.Outcome.Status, got.Status, got.Log)
	}
}

// TestLinesOfAShortRun: a run that ends while its first lines are being written has each of them once.
func TestLinesOfAShortRun(t *testing.T) {
	t.Parallel()
	d := sample(t, 1)
	for range 100 {
		r := jobtest.Run(t, d, workflow(func(context.Context, *jobs.Run) error { return errors.New("at once") }))
		if len(r.Log) != 1 {
			t.Fatalf("got %q after the line of the beginning, want the one of the end", r.Log)
		}
	}
}
