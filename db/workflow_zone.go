package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// optionZone is the time zone of every schedule that names none.
const optionZone = "WdbcTimeZone"

// reschedule has the engine work out anew when the workflows are due that follow the zone of the instance.
func reschedule(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `
		UPDATE xtk.workflow
		SET next_processing = NULL
		WHERE state = 'started' AND timezone IS NULL AND next_processing IS NOT NULL`); err != nil {
		return fmt.Errorf("reschedule: %w", err)
	}
	return Notify(ctx, tx, ChannelWork, 0)
}
