package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

var errNoMapping = errors.New("no delivery mapping names a table of tracking logs")

// tracker is one execution of tracking.
type tracker struct {
	*jobs.Run
	tables       []trackingTable // each pair once; the first is that of recipients
	mappings     map[int64]int   // which of them a mapping names
	propositions []string        // quoted

	clock      time.Duration      // how far the database's is ahead of ours
	pointers   map[string]pointer // by server
	corrected  map[string]bool    // servers of whose clock was told
	total      lineCounts
	rejects    int // malformed lines kept by this run
	dedup      time.Duration
	agents     agentCache
	agentRules []db.UserAgentRule
	links      *links
	parts      map[string][]sentPart // by table of messages
	careful    bool                  // lines may have been loaded before
	robots     robots
	webMode    string
	virtual    int64 // the delivery of web hits without one; 0: none
}

// trackingTable is a table of tracking logs with the table of messages that it belongs to, their names quoted.
type trackingTable struct {
	hits, logs string
	name       pgx.Identifier // of hits
	contact    string         // the column of both that says who it was; empty: they have none
}

// Tracking loads what the redirection servers have logged, sums it up in buckets of five minutes, brings the figures of
// deliveries up to date and moves propositions on. A server that cannot be read keeps its pointer and leaves the others
// alone; what follows is still done, and the run fails at its end.
func Tracking(ctx context.Context, r *jobs.Run) error {
	if err := r.Steps(ctx, "retrieve", "consolidate", "indicators", "propositions"); err != nil {
		return err
	}
	t := &tracker{Run: r, corrected: map[string]bool{}}
	if err := t.readTables(ctx); err != nil {
		return err
	}
	var failed []error
	for _, s := range []struct {
		name string
		do   func(context.Context) error
	}{{"retrieve", t.retrieve}, {"consolidate", t.consolidate}, {"indicators", t.indicators}, {"propositions", t.follow}} {
		err := r.Step(ctx, s.name, s.do)
		if err != nil && (ctx.Err() != nil || errors.Is(err, jobs.ErrStopped)) {
			return err
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// readTables finds the tables that the delivery mappings name. A name that is no table gives a warning.
func (t *tracker) readTables(ctx context.Context) error {
	t.mappings = map[int64]int{}
	err := t.Query(ctx, func(row pgx.Rows) error {
		var id int64
		var hits, logs string
		var found trackingTable
		var exist bool
		if err := row.Scan(&id, &hits, &logs, &found.contact, &exist); err != nil {
			return err
		}
		if !exist {
			t.Warn("a delivery mapping names %s and %s, which are not both tables", hits, logs)
			return nil
		}
		found.hits, found.logs, found.name = qualified(hits), qualified(logs), strings.Split(hits, ".")
		t.mappings[id] = slices.IndexFunc(t.tables, func(other trackingTable) bool { return other.hits == found.hits && other.logs == found.logs })
		if t.mappings[id] < 0 {
			t.mappings[id] = len(t.tables)
			t.tables = append(t.tables, found)
		}
		return nil
	}, `
		SELECT m.id, m.tracking_log_schema, m.broad_log_schema,
		       coalesce((
		           SELECT h.attname
		           FROM pg_attribute h
		           JOIN pg_attribute l ON l.attname = h.attname AND l.attrelid = to_regclass(m.broad_log_schema) AND NOT l.attisdropped
		           WHERE h.attrelid = to_regclass(m.tracking_log_schema)
		             AND NOT h.attisdropped
		             AND h.attname IN ('recipient_id', 'visitor_id', 'event_id')
		           ORDER BY h.attnum
		           LIMIT 1), ''),
		       to_regclass(m.tracking_log_schema) IS NOT NULL AND to_regclass(m.broad_log_schema) IS NOT NULL
		FROM nms.delivery_mapping m
		WHERE m.tracking_log_schema <> ''
		  AND m.broad_log_schema <> ''
		ORDER BY m.internal_name <> 'mapRecipient', m.id`)
	if err != nil {
		return fmt.Errorf("tables of the delivery mappings: %w", err)
	}
	if len(t.tables) == 0 {
		return errNoMapping
	}
	propositions, err := mappedTables(ctx, t.Run, "proposition")
	for _, table := range propositions {
		t.propositions = append(t.propositions, qualified(table.name))
	}
	return err
}

// tableOf finds the table of a delivery's mapping; without one it is that of recipients.
func (t *tracker) tableOf(mapping int64) trackingTable { return t.tables[t.mappings[mapping]] }

// allHits is a query of some columns of all tables of tracking logs.
func (t *tracker) allHits(columns string) string {
	return "SELECT " + columns + " FROM " + strings.Join(t.each(hitsOf), " UNION ALL SELECT "+columns+" FROM ")
}

func hitsOf(table trackingTable) string { return table.hits }

func logsOf(table trackingTable) string { return table.logs }

// each lists the tables of one kind, each once: two mappings may share one of a pair.
func (t *tracker) each(name func(trackingTable) string) []string {
	var names []string
	for _, table := range t.tables {
		if !slices.Contains(names, name(table)) {
			names = append(names, name(table))
		}
	}
	return names
}

// parameter reads an option that is a number from 0 to a thousand million; anything else gives the default, with a warning
// when it is set.
func (t *tracker) parameter(ctx context.Context, option string, byDefault int64) (int64, error) {
	value, ok, err := t.Option(ctx, option)
	if err != nil || !ok || value == "" {
		return byDefault, err
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || n > highestNumber {
		t.Warn("%s is %q, not a number from 0 to 1,000,000,000: %d is taken", option, value, byDefault)
		return byDefault, nil
	}
	return n, nil
}

// numberCursor reads an option in which the workflow keeps how far it has come; 0 when it has no row.
func numberCursor(ctx context.Context, r *jobs.Run, option string) (at int64, err error) {
	err = r.Query(ctx, func(row pgx.Rows) error { return row.Scan(&at) }, `
		SELECT coalesce(long_value, 0)
		FROM xtk.option
		WHERE name = $1`, option)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", option, err)
	}
	return at, nil
}

// moveNumber stores how far a transaction has come, together with what it did.
func moveNumber(ctx context.Context, tx pgx.Tx, option string, at int64) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO xtk.option AS o (name, data_type, long_value)
		VALUES ($1, 'long', $2)
		ON CONFLICT (name) DO UPDATE
		SET data_type = excluded.data_type, long_value = excluded.long_value
		WHERE o.long_value IS DISTINCT FROM excluded.long_value`, option, at)
	if err != nil {
		return fmt.Errorf("move %s: %w", option, err)
	}
	return nil
}
