package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/views"
)

// The question before a pause shows the slots until the end that is chosen, and who reads old data meanwhile.
func TestPauseFollows(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	now := time.Now()
	first := now.Add(30 * time.Minute) // and each hour from then on, far from now and from the end
	if _, err := c.db.Pool.Exec(t.Context(), `
		UPDATE xtk.workflow SET state = 'started', built = true, next_processing = $1,
			schedule = jsonb_build_object('kind', 'cron', 'cron', $2::int || ' * * * *')
		WHERE internal_name IN ('tracking', 'reportingAggregates')`, first.Truncate(time.Minute), first.In(c.zone()).Minute()); err != nil {
		t.Fatal(err)
	}
	at := now.Add(3 * time.Hour).Truncate(time.Minute)
	shown := views.Page{Lang: "en", Zone: c.zone(), Now: now}.When(at) // with its day when that is not today
	_, body := c.ask("kim", http.MethodGet, "/workflows/tracking/pause?until=at&until_at="+at.In(c.zone()).Format(inputMoment), nil)
	for _, want := range []string{"3 due slots are skipped and recorded so. One run at " + shown, "nms.tracking_log", `reportingAggregates <span class="second">`} {
		if !strings.Contains(body, want) {
			t.Errorf("until %s: got no %q", at, want)
		}
	}
	if _, body := c.ask("kim", http.MethodGet, "/workflows/tracking/pause", nil); !strings.Contains(body, "24 due slots of the next 24 hours are skipped") {
		t.Error("without an end: want the slots of a day")
	}
}

// Tables that somebody reads come first, those of the platform not at all.
func TestGoesStale(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	hourly := []byte(`{"kind": "cron", "cron": "0 * * * *"}`)
	from := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	writer := db.WorkflowRow{ID: 1, Writes: []string{"xtk.option", "nms.a", "nms.b", "nms.c"}}
	all := []db.WorkflowRow{writer, {ID: 2, Name: "paused", Built: true, State: db.Paused, Schedule: hourly, Reads: []string{"nms.a"}},
		{ID: 3, Name: "reader", Built: true, State: db.Started, Schedule: hourly, Zone: "UTC", Reads: []string{"nms.b", "xtk.option"}}}
	var got []string
	for _, stale := range c.goesStale(writer, all, from, from.Add(time.Hour)) {
		got = append(got, stale.Table+" "+stale.Reader+" "+stale.At.Format("15:04"))
	}
	if want := "nms.b reader 10:00, nms.a  00:00"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
}
