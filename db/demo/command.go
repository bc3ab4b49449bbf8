package demo

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"nightshift/db"
)

// Command is the subcommand "nightshift demo --size small|medium|large --seed N": it loads the demo into a migrated
// database in which the workflows are installed, and draws its progress. A database that has data is left as it is, with an error that says so.
func Command(ctx context.Context, args []string, url string, out io.Writer) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	sizeName := flags.String("size", string(Small), "small (50 thousand rows), medium (2 million) or large (20 million)")
	seed := flags.Int64("seed", 1, "the same seed, size and hour give the same rows")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("demo: %q is not understood", flags.Arg(0))
	}
	size, err := ParseSize(*sizeName)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	d, err := db.Open(ctx, url)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer d.Close()
	began := time.Now()
	b := bar{out: out}
	if err := Load(ctx, d, size, *seed, b.draw); err != nil {
		_, _ = fmt.Fprintln(out)
		return err
	}
	if err := begin(ctx, d); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	_, err = fmt.Fprintf(out, "\nLoaded the %s demo in %s. Its people and its past runs are invented.\n", size, words(time.Since(began)))
	return err
}

// begin starts workflows that find work in the demo and need no other system. They have no invented past: their first run
// is a real one, when they are due.
func begin(ctx context.Context, d *db.DB) error {
	_, err := d.Pool.Exec(ctx, `
		UPDATE xtk.workflow
		SET state = 'started', state_since = now(), state_by = 'admin'
		WHERE internal_name = ANY($1)
		  AND built
		  AND state = 'being_edited'`, []string{"billing", "forecasting", "offerMgt", "reportingAggregates", "tracking"})
	if err != nil {
		return fmt.Errorf("start the workflows: %w", err)
	}
	return nil
}

// bar is a line of a terminal that is drawn over itself.
type bar struct {
	out   io.Writer
	drawn time.Time
}

const barWidth = 30

// draw shows the progress at most ten times a second, and always its end.
func (b *bar) draw(done, total int64, what string) {
	if done < total && time.Since(b.drawn) < 100*time.Millisecond {
		return
	}
	b.drawn = time.Now()
	full := int(done * barWidth / max(total, 1))
	_, _ = fmt.Fprintf(b.out, "\r[%s%s] %3d %% %-32s", strings.Repeat("#", full), strings.Repeat("-", barWidth-full), done*100/max(total, 1), what)
}
