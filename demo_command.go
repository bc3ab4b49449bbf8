package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"nightshift/db"
	"nightshift/db/demo"
)

// demoCommand loads the demo database. With --once, as make run calls it, a database that has data is left as it is.
func demoCommand(ctx context.Context, c config, args []string, out io.Writer) error {
	once := slices.Contains(args, "--once")
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--once" })
	return onDatabase(ctx, c, func(d *db.DB) error {
		err := demo.Command(ctx, args, d.URL(), out)
		if once && errors.Is(err, demo.ErrNotEmpty) {
			_, err = fmt.Fprintln(out, "the database has data already: no demo is loaded")
		}
		return err
	})
}
