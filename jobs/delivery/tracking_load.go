package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"nightshift/jobs/redirlog"
)

// rejectsKept is how many malformed lines of a run are kept for people to look at; the others are only counted.
const rejectsKept = 1000

// reject is a line that could not be read.
type reject struct{ line, reason string }

// prepareLoad reads what a run needs to judge lines, and makes the temporary table through which web hits, and lines that
// may have been loaded before, reach the logs.
func (t *tracker) prepareLoad(ctx context.Context) error {
	if err := t.readClock(ctx); err != nil {
		return err
	}
	if err := t.readPointers(ctx); err != nil {
		return err
	}
	if err := t.readAgentRules(ctx); err != nil {
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
	t.dedup, t.agents, t.links, t.parts = time.Duration(minutes)*time.Minute, newAgentCache(), newLinks(), map[string][]sentPart{}
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
// Lines are taken for new, which is cheapest; where one turns out to have been loaded before, the page is begun again, and
// each line is compared with the logs until a page has none of these.
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
	to := pointer{ID: fmt.Sprintf("0x%016X", p.last), Date: was.Date}
	if len(rows) > 0 {
		to.Date = rows[len(rows)-1].at
	}
	done := sum
	store := func(tx pgx.Tx) (err error) {
		defer func() {
			if err != nil { // agents that were added are gone with the transaction
				t.agents = newAgentCache()
			}
		}()
		if done, err = t.store(ctx, tx, rows, sum); err != nil {
			return err
		}
		if err := keepRejects(ctx, tx, server, rejects); err != nil {
			return err
		}
		return t.movePointer(ctx, tx, server, to)
	}
	err = t.Tx(ctx, store)
	if isLoaded(err) && !t.careful {
		t.careful = true
		err = t.Tx(ctx, store)
	}
	if err != nil {
		t.pointers[server] = was
		return sum, err
	}
	t.careful = t.careful && done.known > 0
	t.rejects += len(rejects)
	return done, nil
}

// isLoaded reports that a log was there already.
func isLoaded(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == uniqueViolation
}

// uniqueViolation is PostgreSQL's code.
const uniqueViolation = "23505"

// store makes logs of the rows: first of the links, then of the web tags, which look for the person in those. Where web
// hits may be anonymous, each person that became known gets the hits of before.
func (t *tracker) store(ctx context.Context, tx pgx.Tx, rows []hitRow, sum lineCounts) (lineCounts, error) {
	kept, err := t.withoutRepeated(ctx, tx, rows, &sum)
	if err != nil {
		return sum, err
	}
	if err := t.recognise(ctx, tx, kept); err != nil {
		return sum, err
	}
	if err := t.addContacts(ctx, tx, kept); err != nil {
		return sum, err
	}
	for place, table := range t.tables {
		var links, web []hitRow
		for _, h := range kept {
			switch {
			case h.table != place:
			case h.web():
				web = append(web, h)
			default:
				links = append(links, h)
			}
		}
		if t.careful {
			err = t.insert(ctx, tx, table, links, &sum, nil)
		} else {
			err = copyLinks(ctx, tx, table, links, &sum)
		}
		if err == nil && len(web) > 0 {
			err = t.insert(ctx, tx, table, web, &sum, t.identify)
		}
		if err == nil && t.webMode == "anonymous" {
			err = fillEarlier(ctx, tx, table, kept)
		}
		if err != nil {
			return sum, err
		}
	}
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
			if h.at.Sub(now) > clockTolerance {
				sum.late++
			}
			h.at = now
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
