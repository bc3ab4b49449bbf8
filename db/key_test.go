package db_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// opened is another process's look at a database.
func opened(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// keyFile is the key in a folder, empty when there is none, and fails on any other file in it.
func keyFile(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	key := ""
	for _, entry := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil || entry.Name() != "key" {
			t.Fatalf("the folder has %s, %v; want at most the key", entry.Name(), err)
		}
		key = string(raw)
	}
	return key
}

// recorded is all that the database knows of its key.
func recorded(t *testing.T, d *db.DB) (row string) {
	t.Helper()
	if err := d.Pool.QueryRow(t.Context(), `SELECT COALESCE(string_agg(k::text, ' '), '') FROM xtk.instance_key k`).Scan(&row); err != nil {
		t.Fatal(err)
	}
	return row
}

// The first process makes the key; from then on only those who have it get in, and a refusal changes neither the database nor
// the folder.
func TestOnlyTheKeyOfTheInstanceIsTaken(t *testing.T) {
	t.Parallel()
	d, home := dbtest.New(t), t.TempDir()
	if err := d.CheckKey(t.Context(), db.KeySource{Dir: home}); err != nil || keyFile(t, home) != "" {
		t.Fatalf("look at a new database: got %v, key file %q; want no error and no file", err, keyFile(t, home))
	}
	if err := d.TakeKey(t.Context(), db.KeySource{Dir: home}); err != nil {
		t.Fatal(err)
	}
	file, row := keyFile(t, home), recorded(t, d)
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(file))
	if err != nil || len(key) != 32 || row == "" {
		t.Fatalf("the key file holds %q, the database %q; want 32 bytes in base64 and a check value", file, row)
	}
	if info, err := os.Stat(filepath.Join(home, "key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: got %v, %v; want that only its owner reads it", info.Mode(), err)
	}
	withFile := t.TempDir()
	if err := os.WriteFile(filepath.Join(withFile, "key"), []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for name, tc := range map[string]struct {
		from db.KeySource
		says string
	}{
		"no key":           {db.KeySource{Dir: empty}, "NIGHTSHIFT_KEY is empty and there is no file " + filepath.Join(empty, "key")},
		"another file":     {db.KeySource{Dir: withFile}, "the key in the file " + filepath.Join(withFile, "key") + " is not the one"},
		"another key":      {db.KeySource{Given: bytes.Repeat([]byte{7}, 32), Dir: home}, "NIGHTSHIFT_KEY is not the one"},
		"an extended key":  {db.KeySource{Given: append(bytes.Clone(key), 0), Dir: home}, "NIGHTSHIFT_KEY is not the one"},
		"of no bytes":      {db.KeySource{Given: []byte{}, Dir: home}, "NIGHTSHIFT_KEY is not the one"},
		"a folder not yet": {db.KeySource{Dir: filepath.Join(empty, "new")}, "there is no file"},
	} {
		other := opened(t, d.URL())
		for what, take := range map[string]func(context.Context, db.KeySource) error{"check": other.CheckKey, "take": other.TakeKey} {
			err := take(t.Context(), tc.from)
			if !errors.Is(err, db.ErrOtherKey) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "nightshift key replace") {
				t.Errorf("%s, %s: got %v; want ErrOtherKey with %q", name, what, err, tc.says)
			}
		}
	}
	if got := keyFile(t, empty); got != "" || keyFile(t, home) != file || recorded(t, d) != row {
		t.Errorf("after the refusals: key file %q of the stranger, %q of the instance, %q in the database; want nothing changed", got, keyFile(t, home), recorded(t, d))
	}
	for name, from := range map[string]db.KeySource{"its file": {Dir: home}, "given": {Given: key, Dir: empty}} {
		other := opened(t, d.URL())
		if err := errors.Join(other.CheckKey(t.Context(), from), other.TakeKey(t.Context(), from), other.AuditAlone(t.Context(), line(name))); err != nil {
			t.Errorf("%s: got %v, want it taken", name, err)
		}
	}
	if count, bad, err := d.VerifyAudit(t.Context()); count != 2 || bad != 0 || err != nil {
		t.Errorf("audit trail: got %d entries, first bad %d, %v; want 2 that hold", count, bad, err)
	}
}

