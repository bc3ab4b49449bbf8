package web

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// An answer serves until it is a second old or forgotten; an error never does, and questions do not share answers.
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
	k.replies["runs"].asked = time.Now().Add(time.Hour) // so that a slow machine does not matter
	if again, err := get("runs", true); err != nil || again != first {
		t.Errorf("within the second: got %d, %v, want the answer that was kept", again, err)
	}
	if other, err := get("failed runs", false); err != nil || other != 3 {
		t.Errorf("another question: got %d, %v, want it asked", other, err)
	}
	k.replies["runs"].asked = time.Now().Add(-keptFresh)
	if late, err := get("runs", false); err != nil || late != 4 {
		t.Errorf("a second later: got %d, %v, want it asked anew", late, err)
	}
	k.replies["runs"].asked = time.Now().Add(time.Hour)
	k.forget()
	if after, err := get("runs", false); err != nil || after != 5 {
		t.Errorf("after it was forgotten: got %d, %v, want it asked anew", after, err)
	}
}

// Those who ask while an answer is on its way wait for it; one that comes after forget asks for itself.
func TestKeptTogether(t *testing.T) {
	t.Parallel()
	var k kept[string, int]
	begun, end := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		if got, err := k.get(t.Context(), "runs", func(context.Context) (int, error) {
			close(begun)
			<-end
			return 1, nil
		}); err != nil || got != 1 {
			t.Errorf("who asked: got %d, %v, want 1", got, err)
		}
	})
	<-begun
	if k.reply("runs").mu.TryLock() {
		t.Error("an answer is on its way: got a reply that nobody holds, so others would ask too")
	}
	k.forget()
	if got, err := k.get(t.Context(), "runs", func(context.Context) (int, error) { return 2, nil }); err != nil || got != 2 {
		t.Errorf("after forget, while the old answer is on its way: got %d, %v, want its own", got, err)
	}
	close(end)
	all.Wait()
	if got, err := k.get(t.Context(), "runs", func(context.Context) (int, error) { return 2, nil }); err != nil || got != 2 {
		t.Errorf("after the old answer came: got %d, %v, want 2", got, err)
	}
}
