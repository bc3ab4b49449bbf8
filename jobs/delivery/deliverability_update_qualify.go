package delivery

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// qualifyPage is how many texts are read, and at most changed, at a time.
const qualifyPage = 1000

// waiting is a text that waits for a decision, with what is proposed for it.
type waiting struct {
	id, rule int64
	text     string
	kind     string
	reason   int16
}

// qualifyAgain proposes for the texts that wait for a decision what the rules of now say. A text for which no rule
// speaks any more loses its proposal. The decision stays with a person.
func (u *refresh) qualifyAgain(ctx context.Context) error {
	q, err := u.qualifier(ctx)
	if err != nil {
		return err
	}
	var last, read, changed int64
	for {
		page, err := u.waitingAfter(ctx, last)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			u.Say("%d of %d waiting texts have another proposal", changed, read)
			return nil
		}
		last, read = page[len(page)-1].id, read+int64(len(page))
		u.Read(int64(len(page)))
		if err := u.decidedAlike(ctx, q, page); err != nil {
			return err
		}
		var news []waiting
		for _, w := range page {
			b := q.Qualify(w.text)
			speaks := b.RuleID > 0 || b.Kept
			if (speaks || w.rule > 0) && (b.Type != w.kind || b.Reason != w.reason || b.RuleID != w.rule) {
				news = append(news, waiting{id: w.id, rule: b.RuleID, kind: b.Type, reason: b.Reason})
			}
		}
		rows, err := u.propose(ctx, news)
		if err != nil {
			return err
		}
		changed += rows
		u.Progress(read, 0, "messages")
	}
}

// qualifier prepares the active rules. One that cannot be used is left out with a warning.
func (u *refresh) qualifier(ctx context.Context) (*Qualifier, error) {
	var rules []BounceRule
	err := u.Query(ctx, func(rows pgx.Rows) error {
		var rule BounceRule
		err := rows.Scan(&rule.ID, &rule.Pattern, &rule.Regex, &rule.Type, &rule.Reason)
		rules = append(rules, rule)
		return err
	}, `
		SELECT r.id, r.pattern, r.is_regex, r.failure_type, r.failure_reason
		FROM nms.mail_rule r
		JOIN nms.rule_set s ON s.id = r.rule_set_id
		WHERE s.kind = 'inbound'
		  AND s.active
		  AND r.active
		ORDER BY s.id, r.rule_order`)
	if err != nil {
		return nil, fmt.Errorf("inbound rules: %w", err)
	}
	q, unusable := NewQualifier(rules)
	for i, reason := range unusable {
		if i == maxUnusable {
			u.Warn("… and %d more stored rules left out", len(unusable)-i)
			break
		}
		u.Warn("stored rule left out: %s", reason)
	}
	return q, nil
}

func (u *refresh) waitingAfter(ctx context.Context, last int64) (page []waiting, err error) {
	err = u.Query(ctx, func(rows pgx.Rows) error {
		var w waiting
		err := rows.Scan(&w.id, &w.text, &w.kind, &w.reason, &w.rule)
		page = append(page, w)
		return err
	}, `
		SELECT id, COALESCE(first_text, text_normalized), failure_type, failure_reason, COALESCE(rule_id, 0)
		FROM nms.broad_log_msg
		WHERE qualif_status = 'to_qualify'
		  AND id > $1
		ORDER BY id
		LIMIT $2`, last, qualifyPage)
	if err != nil {
		return nil, fmt.Errorf("texts to qualify: %w", err)
	}
	return page, nil
}

// decidedAlike gives the qualifier the decisions on the texts of a page: normalised as it is done now, a text may be one
// that somebody has decided on.
func (u *refresh) decidedAlike(ctx context.Context, q *Qualifier, page []waiting) error {
	var sums []string
	for _, w := range page {
		_, b := identify(w.text)
		sums = append(sums, b.MD5)
	}
	q.Kept = map[string]Bounce{}
	err := u.Query(ctx, func(rows pgx.Rows) error {
		var sum string
		var b Bounce
		err := rows.Scan(&sum, &b.Type, &b.Reason, &b.RuleID)
		q.Kept[sum] = b
		return err
	}, `
		SELECT md5, failure_type, failure_reason, COALESCE(rule_id, 0)
		FROM nms.broad_log_msg
		WHERE md5 = ANY ($1)
		  AND qualif_status = 'keep'`, sums)
	if err != nil {
		return fmt.Errorf("decisions on the same texts: %w", err)
	}
	return nil
}

// propose stores proposals for texts that still wait.
func (u *refresh) propose(ctx context.Context, news []waiting) (rows int64, err error) {
	if len(news) == 0 {
		return 0, nil
	}
	var ids, rules []int64
	var kinds []string
	var reasons []int16
	for _, w := range news {
		ids, rules, kinds, reasons = append(ids, w.id), append(rules, w.rule), append(kinds, w.kind), append(reasons, w.reason)
	}
	return u.Exec(ctx, "proposals for texts to qualify", `
		UPDATE nms.broad_log_msg b
		SET failure_type = p.kind, failure_reason = p.reason, rule_id = nullif(p.rule, 0)
		FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::bigint[]) AS p (id, kind, reason, rule)
		WHERE b.id = p.id
		  AND b.qualif_status = 'to_qualify'`, ids, kinds, reasons, rules)
}
