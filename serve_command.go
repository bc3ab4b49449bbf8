package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"time"

	"nightshift/db"
	"nightshift/jobs/catalogue"
	"nightshift/jobs/engine"
	"nightshift/jobs/outbox"
	"nightshift/jobs/redirlog"
	"nightshift/web"
)

// garbage is how much may pile up, in per cent of what is in use, before it is collected. So little is in use (5 MB) that
// Go's own 100 would have it collected every dozen pages, at a quarter of their cost.
const garbage = 400

// drain is what the console and the engine may take to end: a little less than the 25 s that are promised.
const drain = 24 * time.Second

var (
	// errClusterGone ends a node whose embedded PostgreSQL has ended: whoever watches the process starts both again.
	errClusterGone = errors.New("the embedded PostgreSQL has ended, see postgres.log in the data folder")
	// errNotDrained says that runs had to be left; the next start, or another node, takes them over.
	errNotDrained = errors.New("runs did not end in time, they are taken over at the next start")
)

// serveCommand runs the console, the engine and the outbox until ctx ends, then lets go of them and of the embedded cluster.
func serveCommand(ctx context.Context, c config, _ []string, out io.Writer) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	url, gone, stop, err := database(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	d, err := prepare(ctx, c, url)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.RoomForNode(ctx); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.listen)
	if err != nil {
		return fmt.Errorf("NIGHTSHIFT_LISTEN: %w", err)
	}
	logger := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.logLevel})).With("node", c.node)
	raw, err := redirlog.Open(c.rawLog(), redirlog.Options{Logger: logger})
	if err != nil {
		return errors.Join(fmt.Errorf("NIGHTSHIFT_DATA: %w", err), listener.Close())
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	// The link that greet prints takes the place of the last one: only a process that will serve may make it.
	if err := errors.Join(d.PublishURL(ctx, c.publicURL.String()), greet(ctx, d, c, out)); err != nil {
		return errors.Join(err, listener.Close())
	}
	return serve(ctx, parts(c, d, listener, logger, raw), gone)
}

// part is something that runs until its context ends.
type part func(ctx context.Context) error

// parts are the console, the engine and the outbox of one node. They know nothing of each other, but
// that the console shows what keeps the engine from its work.
func parts(c config, d *db.DB, listener net.Listener, logger *slog.Logger, raw *redirlog.Log) []part {
	sending := outbox.New(outbox.Config{DB: d, Node: c.node, Logger: logger})
	e := engine.New(engine.Config{DB: d, Workflows: catalogue.All(), Node: c.node, Affinities: c.affinities,
		TakesUnassigned: c.takesUnassigned, RawLog: c.rawLog(), Modules: db.Modules(), Build: build(), Logger: logger})
	console := web.New(web.Config{DB: d, URL: c.publicURL, TrustedProxies: c.trustedProxies, MetricsToken: c.metricsToken,
		RawLog: raw, Build: build(), DataDir: c.dataDir, Indicators: c.indicators, Logger: logger, TestAccount: sending.Try, Hindered: e.Trouble})
	return []part{
		func(ctx context.Context) error { return console.Serve(ctx, listener) },
		e.Run,
		sending.Run,
	}
}

// serve runs the parts until ctx ends, one of them does or the embedded PostgreSQL is gone; then all have the time of drain.
func serve(ctx context.Context, parts []part, gone <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(parts))
	for _, p := range parts {
		go func() { ended <- p(ctx) }()
	}
	var err error
	left := len(parts)
	select {
	case <-ctx.Done():
	case err = <-ended:
		left--
	case <-gone:
		err = errClusterGone
	}
	cancel()
	timeout := time.After(drain)
	for ; left > 0; left-- {
		select {
		case late := <-ended:
			if !errors.Is(late, context.Canceled) {
				err = errors.Join(err, late)
			}
		case <-timeout:
			return errors.Join(err, errNotDrained)
		}
	}
	return err
}

// greet says where the console is and, as long as there is no administrator, how to become the first.
func greet(ctx context.Context, d *db.DB, c config, out io.Writer) error {
	token, err := d.NewSetupToken(ctx)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "Nightshift %s serves on %s\n", build(), c.publicURL)
	if token != "" {
		_, _ = fmt.Fprintf(out, "The first administrator signs up within 30 minutes at %s\n", c.publicURL.JoinPath("set-up", token))
	}
	return nil
}
