package db

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// stampLayout is a moment as instances tell each other: UTC, with the microseconds that PostgreSQL keeps.
const stampLayout = "2006-01-02T15:04:05.000000Z"

// Stamp is a moment that another instance is told. Every digit that the database holds goes out and comes back, so that
// a cursor never points beside its row.
type Stamp struct{ time.Time }

// MarshalJSON writes UTC with microseconds.
func (s Stamp) MarshalJSON() ([]byte, error) {
	return []byte(s.UTC().Format(`"` + stampLayout + `"`)), nil
}

// ScanTimestamptz reads a moment of a row.
func (s *Stamp) ScanTimestamptz(v pgtype.Timestamptz) error {
	if !v.Valid || v.InfinityModifier != pgtype.Finite {
		return errors.New("not a moment: NULL or infinite")
	}
	s.Time = v.Time
	return nil
}
