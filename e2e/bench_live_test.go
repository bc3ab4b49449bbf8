package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"nightshift/db"
)

// BenchmarkLogLine measures from a line that a run of cleanup writes to its arrival in the event stream of a reader who
// has that run open. The floor is none: a line is written, found and shown; the goal is 50 ms for 95 of 100.
func BenchmarkLogLine(b *testing.B) {
	d := filled(b)
	n := start(b, d.URL())
	started(b, d, "cleanup")
	client := administrators(b, d, n)[0]
	var late []time.Duration
	for range 6 {
		before := newestTask(b, d)
		order(b, d, "cleanup", "simulate")
		var task int64
		for task = before; task == before; task = newestTask(b, d) {
			<-time.After(time.Millisecond)
		}
		late = append(late, follow(b, d, client, n.base+"/runs/"+strconv.FormatInt(task, 10)+"/stream", task)...)
	}
	if len(late) < 100 {
		b.Fatalf("lines that came live: got %d, want 100 at least", len(late))
	}
	p50, p95 := percentiles(late)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(p50, "p50-ms")
	b.ReportMetric(p95, "p95-ms")
	b.ReportMetric(float64(len(late)), "lines")
}

// follow reads a run's stream to its end and tells how late each line was that came after the reader.
func follow(b *testing.B, d *db.DB, client *http.Client, stream string, task int64) (late []time.Duration) {
	b.Helper()
	opened := time.Now()
	answer, err := client.Get(stream)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		b.Fatalf("%s: status %s", stream, answer.Status)
	}
	type arrival struct {
		last int64
		at   time.Time
	}
	var all []arrival
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if id, is := strings.CutPrefix(lines.Text(), "id: "); is {
			last, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, arrival{last, time.Now()})
		}
	}
	if err := lines.Err(); err != nil {
		b.Fatal(err)
	}
	rows, err := d.Pool.Query(context.Background(), `
		SELECT id, log_date
		FROM xtk.workflow_log
		WHERE task_id = $1 AND log_date > $2
		ORDER BY id`, task, opened)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	for i := 0; rows.Next(); {
		var id int64
		var written time.Time
		if err := rows.Scan(&id, &written); err != nil {
			b.Fatal(err)
		}
		for i < len(all) && all[i].last < id {
			i++
		}
		if i == len(all) {
			b.Fatal(fmt.Errorf("line %d of run %d never came", id, task))
		}
		late = append(late, all[i].at.Sub(written))
	}
	return late
}
