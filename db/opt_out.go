package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Addressee is who got a message, as far as it is still known.
type Addressee struct {
	BroadLog, Delivery int64
	Recipient          int64 // 0: not known
	Address            string
	Language           string
	Channel            int16 // the delivery's message type: 0 e-mail, 1 SMS, 2 phone, 3 paper, 4 fax
	Service            int64 // the information service that the message belongs to; 0: none
	ServiceLabel       string
}

// Addressee finds who got a message, ErrNotFound when the delivery has no such message any more.
func (d *DB) Addressee(ctx context.Context, delivery, broadLog int64) (Addressee, error) {
	a := Addressee{BroadLog: broadLog, Delivery: delivery}
	err := d.Pool.QueryRow(ctx, `
		WITH message AS (
			SELECT recipient_id, service_id, address, NULL AS language
			FROM nms.broad_log
			WHERE delivery_id = $1
			  AND id = $2
			UNION ALL
			SELECT v.recipient_id, l.service_id, coalesce(l.address, v.email), v.lang
			FROM nms.broad_log_visitor l
			LEFT JOIN nms.visitor v ON v.id = l.visitor_id
			WHERE l.delivery_id = $1
			  AND l.id = $2
		)
		SELECT coalesce(r.id, 0), coalesce(m.address, r.email, ''), coalesce(r.language, m.language, ''), d.message_type,
		       coalesce(s.id, 0), coalesce(s.label, '')
		FROM message m
		JOIN nms.delivery d ON d.id = $1
		LEFT JOIN nms.recipient r ON r.id = m.recipient_id
		LEFT JOIN nms.service s ON s.id = coalesce(m.service_id, d.service_id) AND NOT s.deleted`, delivery, broadLog).
		Scan(&a.Recipient, &a.Address, &a.Language, &a.Channel, &a.Service, &a.ServiceLabel)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, ErrNotFound
	}
	if err != nil {
		return a, fmt.Errorf("addressee of message %d: %w", broadLog, err)
	}
	return a, nil
}

// OptOut records that a person wants no more of what the message was. Of a service: the subscription ends, and its history
// says so. Else the recipient is on the channel's denylist. Where the recipient is not known, the address itself is
// denylisted. Doing it again changes nothing.
func (d *DB) OptOut(ctx context.Context, a Addressee) error {
	var err error
	switch {
	case a.Recipient != 0 && a.Service != 0:
		_, err = d.Pool.Exec(ctx, `
			WITH ended AS (
				DELETE FROM nms.subscription
				WHERE service_id = $1
				  AND recipient_id = $2
				RETURNING service_id, recipient_id
			)
			INSERT INTO nms.sub_histo (service_id, recipient_id, action)
			SELECT service_id, recipient_id, 0
			FROM ended`, a.Service, a.Recipient)
	case a.Recipient != 0:
		column := denylist(a.Channel)
		_, err = d.Pool.Exec(ctx, `
			UPDATE nms.recipient
			SET `+column+` = true
			WHERE id = $1
			  AND NOT `+column, a.Recipient)
	case a.Address != "":
		_, err = d.Pool.Exec(ctx, `
			INSERT INTO nms.address (address, type, status, quarantine_reason, delivery_id, message_id)
			VALUES ($1, $2, 'denylisted', 'denylisted', $3, $4)
			ON CONFLICT (address, type) DO UPDATE
			SET status = 'denylisted', quarantine_reason = 'denylisted', last_modified = now()
			WHERE nms.address.status <> 'denylisted'`, a.Address, addressType(a.Channel), a.Delivery, a.BroadLog)
	default:
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("opt-out by message %d: %w", a.BroadLog, err)
	}
	return nil
}

// denylist is the column of a channel; of a channel without one, that of all.
func denylist(channel int16) string {
	columns := []string{"black_list_email", "black_list_mobile", "black_list_phone", "black_list_postal_mail", "black_list_fax"}
	if channel < 0 || int(channel) >= len(columns) {
		return "black_list"
	}
	return columns[channel]
}

func addressType(channel int16) string {
	if channel == 1 {
		return "mobile"
	}
	return "email"
}

// MirrorPage is the page of a message as it was stored when it was sent, ErrNotFound when there is none (any more).
func (d *DB) MirrorPage(ctx context.Context, delivery, broadLog int64) ([]byte, error) {
	var page []byte
	err := d.Pool.QueryRow(ctx, `
		SELECT i.data
		FROM nms.mirror_page_search s
		JOIN nms.mirror_page_info i ON i.id = s.mirror_page_info_id AND i.delivery_id = s.delivery_id
		WHERE s.message_id = $2
		  AND s.delivery_id = $1`, delivery, broadLog).Scan(&page)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("mirror page of message %d: %w", broadLog, err)
	}
	return page, nil
}