// A file that a start left behind before the database could record its key is taken at the next one.
func TestKeyFileOfAnInterruptedStart(t *testing.T) {
	t.Parallel()
	d, home := dbtest.New(t), t.TempDir()
	file := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{3}, 32)) + "\n"
	if err := os.WriteFile(filepath.Join(home, "key"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.TakeKey(t.Context(), db.KeySource{Dir: home}); err != nil || keyFile(t, home) != file {
			t.Fatalf("got %v, key file %q; want it taken as it is", err, keyFile(t, home))
		}
	}
	if err := os.WriteFile(filepath.Join(home, "key"), []byte("c2hvcnQ="), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.TakeKey(t.Context(), db.KeySource{Dir: home}); err == nil || !strings.Contains(err.Error(), "does not hold 32 bytes") {
		t.Errorf("a file that holds no key: got %v, want that it is named", err)
	}
}

// Of processes that start at once on a new database, those of one folder end with one key; of those with folders of their
// own one gets in, and the others leave no file.
func TestKeyOfProcessesThatStartAtOnce(t *testing.T) {
	t.Parallel()
	const processes = 6
	for name, folder := range map[string]func(shared string) string{
		"one folder": func(shared string) string { return shared },
		"own":        func(string) string { return t.TempDir() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, shared := dbtest.New(t), t.TempDir()
			var dirs [processes]string
			var errs [processes]error
			var all sync.WaitGroup
			for i := range processes {
				dirs[i] = folder(shared)
				other := opened(t, d.URL())
				all.Go(func() { errs[i] = other.TakeKey(t.Context(), db.KeySource{Dir: dirs[i]}) })
			}
			all.Wait()
			taken := 0
			for i, err := range errs {
				if err == nil {
					taken++
				} else if !errors.Is(err, db.ErrOtherKey) {
					t.Error(err)
				}
				if has := keyFile(t, dirs[i]) != ""; has != (err == nil) {
					t.Errorf("process %d: got %v, and a key file: %t", i, err, has)
				}
			}
			if want := map[string]int{"one folder": processes, "own": 1}[name]; taken != want {
				t.Errorf("got %d processes that got in, want %d", taken, want)
			}
		})
	}
}

