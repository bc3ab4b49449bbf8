package delivery

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/redirlog"
)

// rejectsKept is how many malformed lines of a run are kept for people to look at; the others are only counted.
const rejectsKept = 1000

// reject is a line that could not be read.
type reject struct{ line, reason string }

// prepareLoad makes the temporary table through which lines reach the logs, and reads what a run needs to judge them.
func (t *tracker) prepareLoad(ctx context.Context) error {
	if err := t.readClock(ctx); err != nil {
		return err
	}
	if err := t.readPointers(ctx); err != nil {
		return err
	}
	if err := t.readRobots(ctx); err != nil {
		return err
	}
	if err := t.readWebMode(ctx); err != nil {
		return err
	}
	minutes, err := t.parameter(ctx, "NmsTracking_DedupOpenPeriodMin", 1)
	if err != nil {
		return err
	}
	t.dedup, t.agents, t.links = time.Duration(minutes)*time.Minute, newAgentCache(), newLinks()
	return t.Tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			CREATE TEMPORARY TABLE IF NOT EXISTS tracking_line (
				raw_id text,
				log_date timestamptz,
				broad_log_id bigint,
				delivery_id bigint,
				url_id bigint,
				user_agent_id bigint,
				source_id text,
				source_type text,
				place smallint,
				web boolean,
				contact_id bigint,
				contact_field text,
				contact_value text,
				amount numeric(15, 2),
				article int,
				params jsonb
			)`)
		if err != nil {
			return fmt.Errorf("make the temporary table: %w", err)
		}
		return nil
	})
}

// load turns a page into logs and moves the server's pointer, in one transaction: a crash neither loses nor doubles a line.
func (t *tracker) load(ctx context.Context, server string, p page) (lineCounts, error) {
	rows, rejects, sum := t.parse(p)
	rows, err := t.keepKnown(ctx, rows, &sum)
	if err != nil {
		return sum, err
	}
	if sum.late > 0 {
		t.Warn("%s: %s lines are dated in the future: taken as of now", server, commas(sum.late))
	}
	was := t.pointers[server]
	before := sum
	err = t.Tx(ctx, func(tx pgx.Tx) error {
		sum = before
		kept, err := t.withoutRepeated(ctx, tx, rows, &sum)
		if err != nil {
			return err
		}
		if err := t.recognise(ctx, tx, kept); err != nil {
			return err
		}
		if err := copyLines(ctx, tx, kept); err != nil {
			return err
		}
		if err := t.insertAll(ctx, tx, kept, &sum); err != nil {
			return err
		}
		if err := keepRejects(ctx, tx, server, rejects); err != nil {
			return err
		}
		to := pointer{ID: fmt.Sprintf("0x%016X", p.last), Date: was.Date}
		if len(rows) > 0 {
			to.Date = rows[len(rows)-1].at
		}
		return t.movePointer(ctx, tx, server, to)
	})
	if err != nil {
		t.pointers[server] = was
		t.agents = newAgentCache()
		return before, err
	}
	t.rejects += len(rejects)
	return sum, nil
}

// parse reads the lines of a page. A line that cannot be read is counted and kept apart, and robots are only counted. Dates
// are corrected by the server's clock, and none is of the future.
func (t *tracker) parse(p page) (rows []hitRow, rejects []reject, sum lineCounts) {
	sum.lines = int64(len(p.lines))
	rows = make([]hitRow, 0, len(p.lines))
	now := t.now()
	for _, line := range p.lines {
		l, err := redirlog.Parse(line)
		if err != nil {
			sum.malformed++
			if t.rejects+len(rejects) < rejectsKept {
				rejects = append(rejects, reject{printable(line), err.Error()})
			}
			continue
		}
		if t.robots.match(l) {
			sum.robots++
			continue
		}
		h := hitRow{Line: l, at: l.Date.Add(p.ahead)}
		if h.at.After(now) {
			h.at = now
			sum.late++
		}
		if h.web() {
			h.values = readValues(l.Params)
		}
		rows = append(rows, h)
	}
	return rows, rejects, sum
}

// printable makes of a line's bytes what PostgreSQL and a page can show.
func printable(line []byte) string {
	const longest = 1000
	if len(line) > longest {
		line = line[:longest]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(line), " "))
}

// keepRejects stores malformed lines where rejects of imports are looked at and, after a while, purged.
func keepRejects(ctx context.Context, tx pgx.Tx, server string, rejects []reject) error {
	if len(rejects) == 0 {
		return nil
	}
	lines, reasons := make([]string, len(rejects)), make([]string, len(rejects))
	for i, r := range rejects {
		lines[i], reasons[i] = r.line, r.reason
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO xtk.reject (job_id, message, origin, schema_name, data)
		SELECT 0, 'tracking line: ' || reason, $3, 'nms:trackingLog', jsonb_build_object('line', line)
		FROM unnest($1::text[], $2::text[]) v (line, reason)`, lines, reasons, server)
	if err != nil {
		return fmt.Errorf("keep the malformed lines: %w", err)
	}
	return nil
}

