package demo

import (
	"context"
	"fmt"
	"time"
)

var eventTypes = []string{"order_confirmation", "password_reset", "shipping_notice", "invoice"}

// queue is one of the two queues of transactional messages with the tables of its logs.
type queue struct {
	events, logs, hits string
	rows               int64
}

func loadEvents(ctx context.Context, l *loader) error {
	firstEvent := int64(1)
	for _, q := range []queue{
		{"nms.rt_event", "nms.broad_log_rt_event", "nms.tracking_log_rt_event", l.plan.rtEvents},
		{"nms.batch_event", "nms.broad_log_batch_event", "nms.tracking_log_batch_event", l.plan.batchEvents},
	} {
		if err := l.queue(ctx, q, firstEvent); err != nil {
			return err
		}
		firstEvent += q.rows
	}
	if err := l.archive(ctx); err != nil {
		return err
	}
	return l.copy(ctx, "nms.rt_event_stat", "queue channel period_start entered routed sent failed queue_max",
		numbered(l.plan.eventPeriods, func(i int64) []any {
			// Push on both sides of a year, then e-mail period by period back from now, and the next channel after most of a year.
			channel, start := i/100_000, l.ago(time.Duration(i%100_000)*5*time.Minute)
			if i < 10 {
				channel, start = 40, l.ago(366*day-time.Duration(i/5)*4*day).Add(time.Duration(i%5)*5*time.Minute)
			}
			n := int32(mix(i, 30) % 200)
			return []any{"rt", int16(channel), start, n, n, n * 97 / 100, n / 50, n / 4}
		}))
}

// queue fills the events of one queue, aged around the 30 days after which cleanup removes them, a log for each that was
// sent and a hit for some.
func (l *loader) queue(ctx context.Context, q queue, first int64) error {
	statuses := []string{"sent", "sent", "sent", "sent", "sent", "delivery_error", "ignored_by_delivery", "event_not_covered", "event_expired"}
	ages := make([]time.Duration, q.rows)
	for i := range ages {
		ages[i] = l.age(int64(i), 30*day)
	}
	delivery := l.deliveries[0].id
	err := l.copy(ctx, q.events, "id type status email mobile_phone ctx delivery_id processed created last_modified processing",
		numbered(q.rows, func(i int64) []any {
			id, at := first+i, l.ago(ages[i])
			status, processed := pick(statuses, mix(id, 31)), any(at)
			if i >= 10 && ages[i] < 2*hour {
				status, processed = "pending", nil
			}
			p := personOf(1 + id%l.plan.recipients)
			return []any{id, pick(eventTypes, mix(id, 32)), status, p.email, p.mobile, fmt.Sprintf("<ctx><order id=%q/></ctx>", fmt.Sprint(id)), delivery,
				processed, at.Add(-time.Minute), at, at}
		}))
	if err != nil {
		return err
	}
	firstLog := l.nextMessage
	l.nextMessage += q.rows
	err = l.copy(ctx, q.logs, "id delivery_id event_id address status event_date created last_modified",
		numbered(q.rows, func(i int64) []any {
			at := l.ago(ages[i])
			return []any{firstLog + i, delivery, first + i, personOf(1 + (first+i)%l.plan.recipients).email, "sent", at, at, at}
		}))
	if err != nil {
		return err
	}
	firstHit := l.nextHit
	l.nextHit += q.rows / 3
	return l.copy(ctx, q.hits, "id broad_log_id delivery_id event_id url_id log_date last_modified",
		numbered(q.rows/3, func(i int64) []any {
			at := l.ago(ages[i*3])
			return []any{firstHit + i, firstLog + i*3, delivery, first + i*3, int64(1), at, at}
		}))
}

// archive fills the control instance's archive of events, aged around its year.
func (l *loader) archive(ctx context.Context) error {
	const instance = int64(1) << 56 // archived events keep the ids of the instance that sent them
	err := l.copy(ctx, "nms.event_histo", "id type status email delivery_id processing processed created last_modified execution_instance_id queue archived_at",
		numbered(l.plan.archivedEvents, func(i int64) []any {
			at := l.ago(l.age(i, 365*day))
			return []any{instance + i + 1, pick(eventTypes, mix(i, 33)), "sent", personOf(1 + i%l.plan.recipients).email, l.deliveries[0].id, at, at, at, at, int16(1), "rt", at}
		}))
	if err != nil {
		return err
	}
	first := l.nextMessage
	l.nextMessage += l.plan.archivedEvents
	return l.copy(ctx, "nms.broad_log_event_histo", "id execution_instance_id queue remote_id event_id address status event_date created last_modified",
		numbered(l.plan.archivedEvents, func(i int64) []any {
			return []any{first + i, int16(1), "rt", i + 1, instance + i + 1, personOf(1 + i%l.plan.recipients).email, "sent", l.ago(day), l.ago(day), l.ago(day)}
		}))
}
