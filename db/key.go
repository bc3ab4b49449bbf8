package db

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const keyBytes = 32

// lockKey orders those who look at the instance's key and may have to make it: the first one's holds.
const lockKey = 73010005

// ErrOtherKey refuses a process that does not have the instance's key: what it sealed nobody else could check or open.
var ErrOtherKey = errors.New("this process does not have the key of this instance")

// KeySource is where a process has the instance's key from: the key given to it or, without one, the file key in a folder.
type KeySource struct {
	Given []byte // NIGHTSHIFT_KEY
	Dir   string // the data folder
}

// UseKey gives the database a key as it is, with which the audit trail and secrets are sealed. Processes take theirs with
// TakeKey instead.
func (d *DB) UseKey(key []byte) { d.key = key }

// CheckKey refuses a process with another key than the instance's before anything is written, Migrate included. A database
// that does not know its key yet is left to TakeKey.
func (d *DB) CheckKey(ctx context.Context, from KeySource) error {
	return d.holdKey(ctx, func(tx pgx.Tx) error {
		var known bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass('xtk.instance_key') IS NOT NULL`).Scan(&known); err != nil || !known {
			return err
		}
		key, err := from.key()
		if err != nil {
			return err
		}
		_, err = recordedKey(ctx, tx, from, key)
		return err
	})
}

// TakeKey has this process use its key, when it is the instance's; another one is refused with ErrOtherKey, and neither the
// database nor the folder has changed then. The first key that a database sees becomes the instance's: where none is given
// and the folder has none, one is made of random bytes. However many processes start at once, one key is the result.
func (d *DB) TakeKey(ctx context.Context, from KeySource) error {
	return d.holdKey(ctx, func(tx pgx.Tx) error {
		key, err := from.key()
		if err != nil {
			return err
		}
		recorded, err := recordedKey(ctx, tx, from, key)
		if err == nil && !recorded {
			key, err = firstKey(ctx, tx, from, key)
		}
		if err != nil {
			return err
		}
		d.UseKey(key)
		return nil
	})
}

// ReplaceKey has the instance go on with this process's key, made where there is none, after its own was lost. Audited, as
// the first entry that the new key seals. What the lost key sealed stays as it is, and closed. It is refused while a node is up.
func (d *DB) ReplaceKey(ctx context.Context, actor Actor, from KeySource) error {
	if err := actor.Require(Administration); err != nil {
		return err
	}
	return d.holdKey(ctx, func(tx pgx.Tx) error {
		var nodes int
		err := tx.QueryRow(ctx, `
			SELECT count(*)
			FROM pg_locks
			WHERE locktype = 'advisory' AND classid = $1 AND objsubid = 2 AND granted
			  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, LockNode).Scan(&nodes)
		if err != nil {
			return err
		}
		if nodes > 0 {
			return fmt.Errorf("it is in use, so it is not lost: stop all nodes first, %d running", nodes)
		}
		key, err := from.key()
		if err != nil {
			return err
		}
		if known, err := recordedKey(ctx, tx, from, key); err == nil && known {
			return errors.New("this process has it, so it is not lost, and nothing was changed")
		} else if err != nil && !errors.Is(err, ErrOtherKey) {
			return err
		}
		if key == nil {
			if key, err = makeKey(from.file()); err != nil {
				return err
			}
		}
		d.UseKey(key)
		if err := d.Audit(ctx, tx, AuditEntry{EntityType: "key", Entity: "instance", Action: "Replaced", Actor: actor, Allowed: true}); err != nil {
			return err
		}
		check, err := checkValue(key)
		if err != nil {
			return err
		}
		// The lock of the trail is held: its newest entry is the one just written.
		_, err = tx.Exec(ctx, `
			INSERT INTO xtk.instance_key (check_value, first_seq)
			SELECT $1, max(seq) FROM xtk.audit
			ON CONFLICT (one) DO UPDATE
			SET check_value = excluded.check_value, first_seq = excluded.first_seq, recorded_at = now()`, check)
		return err
	})
}

// holdKey runs fn alone among those who look at the key, who may have to wait for a slow disk.
func (d *DB) holdKey(ctx context.Context, fn func(pgx.Tx) error) error {
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf(`
			SET LOCAL lock_timeout = '60s';
			SET LOCAL statement_timeout = '60s';
			SELECT pg_advisory_xact_lock(%d)`, lockKey)); err != nil {
			return err
		}
		return fn(tx)
	})
	if err != nil && !errors.Is(err, ErrOtherKey) {
		return fmt.Errorf("key of the instance: %w", err)
	}
	return err
}

