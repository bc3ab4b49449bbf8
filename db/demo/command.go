package demo

import (
	"context"
	"errors"
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
	flags.SetOutput(out)
	sizeName := flags.String("size", string(Small), "small (50 thousand rows), medium (2 million) or large (20 million)")
	seed := flags.Int64("seed", 1, "the same seed, size and hour give the same rows")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return fmt.Errorf("demo: %w", err)
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
	_, err = fmt.Fprintf(out, "\nLoaded the %s demo in %s. Its people and its past runs are invented.\n", size, words(time.Since(began)))
	return err
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
