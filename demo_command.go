package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"nightshift/db"
	"nightshift/db/demo"
	"nightshift/jobs/redirlog"
)

// demoCommand loads the demo database. With --once, as make run calls it, a database that has data is left as it is.
func demoCommand(ctx context.Context, c config, args []string, out io.Writer) error {
	once := slices.Contains(args, "--once")
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--once" })
	return onDatabase(ctx, c, func(d *db.DB) error {
		err := demo.Command(ctx, args, d.URL(), out)
		if once && errors.Is(err, demo.ErrNotEmpty) {
			_, err = fmt.Fprintln(out, "the database has data already: no demo is loaded")
			return err
		}
		if err != nil {
			return err
		}
		return logHits(ctx, d, c.rawLog())
	})
}

// logHits writes the opens and clicks of the demo's last hour into the raw log, as the redirection would have: the next run
// of tracking finds them. Where a node serves, its redirection holds the log, and the demo goes without them.
func logHits(ctx context.Context, d *db.DB, folder string) error {
	raw, err := redirlog.Open(folder, redirlog.Options{})
	if errors.Is(err, redirlog.ErrHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	hits, err := demo.Hits(ctx, d)
	for _, h := range hits {
		raw.Write(redirlog.Line{Date: h.At, BroadLog: h.Message, Delivery: h.Delivery, URL: h.URL, Flag: "h", UUID: h.UUID, Agent: h.Agent,
			Address: "192.0.2.1"})
	}
	return errors.Join(err, raw.Close())
}
