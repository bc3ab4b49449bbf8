package e2e_test

import (
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Somebody who works on the instance's database from a data folder of their own is refused, by every command and by a second
// node: nothing is written, no key file is left behind. With the instance's key they get in.
func TestAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	d := empty(t)
	start(t, d.URL()).stop()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(t.TempDir(), "mine")
	nightshift := func(key string, args ...string) (said string, code int) {
		t.Helper()
		command := exec.CommandContext(t.Context(), path, args...)
		command.Env = append(os.Environ(), "DATABASE_URL="+d.URL(), "NIGHTSHIFT_DATA="+mine, "NIGHTSHIFT_KEY="+key, "NIGHTSHIFT_LISTEN=127.0.0.1:0")
		raw, err := command.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(raw), command.ProcessState.ExitCode()
	}
	written := func() (all string) {
		t.Helper()
		if err := d.Pool.QueryRow(t.Context(), `
			SELECT concat_ws(' ', (SELECT count(*) FROM xtk.audit), (SELECT string_agg(login, ' ') FROM xtk.operator), k, (SELECT max(id) FROM xtk.engine_node))
			FROM xtk.instance_key k`).Scan(&all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := written()
	other := base64.StdEncoding.EncodeToString([]byte("another key of 32 bytes, not ours"))
	for _, key := range []string{"", other} {
		for _, args := range [][]string{{"operator", "add", "lee"}, {"operator", "list"}, {"serve"}, {"migrate"}, {"audit", "verify"}, {"demo"}, {"run", "cleanup"}} {
			said, code := nightshift(key, args...)
			if code != 1 || !strings.HasPrefix(said, "nightshift: this process does not have the key of this instance: NIGHTSHIFT_KEY is ") || strings.Contains(said, other) {
				t.Errorf("%v with the key %q: got exit code %d, %q; want 1 and which key is missing where", args, key, code, said)
			}
		}
	}
	if _, err := os.Stat(mine); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stranger's folder: got %v, want that it was not even made", err)
	}
	if after := written(); after != before {
		t.Errorf("the database: got %s, want %s as before", after, before)
	}
	ours := base64.StdEncoding.EncodeToString([]byte(instanceKey))
	if said, code := nightshift(ours, "operator", "add", "lee"); code != 0 {
		t.Errorf("with the key of the instance: got exit code %d, %q; want lee to be added", code, said)
	}
	if said, code := nightshift(ours, "audit", "verify"); code != 0 || !strings.Contains(said, " entries hold") {
		t.Errorf("audit verify: got exit code %d, %q; want that all hold", code, said)
	}
}
