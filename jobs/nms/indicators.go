package nms

import (
	"fmt"
	"strings"
)

// Conditions on a row of a table of delivery logs, called l. A status and a reason count together only when the status
// is failed: a row that was sent after all may keep the reason of its first attempt.
const (
	Success   = `l.status IN ('sent', 'accepted', 'received')`
	Failed    = `l.status = 'failed'`
	Processed = `l.status IN ('prepared', 'failed', 'sent', 'accepted', 'received')`
)

// The reasons of a failure that reports name.
const (
	UserUnknown     = 1
	InvalidDomain   = 2
	Unreachable     = 3
	AccountDisabled = 4
	MailboxFull     = 5
	NotConnected    = 6
	Complaint       = 8
	Refused         = 20
)

// FailedFor is the condition that a message failed for one of the reasons given.
func FailedFor(reasons ...int) string {
	return Failed + " AND l.failure_reason IN (" + strings.Trim(strings.ReplaceAll(fmt.Sprint(reasons), " ", ", "), "[]") + ")"
}

// Figure is a column of nms.delivery and the expression that works it out from the queries logs (l), hits (t) and the
// delivery itself (d).
type Figure struct{ Column, Formula string }

// LogFigures are those that follow from the delivery's log.
func LogFigures() []Figure {
	return same("l", "processed success success_without_seeds error unknown_user invalid_domain unreachable disabled mailbox_full not_connected refused")
}

// HitFigures are those that follow from opens and clicks.
func HitFigures() []Figure {
	return append(same("t", `recipient_open total_recipient_open recipient_click person_click total_recipient_click opt_out
		mirror_page web_page total_web_page transaction amount article`),
		Figure{"forward", "t.person_click - t.recipient_click"},
		Figure{"estimated_recipient_open", estimated("t.recipient_open")},
		Figure{"estimated_total_recipient_open", estimated("t.total_recipient_open")})
}

// onceComplete are figures of a log that is fetched from another server: they stay as they are while fewer messages have
// come to their end in it than that server has counted.
func onceComplete(figures []Figure) []Figure {
	for i, f := range figures {
		figures[i].Formula = "CASE WHEN l.processed >= d.processed THEN " + f.Formula + " ELSE d." + f.Column + " END"
	}
	return figures
}

// same are figures that have the name of their column.
func same(query, columns string) []Figure {
	var figures []Figure
	for column := range strings.FieldsSeq(columns) {
		figures = append(figures, Figure{column, query + "." + column})
	}
	return figures
}

// estimated: text messages show nobody that they were opened, so opens are taken to be as many among them as among the others.
func estimated(opens string) string {
	return "CASE WHEN d.to_deliver <= d.text THEN 0 ELSE round(" + opens + "::numeric * d.to_deliver / (d.to_deliver - d.text)) END"
}

// LogsQuery sums up the log of delivery $1 in one row: how many messages met which end, and when the last changed.
func LogsQuery(logs string) string {
	return fmt.Sprintf(`
		SELECT count(*) FILTER (WHERE %[2]s) AS processed,
		       count(*) FILTER (WHERE %[3]s) AS success,
		       count(*) FILTER (WHERE %[3]s AND l.flags & 1 = 0) AS success_without_seeds,
		       count(*) FILTER (WHERE %[4]s) AS error,
		       count(*) FILTER (WHERE %[5]s) AS unknown_user,
		       count(*) FILTER (WHERE %[6]s) AS invalid_domain,
		       count(*) FILTER (WHERE %[7]s) AS unreachable,
		       count(*) FILTER (WHERE %[8]s) AS disabled,
		       count(*) FILTER (WHERE %[9]s) AS mailbox_full,
		       count(*) FILTER (WHERE %[10]s) AS not_connected,
		       count(*) FILTER (WHERE %[11]s) AS refused,
		       max(l.last_modified) AS last
		FROM %[1]s l
		WHERE l.delivery_id = $1`, logs, Processed, Success, Failed, FailedFor(UserUnknown), FailedFor(InvalidDomain),
		FailedFor(Unreachable), FailedFor(AccountDisabled), FailedFor(MailboxFull), FailedFor(NotConnected), FailedFor(Refused))
}

