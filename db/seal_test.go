package db_test

import (
	"bytes"
	"testing"

	"nightshift/db"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	ours, other := &db.DB{}, &db.DB{}
	ours.UseKey(bytes.Repeat([]byte{1}, 32))
	other.UseKey(bytes.Repeat([]byte{2}, 32))
	sealed, err := ours.Seal("pa55")
	if err != nil || bytes.Contains(sealed, []byte("pa55")) {
		t.Fatalf("seal: got %q, error %v, want it encrypted", sealed, err)
	}
	if got, err := ours.Unseal(sealed); err != nil || got != "pa55" {
		t.Errorf("unseal: got %q, error %v, want pa55", got, err)
	}
	if got, err := other.Unseal(sealed); err == nil {
		t.Errorf("unseal with another key: got %q, want an error", got)
	}
	sealed[len(sealed)-1] ^= 1
	if got, err := ours.Unseal(sealed); err == nil {
		t.Errorf("unseal what was changed: got %q, want an error", got)
	}
}
