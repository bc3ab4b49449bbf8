package jobtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"nightshift/db"
)

// Comparison tells what differs between databases that began alike. Moments after its begin and ids given since are
// taken for equal: they differ by nature.
type Comparison struct{ sweep *sweep }

// NewComparison notes the tables of a database and the moment from which it and its copies may part.
func NewComparison(t testing.TB, d *db.DB) *Comparison {
	t.Helper()
	c := &Comparison{sweep: &sweep{reading: map[string]string{}}}
	if err := d.Pool.QueryRow(context.Background(), `SELECT clock_timestamp()`).Scan(&c.sweep.cutOff); err != nil {
		t.Fatalf("begin of a comparison: %v", err)
	}
	c.sweep.prepare(t, d)
	return c
}

// State is the checksum of each business table but those left out.
func (c *Comparison) State(t testing.TB, d *db.DB, leaveOut ...string) map[string]string {
	t.Helper()
	state := c.sweep.digests(t, d)
	for _, table := range leaveOut {
		delete(state, table)
	}
	return state
}

// Differ names the tables that are not equal in two states, with what each holds; empty when there is none.
func Differ(got, want map[string]string) string {
	names := maps.Clone(want)
	maps.Copy(names, got)
	var differ []string
	for _, table := range slices.Sorted(maps.Keys(names)) {
		if got[table] != want[table] {
			differ = append(differ, fmt.Sprintf("%s: got %q, want %q", table, got[table], want[table]))
		}
	}
	return strings.Join(differ, "\n")
}
