package web

import (
	"context"
	"errors"
	"testing"
	"time"
)

// An answer serves until it is a second old; an error never does, and questions do not share answers.
func TestKept(t *testing.T) {
	t.Parallel()
	var k kept[string, int]
	asked := 0
	get := func(question string, fails bool) (int, error) {
		return k.get(t.Context(), question, func(context.Context) (int, error) {
			asked++
			if fails {
				return 0, errors.New("down")
			}
			return asked, nil
		})
	}
	if _, err := get("runs", true); err == nil {
		t.Error("the first question fails: got no error")
	}
	first, err := get("runs", false)
	if err != nil || first != 2 {
		t.Fatalf("after an error: got %d, %v, want it asked again", first, err)
	}
	k.answers["runs"] = reply[int]{first, time.Now().Add(time.Hour)} // so that a slow machine does not matter
	if again, err := get("runs", true); err != nil || again != first {
		t.Errorf("within the second: got %d, %v, want the answer that was kept", again, err)
	}
	if other, err := get("failed runs", false); err != nil || other != 3 {
		t.Errorf("another question: got %d, %v, want it asked", other, err)
	}
	k.answers["runs"] = reply[int]{first, time.Now().Add(-keptFresh)}
	if late, err := get("runs", false); err != nil || late != 4 {
		t.Errorf("a second later: got %d, %v, want it asked anew", late, err)
	}
}
