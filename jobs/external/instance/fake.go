package instance

import (
	"encoding/json"
	"net/http"
	"sync"
)

// Fake is another instance for tests: it knows one operator and answers the routes that it is given.
type Fake struct {
	login, password string

	mu      sync.Mutex
	routes  map[string]http.HandlerFunc
	trouble http.HandlerFunc
	expired bool
	asked   map[string]int
}

// NewFake makes an instance with one operator, which answers the logon and nothing else yet.
func NewFake(login, password string) *Fake {
	return &Fake{login: login, password: password, routes: map[string]http.HandlerFunc{}, asked: map[string]int{}}
}

// Answer sets what it answers to a route ("POST /api/v1/…"), when the token is right.
func (f *Fake) Answer(route string, with http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.routes[route] = with
}

// Trouble makes it answer everything but the logon in another way; nil ends the trouble.
func (f *Fake) Trouble(answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trouble = answer
}

// Expire makes it forget the token that it gave last.
func (f *Fake) Expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expired = true
}

// Asked counts the requests that came for a route, whatever they were answered.
func (f *Fake) Asked(route string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[route]
}

// ServeHTTP answers as an instance would: a logon first, then what the token allows.
func (f *Fake) ServeHTTP(w http.ResponseWriter, req *http.Request) { f.choose(req)(w, req) }

func (f *Fake) choose(req *http.Request) http.HandlerFunc {
	f.mu.Lock()
	defer f.mu.Unlock()
	route := req.Method + " " + req.URL.Path
	f.asked[route]++
	switch answer := f.routes[route]; {
	case route == "POST "+logonPath:
		return f.logon
	case f.expired || req.Header.Get("Authorization") != "Bearer "+f.token():
		return Status(http.StatusUnauthorized)
	case f.trouble != nil:
		return f.trouble
	case answer != nil:
		return answer
	}
	return Status(http.StatusNotFound)
}

func (f *Fake) token() string { return "token-of-" + f.login }

func (f *Fake) logon(w http.ResponseWriter, req *http.Request) {
	var in struct{ Login, Password string }
	if json.NewDecoder(req.Body).Decode(&in) != nil || in.Login != f.login || in.Password != f.password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expired = false
	WriteJSON(w, map[string]string{"token": f.token()})
}

// WriteJSON answers with a value as JSON.
func WriteJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

// Status is an answer of this code, without words.
func Status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}
