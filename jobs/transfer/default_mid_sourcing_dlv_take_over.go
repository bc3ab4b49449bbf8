package transfer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/external/midsourcing"
)

// reportedFor is how long after the end of its validity a finished delivery still takes over what its server tells.
const reportedFor = 15 * 24 * time.Hour

// states are those of a delivery in the order of Campaign's codes: a later one is further on its way. The last four are final.
const states = `editing target_pending counting arbitrating target_ready personalization_pending personalizing message_ready
	preparation_failed ready start_pending in_progress recovery_pending recovery_in_progress pause_requested pause_in_progress paused
	stopped failed finished deleted`

var known = func() map[string]bool {
	all := map[string]bool{}
	for state := range strings.FieldsSeq(states) {
		all[state] = true
	}
	return all
}()

// counted are the columns whose numbers are the server's.
const counted = `to_deliver processed success success_without_seeds sent error reject unknown_user invalid_domain unreachable disabled
	mailbox_full not_connected refused`

// takeOverSQL takes over page $1 of what the server of account $2 tells. The deliveries meant are those of that account
// whose ids on both sides agree, that are not deleted here, and not finished with a validity before $3.
// A server that is ready and has a date will start: here that is start pending. A state that is final here is only left
// for a later one, so a page that comes late changes nothing of a finished delivery. new_quarantine counts on both sides,
// here when the logs are fetched: it never falls. Opens and clicks are not touched. Only a row that differs is written.
var takeOverSQL = func() string {
	columns := strings.Fields(counted)
	record, set, was, is, shown := "", "", "", "", ""
	for _, c := range columns {
		record += c + " int, "
		set += c + " = m." + c + ",\n\t\t    "
		was, is = was+"d."+c+", ", is+"m."+c+", "
		shown += fmt.Sprintf("CASE WHEN m.was_%[1]s <> m.%[1]s THEN '%[1]s ' || m.was_%[1]s || ' → ' || m.%[1]s END,\n\t\t\t", c)
	}
	before := ""
	for _, c := range columns {
		before += "d." + c + " AS was_" + c + ", "
	}
	return `
		WITH ranked AS (
			SELECT state, rank FROM unnest(string_to_array('` + strings.Join(strings.Fields(states), " ") + `', ' ')) WITH ORDINALITY AS s (state, rank)),
		told AS (
			SELECT *, CASE WHEN state = 'ready' AND start_date IS NOT NULL THEN 'start_pending' ELSE state END AS next
			FROM jsonb_to_recordset($1::jsonb) AS t (id bigint, emitter_id bigint, state text, start_date timestamptz, broad_start timestamptz,
				broad_end timestamptz, ` + record + `new_quarantine int, failed_message text)),
		matched AS (
			SELECT t.*, d.state AS was_state, ` + before + `
			       CASE WHEN n.state IS NULL OR d.state IN ('stopped', 'failed', 'finished', 'deleted') AND n.rank < h.rank THEN d.state ELSE t.next END AS is_state
			FROM told t
			JOIN nms.delivery d ON d.id = t.emitter_id
			JOIN ranked h ON h.state = d.state
			LEFT JOIN ranked n ON n.state = t.next
			WHERE d.delivery_mode = 'mid_sourcing'
			  AND d.provider_id = $2
			  AND d.mid_remote_id = t.id
			  AND d.delete_status = 'no'
			  AND (d.state <> 'finished' OR d.validity IS NULL OR d.validity > $3)
			  AND NOT (d.state IN ('finished', 'deleted') AND coalesce(n.rank, 0) < h.rank))
		UPDATE nms.delivery d
		SET state = m.is_state,
		    ` + set + `new_quarantine = greatest(d.new_quarantine, m.new_quarantine),
		    broad_start = coalesce(m.broad_start, d.broad_start),
		    broad_end = coalesce(m.broad_end, d.broad_end),
		    failed_message = coalesce(m.failed_message, d.failed_message)
		FROM matched m
		WHERE d.id = m.emitter_id
		  AND (d.state, ` + was + `d.new_quarantine, d.broad_start, d.broad_end, d.failed_message)
		      IS DISTINCT FROM
		      (m.is_state, ` + is + `greatest(d.new_quarantine, m.new_quarantine), coalesce(m.broad_start, d.broad_start),
		       coalesce(m.broad_end, d.broad_end), coalesce(m.failed_message, d.failed_message))
		RETURNING d.id, m.was_state, d.state, concat_ws(', ',
			CASE WHEN m.was_state <> d.state THEN m.was_state || ' → ' || d.state END,
			` + shown + `CASE WHEN d.state = 'failed' THEN d.failed_message END)`
}()

// unknown lists, by our ids, what the server carries for no delivery of this account here.
func (a account) unknown(ctx context.Context, tx pgx.Tx, page []midsourcing.Delivery) ([]int64, error) {
	rows, err := tx.Query(ctx, `
		SELECT t.emitter_id
		FROM jsonb_to_recordset($1::jsonb) AS t (id bigint, emitter_id bigint)
		WHERE NOT EXISTS (
			SELECT FROM nms.delivery d
			WHERE d.id = t.emitter_id
			  AND d.delivery_mode = 'mid_sourcing'
			  AND d.provider_id = $2
			  AND d.mid_remote_id = t.id
			  AND d.delete_status = 'no')
		ORDER BY 1`, page, a.id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// listed writes ids for a line of the log, the first ten of them.
func listed(ids []int64) string {
	const most = 10
	text := strings.Trim(strings.ReplaceAll(fmt.Sprint(ids[:min(len(ids), most)]), " ", ", "), "[]")
	if len(ids) > most {
		text += fmt.Sprintf(" … and %d more", len(ids)-most)
	}
	return text
}
