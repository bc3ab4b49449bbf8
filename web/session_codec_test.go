package web

import (
	"maps"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// A session of before an upgrade is read, and what is written is read again.
func TestSessionCodec(t *testing.T) {
	t.Parallel()
	deadline, values := time.Now().Add(time.Hour).UTC().Round(0), map[string]any{"confirmed": int64(1785300000), "flash": `{"Text":"**Tracking** is \"paused\""}`}
	for name, codec := range map[string]scs.Codec{"before": scs.GobCodec{}, "now": sessionCodec{}} {
		text, err := codec.Encode(deadline, values)
		if err != nil {
			t.Fatal(err)
		}
		until, got, err := sessionCodec{}.Decode(text)
		if err != nil || !until.Equal(deadline) || !maps.Equal(got, values) {
			t.Errorf("%s: got %v, %v, %v, want %v, %v", name, until, got, err, deadline, values)
		}
	}
	for _, lost := range []map[string]any{{"mood": "good"}, {"confirmed": "today"}} {
		if text, err := (sessionCodec{}).Encode(deadline, lost); err == nil {
			t.Errorf("%v was written as %s, want an error", lost, text)
		}
	}
}
