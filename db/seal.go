package db

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Seal encrypts a secret of an external account with the instance's key, so that a copy of the database tells nothing.
func (d *DB) Seal(secret string) ([]byte, error) {
	box, err := d.box()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, box.NonceSize())
	_, _ = rand.Read(nonce)
	return box.Seal(nonce, nonce, []byte(secret), nil), nil
}

// Unseal reads what Seal wrote. Another instance's key, or a changed byte, is an error.
func (d *DB) Unseal(sealed []byte) (string, error) {
	box, err := d.box()
	if err != nil {
		return "", err
	}
	if len(sealed) < box.NonceSize() {
		return "", errors.New("unseal: too short")
	}
	secret, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], nil)
	if err != nil {
		return "", fmt.Errorf("unseal: %w", err)
	}
	return string(secret), nil
}

// box derives a key of its own from the instance's key, which also seals the audit trail.
func (d *DB) box() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, d.key, nil, "secrets of external accounts", 32)
	if err != nil {
		return nil, fmt.Errorf("key of the secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key of the secrets: %w", err)
	}
	return cipher.NewGCM(block)
}
