package deliverability

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Fake is a deliverability service for tests. It answers one account, and keeps what it was asked and sent.
type Fake struct {
	Account Account
	// Misbehave answers in its place when it returns true; nil: never. It may be changed between runs only.
	Misbehave func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	rules    any // what it gives out, as JSON
	version  string
	known    []Message
	asked    []string
	received [][]Message
	token    int
}

// Publish sets the rules that it gives out under a version: Rules, or whatever a test wants to be sent in their place.
func (f *Fake) Publish(version string, rules any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version, f.rules = version, rules
}

// Decide sets the qualifications that it gives out.
func (f *Fake) Decide(messages ...Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = messages
}

// Expire makes it forget the tokens that it gave.
func (f *Fake) Expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token++
}

// Asked lists the requests that reached it ("GET /v1/rules"), those it refused or misbehaved to included.
func (f *Fake) Asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// Received lists the batches of qualifications that it has taken.
func (f *Fake) Received() [][]Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.received)
}

// ServeHTTP answers as the service would: a token first, then what the token allows.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked = append(f.asked, r.Method+" "+r.URL.Path)
	f.mu.Unlock()
	if f.Misbehave != nil && f.Misbehave(w, r) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	route := r.Method + " " + r.URL.Path
	switch {
	case route == "POST /v1/token":
		f.grant(w, r)
	case r.Header.Get("Authorization") != "Bearer "+f.bearer():
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Query().Get("cuid") != f.Account.Customer:
		w.WriteHeader(http.StatusForbidden)
	case route == "GET /v1/rules":
		w.Header().Set("ETag", strconv.Quote(f.version))
		if r.Header.Get("If-None-Match") == strconv.Quote(f.version) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		answer(w, f.rules)
	case route == "POST "+messagesPath:
		f.take(w, r)
	case route == "GET "+messagesPath:
		f.give(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func (f *Fake) bearer() string { return "token " + strconv.Itoa(f.token) + " of " + f.Account.ID }

func (f *Fake) grant(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("client_id") != f.Account.ID ||
		r.PostFormValue("client_secret") != f.Account.Secret {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer(w, map[string]any{"access_token": f.bearer(), "token_type": "bearer", "expires_in": 3600})
}

func (f *Fake) take(w http.ResponseWriter, r *http.Request) {
	var batch struct{ Messages []Message }
	if json.NewDecoder(r.Body).Decode(&batch) != nil || len(batch.Messages) == 0 || len(batch.Messages) > BatchSize {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.received = append(f.received, batch.Messages)
	w.WriteHeader(http.StatusNoContent)
}

// give answers with what changed after a moment, in order; what changed in one moment is given together.
func (f *Fake) give(w http.ResponseWriter, r *http.Request) {
	since, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since"))
	limit, notANumber := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || notANumber != nil || limit < 1 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	newer := []Message{}
	for _, message := range f.known {
		if message.Modified.After(since) {
			newer = append(newer, message)
		}
	}
	slices.SortStableFunc(newer, func(a, b Message) int { return a.Modified.Compare(b.Modified) })
	for limit < len(newer) && newer[limit].Modified.Equal(newer[limit-1].Modified) {
		limit++
	}
	answer(w, map[string]any{"messages": newer[:min(limit, len(newer))]})
}
