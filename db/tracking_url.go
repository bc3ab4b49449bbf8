package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// TrackedURL is a URL of a delivery, or of a web page: then it has a tag and may have no delivery.
type TrackedURL struct {
	ID, Delivery int64
	Source       string
}

const trackedURL = `id, delivery_id, coalesce(source, '')`

func scanTrackedURL(row pgx.CollectableRow) (u TrackedURL, err error) {
	err = row.Scan(&u.ID, &u.Delivery, &u.Source)
	return u, err
}

// TrackedURL finds a URL of a delivery, ErrNotFound when the delivery has none of that id.
func (d *DB) TrackedURL(ctx context.Context, delivery, id int64) (TrackedURL, error) {
	return d.oneURL(ctx, `
		SELECT `+trackedURL+`
		FROM nms.tracking_url
		WHERE delivery_id = $1
		  AND id = $2`, delivery, id)
}

// TaggedURL finds the URL of a web tag (types 4, a web page, and 5, a transaction): that of a page or, failing this, of the
// newest delivery that has it.
func (d *DB) TaggedURL(ctx context.Context, tag string) (TrackedURL, error) {
	return d.oneURL(ctx, `
		SELECT `+trackedURL+`
		FROM nms.tracking_url
		WHERE tag_id = $1
		  AND type IN (4, 5)
		ORDER BY delivery_id = 0 DESC, id DESC
		LIMIT 1`, tag)
}

func (d *DB) oneURL(ctx context.Context, sql string, args ...any) (TrackedURL, error) {
	rows, err := d.Pool.Query(ctx, sql, args...)
	if err != nil {
		return TrackedURL{}, fmt.Errorf("tracked URL: %w", err)
	}
	found, err := pgx.CollectExactlyOneRow(rows, scanTrackedURL)
	if errors.Is(err, pgx.ErrNoRows) {
		return TrackedURL{}, ErrNotFound
	}
	if err != nil {
		return TrackedURL{}, fmt.Errorf("tracked URL: %w", err)
	}
	return found, nil
}

// DeliveryExists answers ErrNotFound when there is no such delivery.
func (d *DB) DeliveryExists(ctx context.Context, id int64) error {
	var exists bool
	if err := d.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM nms.delivery WHERE id = $1)`, id).Scan(&exists); err != nil {
		return fmt.Errorf("delivery %d: %w", id, err)
	}
	if !exists {
		return ErrNotFound
	}
	return nil
}

// NewestURLs are the URLs with ids greater than after, the newest of them, limit at most.
func (d *DB) NewestURLs(ctx context.Context, after int64, limit int) ([]TrackedURL, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT `+trackedURL+`
		FROM nms.tracking_url
		WHERE id > $1
		ORDER BY id DESC
		LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("newest URLs: %w", err)
	}
	urls, err := pgx.CollectRows(rows, scanTrackedURL)
	if err != nil {
		return nil, fmt.Errorf("newest URLs: %w", err)
	}
	return urls, nil
}

// NewestDeliveries are the ids of deliveries greater than after, the newest of them, limit at most.
func (d *DB) NewestDeliveries(ctx context.Context, after int64, limit int) ([]int64, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT id
		FROM nms.delivery
		WHERE id > $1
		ORDER BY id DESC
		LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("newest deliveries: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("newest deliveries: %w", err)
	}
	return ids, nil
}
