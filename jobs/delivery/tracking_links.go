package delivery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// linksKept is how many deliveries, and how many URLs, a run remembers at most.
const linksKept = 100_000

// links remembers which deliveries and URLs there are, so that lines are judged without asking again.
type links struct {
	deliveries map[int64]int     // the place of the delivery's table; -1: there is no such delivery
	urls       map[int64][]int64 // the deliveries that have the URL, 0 for one of every delivery
}

func newLinks() *links { return &links{map[int64]int{}, map[int64][]int64{}} }

// keepKnown drops the lines of a link that does not exist: the delivery is gone, or the URL is another delivery's. A web tag
// needs no delivery. The lines that stay know their table.
func (t *tracker) keepKnown(ctx context.Context, rows []hitRow, sum *lineCounts) ([]hitRow, error) {
	if err := t.lookUp(ctx, rows); err != nil {
		return nil, err
	}
	kept := rows[:0]
	for _, h := range rows {
		place, urls := t.links.deliveries[h.Delivery], t.links.urls[h.URL]
		switch {
		case h.web() && len(urls) == 0:
			sum.unknownTag++
		case h.web() && h.Delivery == 0:
			kept = append(kept, h) // the table of recipients
		case place < 0 || !h.web() && !slices.Contains(urls, h.Delivery) && !slices.Contains(urls, 0):
			sum.unknownLink++
		default:
			h.table = place
			kept = append(kept, h)
		}
	}
	return kept, nil
}

// lookUp reads the deliveries and the URLs of lines that are not known yet.
func (t *tracker) lookUp(ctx context.Context, rows []hitRow) error {
	if len(t.links.deliveries) > linksKept || len(t.links.urls) > linksKept {
		t.links = newLinks()
	}
	var deliveries, urls []int64
	for i := range rows {
		h := &rows[i]
		if _, ok := t.links.deliveries[h.Delivery]; !ok {
			t.links.deliveries[h.Delivery] = -1
			deliveries = append(deliveries, h.Delivery)
		}
		if _, ok := t.links.urls[h.URL]; !ok {
			t.links.urls[h.URL] = nil
			urls = append(urls, h.URL)
		}
	}
	if len(deliveries) > 0 {
		err := t.Query(ctx, func(row pgx.Rows) error {
			var id, mapping int64
			err := row.Scan(&id, &mapping)
			t.links.deliveries[id] = t.mappings[mapping]
			return err
		}, `
			SELECT id, coalesce(mapping_id, 0)
			FROM nms.delivery
			WHERE id = ANY ($1)`, deliveries)
		if err != nil {
			t.links = newLinks()
			return fmt.Errorf("look up deliveries: %w", err)
		}
	}
	if len(urls) == 0 {
		return nil
	}
	err := t.Query(ctx, func(row pgx.Rows) error {
		var id, deliveryID int64
		err := row.Scan(&id, &deliveryID)
		t.links.urls[id] = append(t.links.urls[id], deliveryID)
		return err
	}, `
		SELECT id, delivery_id
		FROM nms.tracking_url
		WHERE id = ANY ($1)`, urls)
	if err != nil {
		t.links = newLinks()
		return fmt.Errorf("look up URLs: %w", err)
	}
	return nil
}

// withoutRepeated drops an open of a message that has another within the dedup period, in this page or among the logs:
// a mail program that shows a message twice has not opened it twice. Clicks are never taken for repeated.
func (t *tracker) withoutRepeated(ctx context.Context, tx pgx.Tx, rows []hitRow, sum *lineCounts) ([]hitRow, error) {
	if t.dedup == 0 {
		return rows, nil
	}
	opens, err := t.earlierOpens(ctx, tx, rows)
	if err != nil {
		return nil, err
	}
	kept := make([]hitRow, 0, len(rows))
	for _, h := range rows {
		if h.URL == openURL && h.BroadLog != 0 {
			near := func(other time.Time) bool { return h.at.Sub(other).Abs() < t.dedup }
			if slices.ContainsFunc(opens[h.BroadLog], near) {
				sum.repeated++
				continue
			}
			opens[h.BroadLog] = append(opens[h.BroadLog], h.at)
		}
		kept = append(kept, h)
	}
	return kept, nil
}

// earlierOpens reads the opens of the page's messages that are logged already, as far as they may be near.
func (t *tracker) earlierOpens(ctx context.Context, tx pgx.Tx, rows []hitRow) (map[int64][]time.Time, error) {
	found := map[int64][]time.Time{}
	messages := make([][]int64, len(t.tables))
	var first, last time.Time
	for i := range rows {
		h := &rows[i]
		if h.URL != openURL || h.BroadLog == 0 {
			continue
		}
		messages[h.table] = append(messages[h.table], h.BroadLog)
		if first.IsZero() || h.at.Before(first) {
			first = h.at
		}
		if h.at.After(last) {
			last = h.at
		}
	}
	for place, ids := range messages {
		if len(ids) == 0 {
			continue
		}
		earlier, err := tx.Query(ctx, `
			SELECT broad_log_id, log_date
			FROM `+t.tables[place].hits+`
			WHERE log_date > $2
			  AND log_date < $3
			  AND url_id = $4
			  AND broad_log_id = ANY ($1)`, ids, first.Add(-t.dedup), last.Add(t.dedup), openURL)
		if err != nil {
			return nil, fmt.Errorf("earlier opens: %w", err)
		}
		var id int64
		var at time.Time
		if _, err := pgx.ForEachRow(earlier, []any{&id, &at}, func() error {
			found[id] = append(found[id], at)
			return nil
		}); err != nil {
			return nil, fmt.Errorf("earlier opens: %w", err)
		}
	}
	return found, nil
}