// recordedKey holds a key against the check value, and says whether there is one.
func recordedKey(ctx context.Context, tx pgx.Tx, from KeySource, key []byte) (bool, error) {
	var check []byte
	var at time.Time
	err := tx.QueryRow(ctx, `SELECT check_value, recorded_at FROM xtk.instance_key`).Scan(&check, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	own, err := checkValue(key)
	if err == nil && !hmac.Equal(check, own) {
		err = from.refusal(key, "the one that the database recognises since "+at.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return true, err
}

// firstKey records the key of a database that does not know it yet. One that was used before there was a check value holds
// it against what is sealed.
func firstKey(ctx context.Context, tx pgx.Tx, from KeySource, key []byte) ([]byte, error) {
	used, ours, err := sealedWith(ctx, tx, key)
	if err != nil {
		return nil, err
	}
	if used && !ours {
		return nil, from.refusal(key, "the one with which the database's secrets and audit trail are sealed")
	}
	if key == nil {
		if key, err = makeKey(from.file()); err != nil {
			return nil, err
		}
	}
	check, err := checkValue(key)
	if err == nil {
		_, err = tx.Exec(ctx, `INSERT INTO xtk.instance_key (check_value) VALUES ($1)`, check)
	}
	return key, err
}

// sealedWith reports whether a database holds anything sealed, and whether it is of this key: one of the secrets is enough,
// since those of an earlier key may lie beside it. Without secrets it is the first or the newest entry of the audit trail:
// a process with a key of its own may have written between them, or last.
func sealedWith(ctx context.Context, tx pgx.Tx, key []byte) (used, ours bool, err error) {
	d := &DB{key: key}
	rows, err := tx.Query(ctx, `SELECT internal_name, secret FROM nms.ext_account WHERE secret IS NOT NULL`)
	if err != nil {
		return false, false, err
	}
	var account string
	var secret []byte
	_, err = pgx.ForEachRow(rows, []any{&account, &secret}, func() error {
		_, bound := d.Unseal(account, secret)
		_, unbound := d.unseal(secret, nil) // as versions before BindSecrets sealed
		used, ours = true, ours || bound == nil || unbound == nil
		return nil
	})
	if err != nil || used {
		return used, ours, err
	}
	rows, err = tx.Query(ctx, `
		SELECT `+auditColumns+`
		FROM xtk.audit
		WHERE seq IN ((SELECT min(seq) FROM xtk.audit), (SELECT max(seq) FROM xtk.audit))`)
	if err != nil {
		return false, false, err
	}
	ends, err := pgx.CollectRows(rows, scanAudit)
	for _, end := range ends {
		used, ours = true, ours || hmac.Equal(end.Hash, end.sum(key))
	}
	return used, ours, err
}

// checkValue is what a key is recognised by; no key has none. It is derived with a label of its own from all bytes of the
// key: a plain HMAC, as of the audit trail, would take a key and the same with a zero behind it for one, which secrets do not.
func checkValue(key []byte) ([]byte, error) {
	if key == nil {
		return nil, nil
	}
	return hkdf.Key(sha256.New, key, nil, "check of the instance's key", 32)
}

func (from KeySource) file() string { return filepath.Join(from.Dir, "key") }

// key is the given key or the file's; nil where there is neither.
func (from KeySource) key() ([]byte, error) {
	if from.Given != nil {
		return from.Given, nil
	}
	text, err := os.ReadFile(from.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; give it in NIGHTSHIFT_KEY, or run this as the user whose file it is", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) < keyBytes {
		return nil, fmt.Errorf("the file %s does not hold %d bytes in base64", from.file(), keyBytes)
	}
	return key, nil
}

// refusal says which key was looked for where, and what to do.
func (from KeySource) refusal(key []byte, wanted string) error {
	found := "NIGHTSHIFT_KEY is not"
	switch {
	case key == nil:
		found = "NIGHTSHIFT_KEY is empty and there is no file " + from.file() + " to hold against"
	case from.Given == nil:
		found = "NIGHTSHIFT_KEY is empty, and the key in the file " + from.file() + " is not"
	}
	return fmt.Errorf(`%w: %s %s. Nothing was changed.
Give the key in NIGHTSHIFT_KEY or, with that empty, as the file %s. The nodes of this database have it in one of the two, and so should your backup.
If it is lost for good: "nightshift key replace", see README for what is lost with it`, ErrOtherKey, found, wanted, from.file())
}

// makeKey writes a new key aside and links it into place, so that of two processes at once both end with one key.
func makeKey(path string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key)
	draft, err := os.CreateTemp(filepath.Dir(path), "key-")
	if err != nil {
		return nil, fmt.Errorf("make the key file: %w", err)
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	_, err = draft.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return nil, fmt.Errorf("make the key file: %w", err)
	}
	if err := os.Link(draft.Name(), path); errors.Is(err, fs.ErrExist) {
		return KeySource{Dir: filepath.Dir(path)}.key()
	} else if err != nil {
		return nil, fmt.Errorf("make the key file: %w", err)
	}
	return key, nil
}
