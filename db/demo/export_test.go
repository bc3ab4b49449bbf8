package demo

import (
	"context"
	"time"

	"nightshift/db"
)

// LoadAt loads the demo as of a given moment.
func LoadAt(ctx context.Context, d *db.DB, size Size, seed int64, now time.Time) error {
	return loadAt(ctx, d, &loader{size: size, seed: seed, now: now})
}
