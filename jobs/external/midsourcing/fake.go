package midsourcing

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"nightshift/jobs/external/instance"
)

// Fake is a mid-sourcing server for tests: it tells of the deliveries, logs and texts that it was given, and keeps what it
// was asked to remove.
type Fake struct {
	*instance.Fake
	// Ahead is by how much its clock is ahead of ours.
	Ahead time.Duration

	mu         sync.Mutex
	removed    []Deliveries
	deliveries []Delivery
	logs       []Log
	messages   []Message
}

// NewFake makes a server that knows one operator.
func NewFake(login, password string) *Fake {
	f := &Fake{Fake: instance.NewFake(login, password)}
	f.Answer("POST /api/v1/mid/deliveries/cleanup", f.cleanup)
	f.Answer("GET "+deliveriesPath, f.listDeliveries)
	f.Answer("GET "+logsPath, f.listLogs)
	f.Answer("GET "+messagesPath, f.listMessages)
	return f
}

// Carry sets what it tells of deliveries, logs and texts.
func (f *Fake) Carry(deliveries []Delivery, logs []Log, messages ...Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deliveries, f.logs, f.messages = slices.Clone(deliveries), slices.Clone(logs), messages
	slices.SortFunc(f.deliveries, func(a, b Delivery) int {
		return cmp.Or(a.LastModified.Compare(b.LastModified), cmp.Compare(a.ID, b.ID))
	})
	slices.SortStableFunc(f.logs, func(a, b Log) int { return a.LastModified.Compare(b.LastModified) })
}

func (f *Fake) listDeliveries(w http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	since, after, limit := date(req, "modified_since"), number(req, "after_id"), number(req, "limit")
	page := []Delivery{}
	for _, d := range f.deliveries {
		if d.LastModified.Compare(since) > 0 || d.LastModified.Equal(since) && d.ID > after {
			page = append(page, d)
		}
	}
	instance.WriteJSON(w, DeliveryPage{page[:min(len(page), int(limit))], time.Now().Add(f.Ahead - time.Second)})
}

// listLogs gives whole seconds, up to the one that is not over yet.
func (f *Fake) listLogs(w http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	start, next, count := date(req, "start_date"), time.Now().Add(f.Ahead).Truncate(time.Second), int(number(req, "log_count"))
	if end := date(req, "end_date"); !end.IsZero() && end.Before(next) {
		next = end
	}
	if !next.After(start) {
		w.WriteHeader(http.StatusConflict)
		return
	}
	from := slices.IndexFunc(f.logs, func(l Log) bool { return !l.LastModified.Before(start) })
	if from < 0 {
		from = len(f.logs)
	}
	left := f.logs[from:]
	if full := len(left) >= count; full && left[count-1].LastModified.Before(next) {
		next = left[count-1].LastModified.Truncate(time.Second).Add(time.Second)
	}
	page := []Log{}
	for _, l := range left {
		if l.LastModified.Before(next) {
			if shift := f.Ahead.Round(time.Second); l.EventDate != nil {
				at := l.EventDate.Add(-shift)
				l.EventDate = &at
			}
			page = append(page, l)
		}
	}
	instance.WriteJSON(w, Logs{page, next, int64(len(left))})
}

func (f *Fake) listMessages(w http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	page := []Message{}
	for _, m := range f.messages {
		if slices.Contains(strings.Split(req.FormValue("md5"), ","), m.MD5) {
			page = append(page, m)
		}
	}
	instance.WriteJSON(w, map[string]any{"messages": page})
}

// date and number read a parameter; one that cannot be read is zero.
func date(req *http.Request, name string) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, req.FormValue(name))
	return at
}

func number(req *http.Request, name string) int64 {
	n, _ := strconv.ParseInt(req.FormValue(name), 10, 64)
	return n
}

// Removed lists what it was asked to remove, a call an entry.
func (f *Fake) Removed() []Deliveries {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Deliveries(nil), f.removed...)
}

func (f *Fake) cleanup(w http.ResponseWriter, req *http.Request) {
	var ids Deliveries
	if json.NewDecoder(req.Body).Decode(&ids) != nil || len(ids.RemoteIDs) != len(ids.EmitterIDs) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.removed = append(f.removed, ids)
	w.WriteHeader(http.StatusNoContent)
}
