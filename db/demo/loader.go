package demo

import (
	"context"
	"fmt"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// loader is what the parts share: where they write, the moment from which dates count, and what earlier parts made.
type loader struct {
	tx       pgx.Tx
	size     Size
	seed     int64
	now      time.Time
	plan     plan
	rng      *rand.Rand // the current part's own, so that a change in one part leaves the others as they are
	progress func(done, total int64, what string)
	what     string
	done     int64

	deliveries  []delivery
	mappings    map[string]int64
	nextMessage int64
	nextHit     int64
	webHits     []webHit
}

// webHit is a hit that says more than which link it was: what was bought.
type webHit struct{ hit, delivery int64 }

// newRand gives each part numbers of its own from one seed.
func newRand(seed int64, part string) *rand.Rand {
	name := fnv.New64a()
	_, _ = name.Write([]byte(part))
	return rand.New(rand.NewPCG(uint64(seed), name.Sum64()))
}

// mix is a number that looks random and depends only on its arguments: what two tables must agree on, without
// keeping it in memory.
func mix(values ...int64) uint64 {
	z := uint64(0x9e3779b97f4a7c15)
	for _, value := range values {
		z += uint64(value)*0xbf58476d1ce4e5b9 + 0x9e3779b97f4a7c15
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb
		z ^= z >> 31
	}
	return z
}

// pick chooses by a number of mix.
func pick[T any](from []T, number uint64) T { return from[number%uint64(len(from))] }

// ago is a moment before now.
func (l *loader) ago(age time.Duration) time.Time { return l.now.Add(-age) }

// within is a moment between now and the age before it, evenly spread.
func (l *loader) within(age time.Duration) time.Time {
	return l.now.Add(-time.Duration(l.rng.Int64N(int64(age/time.Second))) * time.Second)
}

// past caps a moment at now: what has not happened yet leaves no row.
func (l *loader) past(moment time.Time) time.Time {
	if moment.After(l.now) {
		return l.now
	}
	return moment
}

// age gives row i its age: the first rows lie a day outside and three days inside the given limit, the others anywhere
// between today and half as long again as the limit.
func (l *loader) age(i int64, limit time.Duration) time.Duration {
	switch {
	case i < 5:
		return limit + day + time.Duration(i)*hour
	case i < 10:
		return limit - 3*day + time.Duration(i)*hour
	}
	return time.Duration(l.rng.Int64N(int64(limit*3/2/time.Second))) * time.Second
}

// counted is the progress so far, never beyond the size.
func (l *loader) counted() int64 { return min(l.done, l.size.Rows()) }

// copy streams rows into a table by COPY. columns are separated by spaces.
func (l *loader) copy(ctx context.Context, table, columns string, rows iter.Seq[[]any]) error {
	next, stop := iter.Pull(rows)
	defer stop()
	source := pgx.CopyFromFunc(func() ([]any, error) {
		row, ok := next()
		if !ok {
			return nil, nil
		}
		if l.done++; l.done%5000 == 0 {
			l.progress(l.counted(), l.size.Rows(), l.what)
		}
		return row, nil
	})
	name := pgx.Identifier(strings.Split(table, "."))
	if _, err := l.tx.CopyFrom(ctx, name, strings.Fields(columns), source); err != nil {
		return fmt.Errorf("copy into %s: %w", table, err)
	}
	return nil
}

// numbered makes n rows, each from its index, which begins at 0.
func numbered(n int64, row func(i int64) []any) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for i := range n {
			if !yield(row(i)) {
				return
			}
		}
	}
}

// listed makes rows from a slice.
func listed(rows [][]any) iter.Seq[[]any] {
	return numbered(int64(len(rows)), func(i int64) []any { return rows[i] })
}

// exec runs one statement that writes few rows.
func (l *loader) exec(ctx context.Context, sql string, args ...any) error {
	tag, err := l.tx.Exec(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("%.60s: %w", strings.TrimSpace(sql), err)
	}
	l.done += tag.RowsAffected()
	return nil
}