// copyLines brings the rows of a page into the temporary table, which is emptied of the page before.
func copyLines(ctx context.Context, tx pgx.Tx, rows []hitRow) error {
	if _, err := tx.Exec(ctx, `TRUNCATE pg_temp.tracking_line`); err != nil {
		return fmt.Errorf("empty the temporary table: %w", err)
	}
	columns := strings.Fields(`raw_id log_date broad_log_id delivery_id url_id user_agent_id source_id source_type place web
		contact_field contact_value amount article params`)
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", "tracking_line"}, columns, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		h := &rows[i]
		row := []any{h.raw(), h.at, idOrNull(h.BroadLog), h.Delivery, h.URL, h.agent, textOrNull(h.UUID), h.Source, int16(h.table), h.web(),
			nil, nil, nil, nil, nil}
		if v := h.values; v != nil {
			row[10], row[11], row[12], row[13], row[14] = v.field, v.value, v.amount, v.article, v.others
		}
		return row, nil
	}))
	if err != nil {
		return fmt.Errorf("copy the lines: %w", err)
	}
	return nil
}

func idOrNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// insertAll makes logs of the lines: first of the links, then of the web tags, which look for the person in those. Where
// web hits may be anonymous, each person that became known gets the hits of before.
func (t *tracker) insertAll(ctx context.Context, tx pgx.Tx, rows []hitRow, sum *lineCounts) error {
	used, web := make([]bool, len(t.tables)), make([]bool, len(t.tables))
	for i := range rows {
		used[rows[i].table], web[rows[i].table] = true, web[rows[i].table] || rows[i].web()
	}
	for place, table := range t.tables {
		if !used[place] {
			continue
		}
		if err := t.insert(ctx, tx, place, false, sum); err != nil {
			return err
		}
		if web[place] {
			if err := t.identify(ctx, tx, place, sum); err != nil {
				return err
			}
			if err := t.insert(ctx, tx, place, true, sum); err != nil {
				return err
			}
		}
		if t.webMode == "anonymous" && table.contact != "" {
			if err := fillEarlier(ctx, tx, table, place); err != nil {
				return err
			}
		}
	}
	return nil
}

// insert makes logs of the lines of one table: who it was is what the message says, and nobody when the message is gone. Each
// delivery's pending counter grows by its new logs. A line that was loaded before has its log already. What a web hit says
// of a purchase stands beside its log.
func (t *tracker) insert(ctx context.Context, tx pgx.Tx, place int, web bool, sum *lineCounts) error {
	table := t.tables[place]
	contact, value, join := "", "", ""
	if table.contact != "" {
		contact = table.contact + ","
		value = "coalesce(l.contact_id, b." + table.contact + "),"
		join = "LEFT JOIN " + table.logs + " b ON b.delivery_id = l.delivery_id AND b.id = l.broad_log_id"
	}
	var lines, stored int64
	err := tx.QueryRow(ctx, `
		WITH stored AS (
			INSERT INTO `+table.hits+` (broad_log_id, delivery_id, `+contact+` url_id, user_agent_id, source_id, source_type, raw_id, log_date)
			SELECT l.broad_log_id, l.delivery_id, `+value+` l.url_id, l.user_agent_id, l.source_id, l.source_type, l.raw_id, l.log_date
			FROM pg_temp.tracking_line l
			`+join+`
			WHERE l.place = $1
			  AND l.web = $2
			ON CONFLICT DO NOTHING
			RETURNING id, delivery_id, raw_id, log_date
		), pending AS (
			UPDATE nms.delivery d
			SET tracking_pending = d.tracking_pending + n.hits
			FROM (SELECT delivery_id, count(*) AS hits FROM stored GROUP BY delivery_id) n
			WHERE d.id = n.delivery_id
		), bought AS (
			INSERT INTO nms.web_tracking_log (id, amount, article, delivery_id, params)
			SELECT s.id, l.amount, l.article, nullif(s.delivery_id, 0), l.params
			FROM stored s
			JOIN pg_temp.tracking_line l USING (raw_id, log_date)
			WHERE $2
			  AND (l.amount <> 0 OR l.article <> 0 OR l.params <> '{}')
		)
		SELECT (SELECT count(*) FROM pg_temp.tracking_line l WHERE l.place = $1 AND l.web = $2), (SELECT count(*) FROM stored)`,
		place, web).Scan(&lines, &stored)
	if err != nil {
		return fmt.Errorf("insert into %s: %w", table.hits, err)
	}
	sum.stored += stored
	sum.known += lines - stored
	return nil
}
