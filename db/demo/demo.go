package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// ErrNotEmpty says that the database has marketing data already. Nothing was changed: the demo is only loaded into an
// empty database, and never removes anything.
var ErrNotEmpty = errors.New("this database has recipients or deliveries already, the demo is only loaded into an empty one")

// lockDemo lets one process at a time load the demo.
const lockDemo = 73010010

// part fills the tables of one subject.
type part struct {
	what string
	load func(ctx context.Context, l *loader) error
}

func parts() []part {
	return []part{
		{"recipients", loadRecipients},
		{"visitors", loadVisitors},
		{"lists", loadLists},
		{"subscriptions", loadSubscriptions},
		{"deliveries", loadDeliveries},
		{"what belongs to deliveries", loadBelongings},
		{"delivery logs", loadLogs},
		{"provisional calendar", loadCalendar},
		{"exclusion logs", loadExclusions},
		{"tracking", loadTracking},
		{"offers and propositions", loadOffers},
		{"cubes", loadCubes},
		{"quarantined addresses", loadAddresses},
		{"mail servers", loadMailServers},
		{"bounces", loadBounces},
		{"transactional messages", loadEvents},
		{"mobile applications", loadMobile},
		{"enumerations", loadEnumerations},
		{"imports and sessions", loadPlatform},
		{"work tables", loadWorkTables},
		{"past runs", loadPast},
	}
}

// Load fills the database, which must be migrated and hold no marketing data yet, in one transaction: when it fails or
// is interrupted, nothing is left of it. The same size and seed within the same hour give the same rows. progress may
// be nil; it is called now and then with the rows written, about how many there will be, and what they are.
func Load(ctx context.Context, d *db.DB, size Size, seed int64, progress func(done, total int64, what string)) error {
	var now time.Time
	if err := d.Pool.QueryRow(ctx, `SELECT date_trunc('hour', now())`).Scan(&now); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return loadAt(ctx, d, &loader{size: size, seed: seed, now: now.UTC(), progress: progress})
}

// loadAt is Load at a given moment.
func loadAt(ctx context.Context, d *db.DB, l *loader) error {
	if _, err := ParseSize(string(l.size)); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if _, err := d.EnsurePartitions(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	conn, err := d.RunSession(ctx, "nightshift demo")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	l.plan = planOf(l.size)
	if l.progress == nil {
		l.progress = func(int64, int64, string) {}
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		l.tx = tx
		return l.fill(ctx)
	})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	l.progress(l.size.Rows(), l.size.Rows(), "done")
	return nil
}

func (l *loader) fill(ctx context.Context) error {
	if _, err := l.tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockDemo); err != nil {
		return err
	}
	if err := l.refuseData(ctx); err != nil {
		return err
	}
	for _, p := range parts() {
		l.what, l.rng = p.what, newRand(l.seed, p.what)
		if err := p.load(ctx, l); err != nil {
			return fmt.Errorf("%s: %w", p.what, err)
		}
	}
	l.progress(l.counted(), l.size.Rows(), "statistics")
	return l.finish(ctx)
}

// refuseData: one row of people or of deliveries is enough to leave a database alone.
func (l *loader) refuseData(ctx context.Context) error {
	var found bool
	err := l.tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM nms.recipient)
		    OR EXISTS (SELECT FROM nms.delivery)
		    OR EXISTS (SELECT FROM nms.visitor)
		    OR EXISTS (SELECT FROM nms.broad_log)`).Scan(&found)
	if err != nil {
		return err
	}
	if found {
		return ErrNotEmpty
	}
	return nil
}

// finish moves every sequence on to the ids that were written, never back, and gives the planner statistics.
func (l *loader) finish(ctx context.Context) error {
	_, err := l.tx.Exec(ctx, `
		SELECT setval('nms.message_id_seq', $1), setval('nms.tracking_log_id_seq', $2), setval('nms.event_seq', $3),
			setval('nms.proposition_id_seq', $4)`,
		l.nextMessage-1, l.nextHit-1, l.plan.rtEvents+l.plan.batchEvents, l.plan.propositions)
	if err != nil {
		return err
	}
	rows, err := l.tx.Query(ctx, `
		SELECT format('SELECT setval(%1$L, m) FROM (SELECT max(%2$I) AS m FROM %3$I.%4$I) t WHERE m > COALESCE(pg_sequence_last_value(%1$L::regclass), 0)',
			pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname), a.attname, n.nspname, c.relname)
		FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('nms', 'xtk')
		  AND c.relkind IN ('r', 'p')
		  AND NOT c.relispartition
		  AND a.attidentity <> ''
		UNION ALL
		SELECT format('ANALYZE %I.%I', n.nspname, c.relname)
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('nms', 'xtk')
		  AND c.relkind IN ('r', 'p')
		  AND NOT c.relispartition`)
	if err != nil {
		return err
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := l.tx.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