// A database from before there was a check value takes the key that its secrets or its audit trail are sealed with.
func TestKeyOfADatabaseInUse(t *testing.T) {
	t.Parallel()
	ours, stray := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	for name, tc := range map[string]struct {
		audited   [][]byte // who sealed the entries, in order
		secrets   map[string][]byte
		stray     bool // whether that key would be taken, too
		unbinding bool
	}{
		"audit trail":                {audited: [][]byte{ours, ours, ours}},
		"a stray wrote between":      {audited: [][]byte{ours, stray, ours}},
		"a stray wrote last":         {audited: [][]byte{ours, ours, stray}, stray: true},
		"a secret":                   {secrets: map[string][]byte{"a": ours}},
		"a secret of an old version": {secrets: map[string][]byte{"a": ours}, unbinding: true},
		"secrets tell strays":        {audited: [][]byte{ours, stray}, secrets: map[string][]byte{"a": ours}},
		"one secret of an older key": {audited: [][]byte{ours}, secrets: map[string][]byte{"a": bytes.Repeat([]byte{9}, 32), "b": ours}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			for _, key := range tc.audited {
				d.UseKey(key)
				writeLines(t, d, 1)
			}
			for account, key := range tc.secrets {
				d.UseKey(key)
				bound := account
				if tc.unbinding {
					bound = ""
				}
				sealed, err := d.Seal(bound, "pa55")
				if err == nil {
					_, err = d.Pool.Exec(t.Context(), `INSERT INTO nms.ext_account (internal_name, label, type, secret) VALUES ($1, $1, 'webhook', $2)`, account, sealed)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			nobody := t.TempDir()
			if err := d.TakeKey(t.Context(), db.KeySource{Dir: nobody}); !errors.Is(err, db.ErrOtherKey) || keyFile(t, nobody) != "" {
				t.Errorf("no key: got %v, key file %q; want ErrOtherKey and none", err, keyFile(t, nobody))
			}
			if !tc.stray {
				if err := d.TakeKey(t.Context(), db.KeySource{Given: stray}); !errors.Is(err, db.ErrOtherKey) {
					t.Errorf("another key: got %v, want ErrOtherKey", err)
				}
			}
			if got := recorded(t, d); got != "" {
				t.Errorf("after the refusals the database knows %q, want nothing", got)
			}
			if err := d.TakeKey(t.Context(), db.KeySource{Given: ours}); err != nil {
				t.Errorf("the instance's key: got %v, want it taken", err)
			}
			if err := d.TakeKey(t.Context(), db.KeySource{Given: stray}); !errors.Is(err, db.ErrOtherKey) {
				t.Errorf("another key afterwards: got %v, want ErrOtherKey", err)
			}
		})
	}
}

// After its key was lost an instance goes on with another one, which an administrator brings while no node is up.
func TestReplaceKey(t *testing.T) {
	t.Parallel()
	d, home := dbtest.New(t), t.TempDir()
	boss := db.Actor{Login: "command line", Rights: []string{db.Administration}}
	lost, found := db.KeySource{Given: bytes.Repeat([]byte{1}, 32), Dir: home}, db.KeySource{Dir: home}
	if err := d.TakeKey(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	writeLines(t, d, 3)
	for _, name := range []string{"one", "two"} {
		sealed, err := d.Seal(name, "pa55")
		if err == nil {
			_, err = d.Pool.Exec(t.Context(), `INSERT INTO nms.ext_account (internal_name, label, type, secret) VALUES ($1, $1, 'webhook', $2)`, name, sealed)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	session, err := pgx.Connect(t.Context(), d.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.JoinNode(t.Context(), session, &db.Node{Name: "a", Affinities: []string{}, Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	row := recorded(t, d)
	if err := d.ReplaceKey(t.Context(), boss, found); err == nil || !strings.Contains(err.Error(), "stop all nodes first") {
		t.Errorf("while a node is up: got %v, want a refusal", err)
	}
	if err := session.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	noNode(t, d)
	if err := d.ReplaceKey(t.Context(), boss, lost); err == nil || !strings.Contains(err.Error(), "not lost") {
		t.Errorf("with the key that is not lost: got %v, want a refusal", err)
	}
	var missing *db.MissingRight
	if err := d.ReplaceKey(t.Context(), db.Actor{Login: "kim"}, found); !errors.As(err, &missing) {
		t.Errorf("without the right: got %v, want that it is missing", err)
	}
	if keyFile(t, home) != "" || recorded(t, d) != row {
		t.Fatalf("after the refusals: key file %q, %q in the database; want nothing changed", keyFile(t, home), recorded(t, d))
	}
	if err := d.ReplaceKey(t.Context(), boss, found); err != nil || keyFile(t, home) == "" {
		t.Fatalf("got %v, key file %q; want a new key", err, keyFile(t, home))
	}
	writeLines(t, d, 2)
	if count, bad, err := d.VerifyAudit(t.Context()); count != 3 || bad != 0 || err != nil {
		t.Errorf("audit trail: got %d entries, first bad %d, %v; want the 3 since the replacement to hold", count, bad, err)
	}
	closed, err := d.ClosedSecrets(t.Context())
	if err != nil || strings.Join(closed, " ") != "one two" {
		t.Errorf("secrets that do not open: got %q, %v; want those of both accounts", closed, err)
	}
	if err := d.TakeKey(t.Context(), lost); !errors.Is(err, db.ErrOtherKey) {
		t.Errorf("the lost key: got %v, want ErrOtherKey", err)
	}
	if err := d.TakeKey(t.Context(), found); err != nil {
		t.Errorf("the new key: got %v, want it taken", err)
	}
}

// noNode waits until PostgreSQL has noticed that the sessions of all nodes have ended.
func noNode(t *testing.T, d *db.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for held := 1; held > 0; {
		if err := d.Pool.QueryRow(ctx, `
			SELECT count(*)
			FROM pg_locks
			WHERE locktype = 'advisory' AND classid = $1
			  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, db.LockNode).Scan(&held); err != nil {
			t.Fatal(err)
		}
	}
}
