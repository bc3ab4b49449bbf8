package db

import (
	"context"
	"encoding/base64"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/argon2"
)

// PoolOf makes one group of connections serve as both.
func PoolOf(one *pgxpool.Pool) *Pool { return &Pool{writing: one, reading: one} }

// WeakSum hashes a password at a lower cost than today's, with a salt of zeros.
func WeakSum(password string) string {
	return base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(password), make([]byte, 16), hashTime, 12*1024, hashThreads, hashLength))
}

// OccupyHashing takes all places for computing password hashes and returns how to give them back.
func (d *DB) OccupyHashing() func() {
	for range hashesAtOnce {
		d.hashing <- struct{}{}
	}
	return func() {
		for range hashesAtOnce {
			<-d.hashing
		}
	}
}

// HashAlone computes the hash of a password without a database, as many at once as a process may.
func HashAlone() func(ctx context.Context, password string) (string, error) {
	return (&DB{hashing: make(chan struct{}, hashesAtOnce)}).hash
}

// AuditSum is the keyed hash of a row of the audit trail.
func AuditSum(row AuditRow, key []byte) []byte { return row.sum(key) }
