package redirection

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fake is a redirection server for tests: it knows one instance, and gives out the raw lines that a test wrote.
type Fake struct {
	Instance, Password string
	// Misbehave answers in its place when it returns true; nil: never. It may be changed between runs only.
	Misbehave func(w http.ResponseWriter, r *http.Request) bool
	// Ahead is how far its clock is from the machine's.
	Ahead time.Duration

	mu    sync.Mutex
	lines []string
	asked []string
	token int
}

// Write adds raw lines, with or without their ends. Each must begin with the form of a log id; the rest may be anything.
func (f *Fake) Write(lines ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range lines {
		f.lines = append(f.lines, strings.TrimSuffix(line, "\n"))
	}
	slices.SortFunc(f.lines, func(a, b string) int { return strings.Compare(idOf(a), idOf(b)) })
}

// idOf are the 16 digits of a line's id, which sort like it.
func idOf(line string) string { return strings.ToUpper(line[len("50x"):len("50x000000000FD7EC86")]) }

// Purge makes it forget the lines that it has, as a server does whose disk is full.
func (f *Fake) Purge() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = nil
}

// Expire makes it forget the tokens that it gave.
func (f *Fake) Expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token++
}

// Asked lists the pointers that it was asked for lines with, in the order of the questions.
func (f *Fake) Asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// ServeHTTP answers as a server would: a logon first, then the lines.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.Misbehave != nil && f.Misbehave(w, r) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case r.URL.Path == "/api/v1/logon":
		f.grant(w, r)
	case r.URL.Path != logsPath:
		w.WriteHeader(http.StatusNotFound)
	case r.Header.Get("Authorization") != "Bearer "+f.bearer():
		w.WriteHeader(http.StatusUnauthorized)
	default:
		f.give(w, r)
	}
}

func (f *Fake) bearer() string { return "token " + strconv.Itoa(f.token) + " of " + f.Instance }

func (f *Fake) grant(w http.ResponseWriter, r *http.Request) {
	var in struct{ Login, Password string }
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Login != f.Instance || in.Password != f.Password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	write(w, map[string]any{"token": f.bearer()})
}

func (f *Fake) give(w http.ResponseWriter, r *http.Request) {
	var in question
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Instance != f.Instance || in.LogCount < 1 || in.LogCount > MaxCount {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	after, err := parse(in.Pointer)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.asked = append(f.asked, in.Pointer)
	from, _ := slices.BinarySearchFunc(f.lines, hex(after)[2:], func(line, digits string) int {
		if idOf(line) <= digits {
			return -1
		}
		return 1
	})
	given := f.lines[from:min(from+in.LogCount, len(f.lines))]
	out := reply{Pointer: hex(after), LogCount: len(given), ServerDate: time.Now().Add(f.Ahead).UTC()}
	switch {
	case len(given) > 0:
		out.Pointer, out.Logs = "0x"+idOf(given[len(given)-1]), strings.Join(given, "\n")+"\n"
	case len(f.lines) == 0:
		out.Pointer = hex(0)
	default:
		out.Pointer = min(out.Pointer, "0x"+idOf(f.lines[len(f.lines)-1]))
	}
	write(w, out)
}

func write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
