package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"nightshift/db"
	"nightshift/jobs/catalogue"
	"nightshift/jobs/engine"
)

// lookEvery is how often a run that is followed from a terminal is looked at.
const lookEvery = 200 * time.Millisecond

// errGivenBack says what Ctrl-C leaves: the run's work is due again, and the next engine does it.
var errGivenBack = errors.New("interrupted; the run is due again and goes on with the next nightshift that serves")

// runCommand orders one run, or its rehearsal, and prints its log. An engine of this process takes the workflow, and
// only it; where a node serves already, either may be first.
func runCommand(ctx context.Context, c config, args []string, out io.Writer) error {
	name, command, params, err := readRun(args)
	if err != nil {
		return err
	}
	only := catalogue.All()
	for i, w := range only {
		if w.Name == name {
			only = only[i : i+1]
		}
	}
	if len(only) != 1 {
		return fmt.Errorf("there is no workflow %q in the catalogue", name)
	}
	return onDatabase(ctx, c, func(d *db.DB) error {
		row, err := d.WorkflowByName(ctx, name)
		if err != nil {
			return err
		}
		before, err := newestRun(ctx, d, row.ID)
		if err != nil {
			return err
		}
		if err := d.Order(ctx, commandLine("nightshift run"), row.ID, command, db.OrderArgs{Params: params}); err != nil {
			return inWords(err)
		}
		e := engine.New(engine.Config{DB: d, Workflows: only, Node: c.node + " (run)", Build: build(),
			Affinities: []string{row.Affinity}, TakesUnassigned: true, RawLog: c.rawLog(), Logger: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
		working, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- e.Run(working) }()
		err = follow(ctx, d, db.RunRow{ID: before, WorkflowID: row.ID}, out)
		stop()
		if drained := <-ended; !errors.Is(drained, context.Canceled) {
			err = errors.Join(err, drained)
		}
		return err
	})
}

// readRun reads: <workflow> [--simulate] [-- -name:value …].
func readRun(args []string) (name string, command db.Command, params map[string]string, err error) {
	command, params = db.RunNow, map[string]string{}
	for i, arg := range args {
		switch {
		case arg == "--":
			for _, pair := range args[i+1:] {
				key, value, _ := strings.Cut(strings.TrimPrefix(pair, "-"), ":")
				params[key] = value
			}
			return name, command, params, nil
		case arg == "--simulate":
			command = db.Simulate
		case name == "" && !strings.HasPrefix(arg, "-"):
			name = arg
		default:
			return "", "", nil, fmt.Errorf("run: %q is not understood; parameters of the workflow come after --", arg)
		}
	}
	if name == "" {
		return "", "", nil, errors.New("nightshift run <workflow> [--simulate] [-- -name:value …]")
	}
	return name, command, params, nil
}

func newestRun(ctx context.Context, d *db.DB, workflowID int64) (int64, error) {
	runs, _, err := d.Runs(ctx, db.RunFilter{WorkflowID: workflowID, Limit: 1})
	if err != nil || len(runs) == 0 {
		return 0, err
	}
	return runs[0].ID, nil
}

// follow prints the log of the first run after the given one until it has ended.
func follow(ctx context.Context, d *db.DB, after db.RunRow, out io.Writer) error {
	var run db.RunRow
	line := int64(-1)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return errGivenBack
		case <-look.C:
		}
		if run.ID == 0 {
			newest, err := newestRun(ctx, d, after.WorkflowID)
			if err != nil {
				return err
			}
			if newest <= after.ID {
				continue
			}
			run.ID = newest
		}
		// The state is read before the lines: the last line is written together with it.
		var err error
		if run, err = d.RunRow(ctx, run.ID); err != nil {
			return err
		}
		if line, err = printLog(ctx, d, run.ID, line, out); err != nil {
			return err
		}
		if run.End != nil {
			return verdict(run)
		}
	}
}

// printLog prints the lines after the given one and returns the last.
func printLog(ctx context.Context, d *db.DB, run, after int64, out io.Writer) (int64, error) {
	for {
		lines, more, err := d.Log(ctx, db.LogFilter{TaskID: run, After: after, Limit: 500})
		if err != nil {
			return after, err
		}
		for _, l := range lines {
			after = l.ID
			if _, err := fmt.Fprintf(out, "%s  %-7s  %-24s %s\n", l.At.UTC().Format("15:04:05.000"), l.Level, l.StepKey, l.Message); err != nil {
				return after, err
			}
		}
		if !more {
			return after, nil
		}
	}
}

func verdict(run db.RunRow) error {
	if run.Status == "completed" {
		return nil
	}
	return fmt.Errorf("run %d is %s: %s", run.ID, run.Status, run.ErrorMessage)
}
