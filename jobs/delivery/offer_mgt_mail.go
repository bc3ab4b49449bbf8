package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

const (
	// toldAtOnce is how many events one run tells of; more wait for the next.
	toldAtOnce = 5000
	// mailLines is how many offers a mail names.
	mailLines = 100
)

// untold is an event that nobody was told of yet.
type untold struct {
	id     int64
	event  string
	label  string
	owner  int64 // 0: nobody
	detail offerDetail
}

// offerReader is a person to tell: a manager of everything, an owner of what did not work with his own offers.
type offerReader struct {
	id       int64
	language string
	address  string
	manager  bool
}

// offerReaders are the offer managers and the owners among @owners, a disabled operator too, one address once.
const offerReaders = `
	SELECT DISTINCT ON (lower(trim(o.email))) o.id, o.language, trim(o.email), m.operator_id IS NOT NULL AS manager
	FROM xtk.operator o
	LEFT JOIN (xtk.operator_group_member m JOIN xtk.operator_group g ON g.id = m.group_id AND g.internal_name = 'offerManagers')
		ON m.operator_id = o.id
	WHERE trim(COALESCE(o.email, '')) <> ''
	  AND (m.operator_id IS NOT NULL OR o.id = ANY ($1))
	ORDER BY lower(trim(o.email)), m.operator_id IS NULL, o.id`

// notify puts one mail a person into the outbox, about the publications and refusals that nobody was told of yet: those of
// a run whose process was lost are told by the next.
func (p *publication) notify(ctx context.Context) error {
	mails, events := int64(0), 0
	err := p.Tx(ctx, func(tx pgx.Tx) error {
		all, err := lockUntold(ctx, tx)
		if events = len(all); err != nil || events == 0 {
			return err
		}
		var owners []int64
		for _, one := range all {
			if one.event == "publish_error" {
				owners = append(owners, one.owner)
			}
		}
		rows, err := tx.Query(ctx, offerReaders, owners)
		if err != nil {
			return fmt.Errorf("whom to tell: %w", err)
		}
		readers, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r offerReader, err error) {
			err = row.Scan(&r.id, &r.language, &r.address, &r.manager)
			return r, err
		})
		if err != nil {
			return fmt.Errorf("whom to tell: %w", err)
		}
		if mails, err = writeMails(ctx, tx, readers, all); err != nil {
			return fmt.Errorf("mails: %w", err)
		}
		if _, err := tx.Exec(ctx, `
			UPDATE nms.offer_log
			SET notify = false
			WHERE notify
			  AND id BETWEEN $1 AND $2`, all[0].id, all[len(all)-1].id); err != nil {
			return fmt.Errorf("note what was told: %w", err)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case events == 0:
		return nil
	case mails == 0:
		p.Warn("nobody to tell about %d offers has an e-mail address", events)
	}
	p.Say("%d %s about %d offers", mails, would(p.Run, "mails", "mails would be written"), events)
	return nil
}

func lockUntold(ctx context.Context, tx pgx.Tx) ([]untold, error) {
	rows, err := tx.Query(ctx, `
		SELECT l.id, l.event, o.label, COALESCE(o.owner_id, o.created_by_id, 0), l.detail
		FROM nms.offer_log l
		JOIN nms.offer o ON o.id = l.offer_id
		WHERE l.notify
		ORDER BY l.id
		LIMIT $1
		FOR UPDATE OF l`, toldAtOnce)
	if err != nil {
		return nil, fmt.Errorf("what to tell: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (one untold, err error) {
		err = row.Scan(&one.id, &one.event, &one.label, &one.owner, &one.detail)
		return one, err
	})
	if err != nil {
		return nil, fmt.Errorf("what to tell: %w", err)
	}
	return all, nil
}

// writeMails writes each reader's mail in his language. Its key names the events and the reader.
func writeMails(ctx context.Context, tx pgx.Tx, readers []offerReader, all []untold) (int64, error) {
	var keys, addresses, subjects, bodies []string
	var ids []int64
	for _, r := range readers {
		his := slices.DeleteFunc(slices.Clone(all), func(one untold) bool {
			return !r.manager && (one.owner != r.id || one.event != "publish_error")
		})
		subject, body := offerMail(r.language, his)
		keys = append(keys, fmt.Sprintf("offer_mgt:%d-%d:%d", all[0].id, all[len(all)-1].id, r.id))
		ids, addresses = append(ids, r.id), append(addresses, r.address)
		subjects, bodies = append(subjects, subject), append(bodies, body)
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO nms.notification (effect_key, workflow_name, template, object_schema, operator_id, to_address, subject, body_text)
		SELECT m.key, 'offerMgt', 'offerPublication', 'nms.offer', m.operator, m.address, m.subject, m.body
		FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[]) AS m (key, operator, address, subject, body)
		ON CONFLICT (effect_key) DO NOTHING`, keys, ids, addresses, subjects, bodies)
	return tag.RowsAffected(), err
}

// offerWords are the texts of the mail in one language.
type offerWords struct {
	subject, published, refused, spaces, none, more string
	missing, address                                string
}

var offerMails = map[string]offerWords{
	"en": {"Offers: %d published, %d not published", "Published to the live environment:", "Not published:", "%d of %d spaces",
		"no approved representation", "… and %d more", "mandatory field '%s' is empty",
		"'%s' does not begin with http:// or https://"},
	"ko": {"오퍼 게시 %d건, 게시 불가 %d건", "라이브 환경에 게시:", "게시 불가:", "공간 %[2]d개 중 %[1]d개",
		"승인된 표현 없음", "… 외 %d건", "필수 필드 '%s' 비어 있음",
		"'%s'이(가) http:// 또는 https://로 시작하지 않음"},
}

// offerMail writes a mail about some events.
func offerMail(language string, events []untold) (subject, body string) {
	w, ok := offerMails[language]
	if !ok {
		w = offerMails["en"]
	}
	var published, refused []string
	for _, one := range events {
		line := one.label + ": " + w.tell(one.detail)
		if one.event == "published" {
			published = append(published, line)
		} else {
			refused = append(refused, line)
		}
	}
	for _, part := range []struct {
		head  string
		lines []string
	}{{w.published, published}, {w.refused, refused}} {
		if len(part.lines) == 0 {
			continue
		}
		body += part.head + "\n"
		for _, line := range part.lines[:min(len(part.lines), mailLines)] {
			body += "- " + line + "\n"
		}
		if left := len(part.lines) - mailLines; left > 0 {
			body += fmt.Sprintf(w.more, left) + "\n"
		}
		body += "\n"
	}
	return fmt.Sprintf(w.subject, len(published), len(refused)), body
}

// tell says what became of an offer.
func (w offerWords) tell(d offerDetail) string {
	if d.Approved == 0 {
		return w.none
	}
	parts := []string{fmt.Sprintf(w.spaces, d.Published, d.Approved)}
	for _, v := range d.Wrong {
		var why []string
		for _, field := range v.Missing {
			why = append(why, fmt.Sprintf(w.missing, field))
		}
		for _, field := range v.Addresses {
			why = append(why, fmt.Sprintf(w.address, field))
		}
		parts = append(parts, v.Space+" – "+strings.Join(why, ", "))
	}
	return strings.Join(parts, "; ")
}
