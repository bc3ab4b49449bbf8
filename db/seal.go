package db

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Seal encrypts the secret of the external account of that name with the instance's key, so that a copy of the database
// tells nothing. It opens for that account only: whoever moves it to the row of another, to have it sent there, gains nothing.
func (d *DB) Seal(account, secret string) ([]byte, error) {
	box, err := d.box()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, box.NonceSize())
	_, _ = rand.Read(nonce)
	return box.Seal(nonce, nonce, []byte(secret), []byte(account)), nil
}

// Unseal reads what Seal wrote for an account. Another account, another instance's key, or a changed byte, is an error.
func (d *DB) Unseal(account string, sealed []byte) (string, error) {
	return d.unseal(sealed, []byte(account))
}

func (d *DB) unseal(sealed, bound []byte) (string, error) {
	box, err := d.box()
	if err != nil {
		return "", err
	}
	if len(sealed) < box.NonceSize() {
		return "", errors.New("unseal: too short")
	}
	secret, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], bound)
	if err != nil {
		return "", fmt.Errorf("unseal: %w", err)
	}
	return string(secret), nil
}

// BindSecrets seals anew what versions before this one have sealed without the account's name. It runs at the start, does
// nothing where all are bound, and leaves an entry in the audit trail for each that it binds.
func (d *DB) BindSecrets(ctx context.Context) error {
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT `+accountColumns+`
			FROM nms.ext_account
			WHERE secret IS NOT NULL
			ORDER BY id
			FOR UPDATE`)
		if err != nil {
			return err
		}
		accounts, err := pgx.CollectRows(rows, scanAccount)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			if err := d.bindSecret(ctx, tx, a); err != nil {
				return fmt.Errorf("account %s: %w", a.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("bind the secrets to their accounts: %w", err)
	}
	return nil
}

// bindSecret seals one secret anew. One that is bound, or is not of this instance's key, stays as it is.
func (d *DB) bindSecret(ctx context.Context, tx pgx.Tx, a ExtAccount) error {
	if _, err := d.Unseal(a.Name, a.secret); err == nil {
		return nil
	}
	secret, err := d.unseal(a.secret, nil)
	if err != nil {
		return nil
	}
	sealed, err := d.Seal(a.Name, secret)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		UPDATE nms.ext_account
		SET secret = $2
		WHERE id = $1`, a.ID, sealed); err != nil {
		return err
	}
	return d.Audit(ctx, tx, AuditEntry{EntityType: "account", Entity: a.Name, Action: "Modified", Allowed: true,
		Actor: Actor{Login: "upgrade"}, Detail: changed(map[string]any{"secret": "***"}, map[string]any{"secret": "*** (bound to the account)"})})
}

// ClosedSecrets names the accounts whose secret this instance's key does not open.
func (d *DB) ClosedSecrets(ctx context.Context) ([]string, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT internal_name, secret
		FROM nms.ext_account
		WHERE secret IS NOT NULL
		ORDER BY internal_name`)
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	var closed []string
	var account string
	var secret []byte
	_, err = pgx.ForEachRow(rows, []any{&account, &secret}, func() error {
		if _, err := d.Unseal(account, secret); err != nil {
			closed = append(closed, account)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	return closed, nil
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
