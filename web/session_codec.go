package web

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
)

// sessionCodec writes what a session remembers as JSON. The codec of scs builds an interpreter of its format anew for each
// request, which takes as long as asking PostgreSQL for the session.
type sessionCodec struct{}

// remembered is all that a session remembers.
type remembered struct {
	Deadline  time.Time `json:"deadline"`
	Confirmed int64     `json:"confirmed,omitempty"` // when the password was last given
	Flash     string    `json:"flash,omitempty"`     // the message of the last order
}

// Encode refuses what remembered has no place for: it would be lost.
func (sessionCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	data := remembered{Deadline: deadline}
	for key, value := range values {
		known := false
		switch key {
		case "confirmed":
			data.Confirmed, known = value.(int64)
		case "flash":
			data.Flash, known = value.(string)
		}
		if !known {
			return nil, fmt.Errorf("a session has no place for %q of type %T", key, value)
		}
	}
	return json.Marshal(data)
}

// Decode also reads the sessions that were written by the codec of scs, before an upgrade.
func (sessionCodec) Decode(text []byte) (time.Time, map[string]any, error) {
	if len(text) == 0 || text[0] != '{' {
		return scs.GobCodec{}.Decode(text)
	}
	var data remembered
	if err := json.Unmarshal(text, &data); err != nil {
		return time.Time{}, nil, fmt.Errorf("read a session: %w", err)
	}
	values := map[string]any{}
	if data.Confirmed != 0 {
		values["confirmed"] = data.Confirmed
	}
	if data.Flash != "" {
		values["flash"] = data.Flash
	}
	return data.Deadline, values, nil
}
