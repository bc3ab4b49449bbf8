package db

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const keyBytes = 32

// UseKey gives the database the instance's key, with which the audit trail is sealed. Call it before anything is
// written; all nodes need the same key, and it never goes into the database.
func (d *DB) UseKey(key []byte) { d.key = key }

// InstanceKey reads the key file of a data folder, made at the first call with random bytes that only its owner reads.
func InstanceKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, "key")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) < keyBytes {
		return nil, fmt.Errorf("key file %s: it does not hold %d bytes in base64", path, keyBytes)
	}
	return key, nil
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
		return InstanceKey(filepath.Dir(path))
	} else if err != nil {
		return nil, fmt.Errorf("make the key file: %w", err)
	}
	return key, nil
}
