package db

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// MidSourcing is the named right to submit deliveries for sending, and to read what became of them, as another instance.
const MidSourcing = "MID-SOURCING"

const (
	tokenLifetime = 24 * time.Hour
	// tokensAtOnce is how many tokens of one operator hold; a further one ends the oldest.
	tokensAtOnce = 20
)

// ErrBearer refuses a token that is unknown, expired, revoked, or whose operator may not act from this address.
var ErrBearer = errors.New("the token does not hold")

// APIToken is what a program gets that signs on. Token and Security are shown once; the database keeps a hash.
type APIToken struct {
	Token, Security     string
	Expires, ServerDate time.Time
}

// Logon checks login and password like SignIn and gives a program a token for 24 hours. Operators who may not use the
// console may sign on: that is what technical operators are for.
func (d *DB) Logon(ctx context.Context, a Attempt) (APIToken, Operator, error) {
	a.program = true
	o, err := d.SignIn(ctx, a)
	if err != nil {
		return APIToken{}, o, err
	}
	made := APIToken{Token: rand.Text() + rand.Text()}
	made.Security = SecurityToken(made.Token)
	hash := sha256.Sum256([]byte(made.Token))
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		if slices.Contains(o.Rights, MidSourcing) {
			if err := midFolder(ctx, tx, o.ID); err != nil {
				return err
			}
		}
		if err := tx.QueryRow(ctx, `
			INSERT INTO xtk.api_token (token_hash, operator_id, ip, expiration)
			VALUES ($1, $2, NULLIF($3, '')::inet, now() + $4::interval)
			RETURNING expiration, now()`, hash[:], o.ID, addrText(a.IP), tokenLifetime).Scan(&made.Expires, &made.ServerDate); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			UPDATE xtk.api_token SET revoked_at = now()
			WHERE token_hash IN (
				SELECT token_hash FROM xtk.api_token
				WHERE operator_id = $1 AND revoked_at IS NULL AND expiration > now() AND token_hash <> $2
				ORDER BY created DESC
				OFFSET $3)`, o.ID, hash[:], tokensAtOnce-1)
		return err
	})
	if err != nil {
		return APIToken{}, o, fmt.Errorf("log on: %w", err)
	}
	return made, o, nil
}

// SecurityToken follows from the token, so that a request which carries both shows that they belong together.
func SecurityToken(token string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte("security "+token)))[:32]
}

// Bearer finds the operator of a token with the rights and the folder as they are now. A token ends with its time, when
// the operator is disabled or his rights or password change; trusted addresses of an operator bind it to them.
func (d *DB) Bearer(ctx context.Context, token string, from netip.Addr) (Caller, error) {
	hash := sha256.Sum256([]byte(token))
	var o Caller
	err := d.Pool.QueryRow(ctx, `
		SELECT COALESCE(o.folder_id, 0), `+operatorColumns+`
		FROM xtk.api_token t
		JOIN xtk.operator o ON o.id = t.operator_id
		WHERE t.token_hash = $1
		  AND t.revoked_at IS NULL
		  AND t.expiration > now()
		  AND NOT o.disabled
		  AND (o.trusted_ips = '{}'
		       OR EXISTS (SELECT FROM unnest(o.trusted_ips) AS trusted WHERE NULLIF($2, '')::inet <<= trusted::inet))`,
		hash[:], addrText(from)).Scan(append([]any{&o.FolderID}, o.fields()...)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return o, ErrBearer
	}
	if err != nil {
		return o, fmt.Errorf("find the token: %w", err)
	}
	o.settle()
	return o, nil
}

// Caller is an operator who acts as a program, and the folder he is restricted to, 0 being none.
type Caller struct {
	Operator
	FolderID int64
}
