package engine

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// kim is an administrator.
func kim() db.Actor { return db.Actor{ID: 901, Login: "kim", Rights: []string{db.Administration}} }

// night is a database with engines in one test.
type night struct {
	*testing.T
	d *db.DB
}

func newNight(t *testing.T) night {
	t.Helper()
	return night{t, dbtest.New(t)}
}

// add makes a workflow in a state, with more columns set by SQL.
func (n night) add(name, state, set string) int64 {
	n.Helper()
	var id int64
	err := n.d.Pool.QueryRow(n.Context(), `
		INSERT INTO xtk.workflow (internal_name, label, package, built, state)
		VALUES ($1, $1, 'delivery', true, $2)
		RETURNING id`, name, state).Scan(&id)
	if err == nil && set != "" {
		_, err = n.d.Pool.Exec(n.Context(), `UPDATE xtk.workflow SET `+set+` WHERE id = $1`, id)
	}
	if err != nil {
		n.Fatal(err)
	}
	return id
}

// engine runs an engine until the test ends, or until the function it returns is called.
func (n night) engine(config Config, workflows ...jobs.Workflow) (*Engine, func()) {
	n.Helper()
	config.DB, config.Workflows, config.Build = n.d, workflows, "test"
	if config.Node == "" {
		config.Node, config.TakesUnassigned = "node", true
	}
	config.Logger = slog.New(slog.DiscardHandler)
	e := New(config)
	return e, n.run(e)
}

// run starts an engine and returns what ends it.
func (n night) run(e *Engine) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(n.Context()))
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	over := false
	end = func() {
		if over {
			return
		}
		over = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				n.Errorf("engine: got %v, want no error", err)
			}
		case <-time.After(patience):
			n.Errorf("engine: got no end in %s", patience)
		}
	}
	n.Cleanup(end)
	return end
}

func (n night) order(id int64, command db.Command, args db.OrderArgs) {
	n.Helper()
	if err := n.d.Order(n.Context(), kim(), id, command, args); err != nil {
		n.Fatalf("%s: %v", command, err)
	}
}

func (n night) exec(sql string, args ...any) {
	n.Helper()
	if _, err := n.d.Pool.Exec(n.Context(), sql, args...); err != nil {
		n.Fatalf("%s: %v", sql, err)
	}
}

// text reads one value as text.
func (n night) text(sql string, args ...any) string {
	n.Helper()
	var s *string
	if err := n.d.Pool.QueryRow(n.Context(), `SELECT (`+sql+`)::text`, args...).Scan(&s); err != nil {
		n.Fatalf("%s: %v", sql, err)
	}
	if s == nil {
		return ""
	}
	return *s
}

// until waits for a value to become what is wanted.
func (n night) until(want, sql string, args ...any) {
	n.Helper()
	deadline, got := time.Now().Add(patience), ""
	for time.Now().Before(deadline) {
		if got = n.text(sql, args...); got == want {
			return
		}
		<-time.After(3 * time.Millisecond)
	}
	n.Fatalf("%s: got %q, want %q", sql, got, want)
}

const (
	stateSQL = `SELECT state || CASE WHEN failed THEN '/failed' ELSE '' END FROM xtk.workflow WHERE id = $1`
	tasksSQL = `SELECT string_agg(status, ' ' ORDER BY id) FROM xtk.workflow_task WHERE workflow_id = $1`
	slotsSQL = `SELECT string_agg(concat_ws('/', kind, status, reason), ' ' ORDER BY scheduled_at, id) FROM xtk.workflow_event WHERE workflow_id = $1`
)

// has reports a line of the workflow's journal that contains a text.
func (n night) has(id int64, text string) {
	n.Helper()
	n.until("true", `SELECT EXISTS (SELECT FROM xtk.workflow_log WHERE workflow_id = $1 AND strpos(message, $2) > 0)`, id, text)
}

// wait waits for a signal.
func (n night) wait(signal <-chan struct{}, what string) {
	n.Helper()
	select {
	case <-signal:
	case <-time.After(patience):
		n.Fatalf("%s: got nothing in %s", what, patience)
	}
}

// quick is a workflow that does one step and ends well.
func quick(name string) jobs.Workflow {
	return jobs.Workflow{Name: name, Run: func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "work", func(context.Context) error { r.Log("worked"); return nil })
	}}
}

// gate is a workflow that tells when it has begun and works until it is let go or stopped.
type gate struct {
	jobs.Workflow
	begun, letGo chan struct{}
}

func newGate(name string) gate {
	g := gate{begun: make(chan struct{}, 100), letGo: make(chan struct{}, 100)}
	g.Workflow = jobs.Workflow{Name: name, Run: func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "gate", func(ctx context.Context) error {
			g.begun <- struct{}{}
			select {
			case <-g.letGo:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}}
	return g
}
