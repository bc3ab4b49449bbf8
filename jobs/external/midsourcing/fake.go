package midsourcing

import (
	"encoding/json"
	"net/http"
	"sync"

	"nightshift/jobs/external/instance"
)

// Fake is a mid-sourcing server for tests: it keeps what it was asked to remove.
type Fake struct {
	*instance.Fake

	mu      sync.Mutex
	removed []Deliveries
}

// NewFake makes a server that knows one operator.
func NewFake(login, password string) *Fake {
	f := &Fake{Fake: instance.NewFake(login, password)}
	f.Answer("POST /api/v1/mid/deliveries/cleanup", f.cleanup)
	return f
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
