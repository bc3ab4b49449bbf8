package midsourcing

import (
	"encoding/json"
	"net/http"
	"sync"
)

// Fake is a mid-sourcing server for tests: it knows one operator and keeps what it was asked to remove.
type Fake struct {
	Login, Password string
	// Refuse is the status it answers to everything but the logon; 0: none.
	Refuse int

	mu      sync.Mutex
	expire  bool
	removed []Deliveries
}

// Removed lists what it was asked to remove, a call an entry.
func (f *Fake) Removed() []Deliveries {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Deliveries(nil), f.removed...)
}

// Expire makes it forget the token that it gave last.
func (f *Fake) Expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire = true
}

// ServeHTTP answers as a server would: a logon first, then what the token allows.
func (f *Fake) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case req.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case req.URL.Path == "/api/v1/logon":
		f.logon(w, req)
	case f.expire || req.Header.Get("Authorization") != "Bearer token-of-"+f.Login:
		w.WriteHeader(http.StatusUnauthorized)
	case f.Refuse != 0:
		w.WriteHeader(f.Refuse)
	case req.URL.Path == "/api/v1/mid/deliveries/cleanup":
		var ids Deliveries
		if json.NewDecoder(req.Body).Decode(&ids) != nil || len(ids.RemoteIDs) != len(ids.EmitterIDs) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		f.removed = append(f.removed, ids)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (f *Fake) logon(w http.ResponseWriter, req *http.Request) {
	var in struct{ Login, Password string }
	if json.NewDecoder(req.Body).Decode(&in) != nil || in.Login != f.Login || in.Password != f.Password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	f.expire = false
	_ = json.NewEncoder(w).Encode(map[string]string{"token": "token-of-" + f.Login})
}
