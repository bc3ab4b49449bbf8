package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"nightshift/db"
	"nightshift/web"
)

// errMissing ends the command with the exit code 2.
var errMissing = errors.New("modules are missing")

// monitorCommand prints the state of the instance for people, as JSON, or only what is missing. It looks at the database as
// it is: it starts no PostgreSQL, migrates nothing and needs no key.
func monitorCommand(ctx context.Context, c config, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("monitor", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	missing := flags.Bool("missing", false, "")
	asJSON := flags.Bool("json", false, "")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || *missing && *asJSON {
		return errors.New("nightshift monitor [-missing | -json]")
	}
	url := c.databaseURL
	if url == "" {
		url = db.ClusterURL(c.dataDir, databaseName)
	}
	d, err := db.Open(ctx, url)
	if err != nil {
		return c.unreachable(err)
	}
	defer d.Close()
	if *missing {
		return printMissing(ctx, d, out)
	}
	console := web.New(web.Config{DB: d, URL: c.publicURL, Build: build(), DataDir: c.dataDir, Indicators: c.indicators, Logger: slog.New(slog.DiscardHandler)})
	return console.PrintMonitoring(ctx, out, *asJSON)
}

// printMissing prints a line for each module that should be there and is not: module, node, host and process, when it was last
// heard. With no process at all every module is missing.
func printMissing(ctx context.Context, d *db.DB, out io.Writer) error {
	nodes, err := d.Watched(ctx)
	if err != nil {
		return err
	}
	count := 0
	line := func(format string, args ...any) {
		count++
		_, _ = fmt.Fprintf(out, format+"\n", args...)
	}
	if len(nodes) == 0 {
		for _, module := range db.Modules() {
			line("%s: no node is up", module)
		}
	}
	for _, n := range nodes {
		for _, m := range n.Modules {
			if m.State == db.ModuleMissing {
				line("%s of %s (%s, pid %d), %s", m.Name, n.Name, n.Host, n.PID, heard(m))
			}
		}
	}
	if count > 0 {
		return fmt.Errorf("%d %w", count, errMissing)
	}
	return nil
}

func heard(m db.Module) string {
	if m.Seen.IsZero() {
		return "never heard"
	}
	return "last heard " + m.Seen.UTC().Format(time.RFC3339)
}
