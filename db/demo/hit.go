package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// hitsWaiting is how many messages have been opened since the last run of tracking.
const hitsWaiting = 400

// Hit is an open or a click that the redirection has logged and no run has loaded yet.
type Hit struct {
	Message, Delivery, URL int64
	UUID, Agent            string
	At                     time.Time
}

var browsers = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 14; SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
	"MailPreview/3",
}

// Hits are the opens and clicks of the last hour on messages of the last week: a third of the readers follow a link, some
// mail programs show a message twice, and a few links are of a delivery that was deleted.
func Hits(ctx context.Context, d *db.DB) ([]Hit, error) {
	var now time.Time
	if err := d.Pool.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return nil, fmt.Errorf("demo hits: %w", err)
	}
	rows, err := d.Pool.Query(ctx, `
		SELECT id, delivery_id
		FROM nms.broad_log
		WHERE status IN ('sent', 'received')
		  AND created > $1
		ORDER BY id DESC
		LIMIT $2`, now.Add(-7*day), hitsWaiting)
	if err != nil {
		return nil, fmt.Errorf("demo hits: %w", err)
	}
	var hits []Hit
	var h Hit
	_, err = pgx.ForEachRow(rows, []any{&h.Message, &h.Delivery}, func() error {
		n := int64(len(hits))
		h.UUID, h.Agent = fmt.Sprintf("u%x", mix(h.Message, 60)), pick(browsers, mix(h.Message, 61))
		h.URL, h.At = 1, now.Add(-hour).Add(time.Duration(n)*5*time.Second)
		hits = append(hits, h)
		switch mix(h.Message, 62) % 6 {
		case 0, 1:
			h.URL, h.At = urlOf(h.Delivery, int64(mix(h.Message, 63)%urlsEach)), h.At.Add(20*time.Second)
			hits = append(hits, h)
		case 2:
			h.At = h.At.Add(3 * time.Second)
			hits = append(hits, h)
		case 3:
			if n%7 == 0 {
				h.Delivery = 1 << 33
				hits = append(hits, h)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("demo hits: %w", err)
	}
	return hits, nil
}
