package db_test

import (
	"bytes"
	"testing"

	"nightshift/db"
	"nightshift/db/dbtest"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	ours, other := &db.DB{}, &db.DB{}
	ours.UseKey(bytes.Repeat([]byte{1}, 32))
	other.UseKey(bytes.Repeat([]byte{2}, 32))
	sealed, err := ours.Seal("mail", "pa55")
	if err != nil || bytes.Contains(sealed, []byte("pa55")) {
		t.Fatalf("seal: got %q, error %v, want it encrypted", sealed, err)
	}
	if got, err := ours.Unseal("mail", sealed); err != nil || got != "pa55" {
		t.Errorf("unseal: got %q, error %v, want pa55", got, err)
	}
	for _, name := range []string{"mail2", "mai", "", "MAIL"} {
		if got, err := ours.Unseal(name, sealed); err == nil {
			t.Errorf("unseal for account %q: got %q, want an error", name, got)
		}
	}
	if got, err := other.Unseal("mail", sealed); err == nil {
		t.Errorf("unseal with another key: got %q, want an error", got)
	}
	sealed[len(sealed)-1] ^= 1
	if got, err := ours.Unseal("mail", sealed); err == nil {
		t.Errorf("unseal what was changed: got %q, want an error", got)
	}
}

// A secret that is moved to the row of another account does not open there. What an earlier version sealed for no account
// in particular is bound once; what another instance's key sealed stays as it is.
func TestSecretsAreBound(t *testing.T) {
	t.Parallel()
	d, stranger := dbtest.New(t), &db.DB{}
	d.UseKey(bytes.Repeat([]byte{1}, 32))
	stranger.UseKey(bytes.Repeat([]byte{2}, 32))
	for name, seal := range map[string]func() ([]byte, error){
		"old":      func() ([]byte, error) { return d.Seal("", "old's") },
		"bound":    func() ([]byte, error) { return d.Seal("bound", "bound's") },
		"stranger": func() ([]byte, error) { return stranger.Seal("", "nobody's") },
		"none":     func() ([]byte, error) { return nil, nil },
	} {
		sealed, err := seal()
		if err == nil {
			_, err = d.Pool.Exec(t.Context(), `INSERT INTO nms.ext_account (internal_name, label, type, secret) VALUES ($1, $1, 'webhook', $2)`, name, sealed)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		t.Helper()
		a, err := d.AccountByName(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := d.Secret(a)
		if err != nil {
			return "refused"
		}
		return secret
	}
	if got := read("old"); got != "refused" {
		t.Errorf("sealed for no account: got %q, want it refused until it is bound", got)
	}
	for range 2 {
		if err := d.BindSecrets(t.Context()); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"old": "old's", "bound": "bound's", "stranger": "refused", "none": ""} {
			if got := read(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
	var entries int
	if err := d.Pool.QueryRow(t.Context(), `SELECT count(*) FROM xtk.audit WHERE entity_type = 'account'`).Scan(&entries); err != nil || entries != 1 {
		t.Errorf("got %d entries of the audit trail, %v; want one, of the account that was bound", entries, err)
	}
	if _, err := d.Pool.Exec(t.Context(), `
		UPDATE nms.ext_account
		SET secret = (SELECT secret FROM nms.ext_account WHERE internal_name = 'old')
		WHERE internal_name = 'bound'`); err != nil {
		t.Fatal(err)
	}
	if err := d.BindSecrets(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read("bound"); got != "refused" {
		t.Errorf("another account's secret: got %q, want it refused", got)
	}
}
