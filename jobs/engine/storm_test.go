package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs"
)

// TestOvertakingOrders: an order that another one overtook before an engine saw it is void, and says so.
func TestOvertakingOrders(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	stopped, paused := n.add("stopped", db.BeingEdited, yearly), n.add("paused", db.Finished, yearly)
	n.order(stopped, db.Start, db.OrderArgs{})
	n.order(stopped, db.Stop, db.OrderArgs{})
	n.order(paused, db.Start, db.OrderArgs{})
	n.order(paused, db.Pause, db.OrderArgs{})
	n.engine(Config{}, quick("stopped"), quick("paused"))
	n.until("finished", stateSQL, stopped)
	n.until("paused", stateSQL, paused)
	n.has(stopped, "Start requested by kim is not applied any more")
	outcomes := `SELECT string_agg(command || ' ' || split_part(outcome, ':', 1), ', ' ORDER BY id) FROM xtk.workflow_job WHERE workflow_id = $1`
	n.until("start void, stop applied", outcomes, stopped)
	n.until("start void, pause applied", outcomes, paused)
}

// TestStormOfOrders: eight people give random orders to a few workflows that two engines run. Whatever comes of it, each
// order is answered, nothing hangs between two states, the traces are whole, and every workflow still runs.
func TestStormOfOrders(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	var all []jobs.Workflow
	var ids []int64
	for i := range 4 {
		name := fmt.Sprintf("storm%d", i)
		all = append(all, quick(name))
		ids = append(ids, n.add(name, db.Started, yearly))
	}
	n.engine(Config{Node: "a", TakesUnassigned: true}, all...)
	n.engine(Config{Node: "b", TakesUnassigned: true}, all...)
	n.until("2", `SELECT count(*) FROM xtk.engine_node`)
	taken := n.storm(ids, 8, 40)
	n.until("true", quietSQL, ids)
	for _, name := range []string{"workflow_job", "audit"} {
		if got := n.text(`SELECT count(*) FROM xtk.` + name); got != fmt.Sprint(taken) {
			t.Errorf("%s: got %s rows, want one for each of %d orders taken", name, got, taken)
		}
	}
	if got := n.text(`SELECT count(*) FROM xtk.workflow_task WHERE status NOT IN ('completed', 'stopped')`); got != "0" {
		t.Errorf("got %s runs neither completed nor stopped, want none", got)
	}
	if _, bad, err := n.d.VerifyAudit(t.Context()); err != nil || bad != 0 {
		t.Errorf("audit chain: got bad row %d, %v, want none", bad, err)
	}
	for _, id := range ids {
		if n.text(stateSQL, id) == db.Paused {
			n.order(id, db.Start, db.OrderArgs{})
			n.until("true", quietSQL, ids) // what the pause held up may have run
		}
		before := n.text(`SELECT count(*) FROM xtk.workflow_task WHERE workflow_id = $1 AND status = 'completed'`, id)
		n.order(id, db.RunNow, db.OrderArgs{})
		n.until("true", `SELECT count(*) > $2 FROM xtk.workflow_task WHERE workflow_id = $1 AND status = 'completed'`, id, before)
	}
}

// quietSQL tells in one snapshot that nothing is left to do: an end may let the next order go on, and an order the next run.
const quietSQL = `
	SELECT NOT EXISTS (SELECT FROM xtk.workflow_job WHERE applied_at IS NULL)
	   AND NOT EXISTS (SELECT FROM xtk.workflow_task WHERE status = 'running')
	   AND NOT EXISTS (SELECT FROM xtk.workflow WHERE state LIKE '%pending' AND id = ANY($1))
	   AND NOT EXISTS (SELECT FROM xtk.workflow_event e JOIN xtk.workflow w ON w.id = e.workflow_id
	                   WHERE e.status = 'processing' OR e.status = 'pending' AND (e.mode = 'simulation' OR w.state <> 'paused'))`

// storm lets people give random orders at once and returns how many were taken.
func (n night) storm(ids []int64, people, each int) (taken int) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range people {
		wait.Go(func() {
			for range each {
				command := db.Commands()[rand.IntN(len(db.Commands())-1)] // all but the last: history is not purged
				if command == db.PurgeHistory {
					command = db.UnconditionalStop
				}
				err := n.d.Order(n.Context(), kim(), ids[rand.IntN(len(ids))], command, db.OrderArgs{})
				var refusal *db.Refusal
				if err != nil && !errors.As(err, &refusal) {
					n.Errorf("%s: got %v, want taken or refused", command, err)
				}
				if err == nil {
					mu.Lock()
					taken++
					mu.Unlock()
				}
				<-time.After(time.Duration(rand.IntN(10)) * time.Millisecond)
			}
		})
	}
	wait.Wait()
	return taken
}
