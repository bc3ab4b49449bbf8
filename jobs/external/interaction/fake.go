package interaction

import (
	"encoding/json"
	"net/http"
	"sync"

	"nightshift/jobs/external/instance"
)

// Fake is an execution instance for tests: it keeps the catalogues that it was sent.
type Fake struct {
	*instance.Fake

	mu   sync.Mutex
	sent []Catalogue
}

// NewFake makes an instance that knows one operator.
func NewFake(login, password string) *Fake {
	f := &Fake{Fake: instance.NewFake(login, password)}
	f.Answer("POST "+Path, f.take)
	return f
}

// Sent lists the catalogues that it has taken.
func (f *Fake) Sent() []Catalogue {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Catalogue(nil), f.sent...)
}

func (f *Fake) take(w http.ResponseWriter, req *http.Request) {
	var c Catalogue
	if json.NewDecoder(req.Body).Decode(&c) != nil || c.Stranger() != "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, c)
	instance.WriteJSON(w, Counts{len(c.Categories), len(c.Spaces), len(c.Offers)})
}
