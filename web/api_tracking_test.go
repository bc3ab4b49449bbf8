package web

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	remote "nightshift/jobs/external/redirection"
	"nightshift/jobs/redirlog"
)

// Another instance fetches the raw lines over HTTP with its own client: request after request, each line once.
func TestTrackingLogs(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	r.newInstance("trk")
	for i := range 25 {
		r.get(hitLink(int64(i+1), 100, 2000))
	}
	r.lines()
	r.config.URL = nil // it is asked for by the address of the socket
	client, err := remote.New(remote.Account{URL: r.server.URL, Instance: "trk", Password: password}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pointer, seen, requests := uint64(0), []redirlog.Line{}, 0
	for {
		answer, err := client.Logs(t.Context(), pointer, 10)
		if err != nil {
			t.Fatal(err)
		}
		if time.Since(answer.ServerDate).Abs() > time.Minute {
			t.Errorf("got the date %s, want that of the server", answer.ServerDate)
		}
		for _, raw := range answer.Lines {
			line, err := redirlog.Parse(raw)
			if err != nil || line.ID <= pointer {
				t.Fatalf("got %q, %v after %x", raw, err, pointer)
			}
			pointer = line.ID
			seen = append(seen, line)
		}
		requests++
		if len(answer.Lines) < 10 {
			break
		}
	}
	if len(seen) != 26 || requests != 3 || seen[24].BroadLog != 25 { // the last one is the test's own
		t.Errorf("got %d lines in %d requests, want 26 in 3", len(seen), requests)
	}
	for _, after := range []uint64{pointer, pointer + 99} {
		if answer, err := client.Logs(t.Context(), after, 10); err != nil || len(answer.Lines) != 0 || answer.Pointer != pointer {
			t.Errorf("after %x: got %+v, %v, want nothing, and the pointer %x", after, answer, err, pointer)
		}
	}
}

// A question that is not one is refused with its reason; lines that a crash spoiled come through as JSON.
func TestTrackingLogsHostile(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	i := r.newInstance("trk")
	line := redirlog.Line{ID: 7, Flag: "h"}.Append(nil)
	spoiled := strings.Replace(string(line), "\th\t", "\t\xff\t", 1)
	if err := os.WriteFile(filepath.Join(r.dir, "0x0000000000000007"), []byte(spoiled), 0o600); err != nil {
		t.Fatal(err)
	}
	var got trackingLogsAnswer
	i.want(http.StatusOK, "POST /api/v1/tracking/logs", map[string]any{"instance": "TRK", "logCount": 1}, &got)
	if got.LogCount != 1 || got.Pointer != "0x0000000000000007" || strings.Count(got.Logs, "\n") != 1 {
		t.Errorf("got %+v, want the spoiled line", got)
	}
	for _, in := range []map[string]any{
		{}, {"instance": "kim"}, {"instance": "trk", "pointer": "7"}, {"instance": "trk", "pointer": "0x"}, {"instance": "trk", "pointer": "0x1FFFFFFFFFFFFFFFF"},
		{"instance": "trk", "logCount": 0}, {"instance": "trk", "logCount": 10001}, {"instance": "trk", "logCount": "many"}, {"instance": "trk", "pointer": 7},
	} {
		i.want(http.StatusBadRequest, "POST /api/v1/tracking/logs", in, nil)
	}
}