// HitsQuery sums up the opens and clicks of delivery $1 in one row. A click counts as an opening. The hits of seed
// addresses are left out. URLs of delivery 0 are every delivery's; a URL of another one is only a sign of an opening.
func HitsQuery(hits, logs string) string {
	return fmt.Sprintf(`
		SELECT count(DISTINCT h.broad_log_id) AS recipient_open,
		       count(*) FILTER (WHERE h.url_id = 1) AS total_recipient_open,
		       count(DISTINCT h.broad_log_id) FILTER (WHERE u.type = 1) AS recipient_click,
		       count(DISTINCT h.source_id) FILTER (WHERE u.type = 1) AS person_click,
		       count(*) FILTER (WHERE u.type = 1) AS total_recipient_click,
		       count(*) FILTER (WHERE u.type = 3) AS opt_out,
		       count(*) FILTER (WHERE u.type = 6) AS mirror_page,
		       count(DISTINCT h.broad_log_id) FILTER (WHERE u.type IN (4, 5)) AS web_page,
		       count(*) FILTER (WHERE u.type IN (4, 5)) AS total_web_page,
		       count(*) FILTER (WHERE u.type = 5) AS transaction,
		       coalesce(sum(w.amount) FILTER (WHERE u.type = 5), 0) AS amount,
		       coalesce(sum(w.article) FILTER (WHERE u.type = 5), 0) AS article,
		       max(h.log_date) AS last
		FROM %[1]s h
		LEFT JOIN (
			SELECT DISTINCT ON (id) id, type
			FROM nms.tracking_url
			WHERE delivery_id IN ($1, 0)
			ORDER BY id, delivery_id DESC) u ON u.id = h.url_id
		LEFT JOIN nms.web_tracking_log w ON w.id = h.id AND u.type = 5
		WHERE h.delivery_id = $1
		  AND NOT EXISTS (
			SELECT 1
			FROM %[2]s s
			WHERE s.delivery_id = $1
			  AND s.id = h.broad_log_id
			  AND s.flags & 1 = 1)`, hits, logs)
}

// UpdateDelivery is the statement that brings figures of delivery $1 up to date from its tables of logs and hits.
// $2 is the moment of the computation; $3 and $4 are how many hits and log lines were pending when the delivery was
// chosen, which are taken off: more may have come since. $5 is the age of the oldest log that no purge has reached.
// A delivery whose last log is older keeps its figures, and so does one whose first logs may be gone, when they would fall.
// It returns in words what changed, and nothing when nothing did, which leaves the row as it is.
// new_quarantine is not among the figures: it is counted where an address is put in quarantine.
func UpdateDelivery(hits, logs string, figures []Figure) string {
	set, shown, differ := make([]string, len(figures)), make([]string, len(figures)), make([]string, len(figures))
	for i, f := range figures {
		set[i] = f.Column + " = " + f.Formula
		differ[i] = "d." + f.Column + " <> " + f.Formula
		shown[i] = fmt.Sprintf("CASE WHEN o.%[1]s <> d.%[1]s THEN '%[1]s ' || o.%[1]s || ' → ' || d.%[1]s END", f.Column)
	}
	return fmt.Sprintf(`
		UPDATE nms.delivery d
		SET %s,
		    tracking_pending = greatest(d.tracking_pending - $3, 0),
		    error_pending = greatest(d.error_pending - $4, 0),
		    last_tracking_computation = $2,
		    last_error_computation = $2
		FROM (%s) l,
		     (%s) t,
		     nms.delivery o
		WHERE d.id = $1
		  AND o.id = d.id
		  AND d.delete_status = 'no'
		  AND greatest(l.last, t.last) >= $5
		  AND (coalesce(d.contact_date, d.created) >= $5
		       OR l.processed >= d.processed AND t.recipient_open >= d.recipient_open AND t.total_recipient_open >= d.total_recipient_open
		          AND t.total_recipient_click >= d.total_recipient_click)
		  AND ($3 > 0 OR $4 > 0 OR %s)
		RETURNING concat_ws(', ', %s)`,
		strings.Join(set, ",\n\t\t    "), LogsQuery(logs), HitsQuery(hits, logs), strings.Join(differ, "\n\t\t       OR "), strings.Join(shown, ",\n\t\t       "))
}
