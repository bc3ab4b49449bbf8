package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"nightshift/db"
	"nightshift/db/demo"
)

// errOwnFolders refuses to mix the pair with data that somebody may want to keep.
var errOwnFolders = errors.New("demo-pair keeps both databases in the data folder: leave DATABASE_URL empty")

// midListen is where the second instance of the pair answers. Its host name is not the first one's, because browsers
// send the cookies of a host to all its ports.
const midListen = "127.0.0.1:8081"

// demoPairCommand runs two instances in one process until ctx ends: one of marketing with the small demo, and one that
// carries its deliveries and invents what becomes of the messages. Each has a private PostgreSQL in a folder of its own.
func demoPairCommand(ctx context.Context, c config, _ []string, out io.Writer) error {
	if c.databaseURL != "" {
		return errOwnFolders
	}
	mid := c
	mid.dataDir, mid.listen, mid.publicURL = filepath.Join(c.dataDir, "pair-mid"), midListen, &url.URL{Scheme: "http", Host: midListen}
	c.dataDir = filepath.Join(c.dataDir, "pair-marketing")
	return onDatabase(ctx, mid, func(there *db.DB) error {
		return onDatabase(ctx, c, func(here *db.DB) error {
			err := demo.Command(ctx, nil, here.URL(), out)
			if err != nil && !errors.Is(err, demo.ErrNotEmpty) {
				return err
			}
			pair := &demo.Pair{Marketing: here, Mid: there, MidURL: mid.publicURL.String()}
			if err := pair.Join(ctx); err != nil {
				return err
			}
			if _, err := fmt.Fprintln(out, "Nothing is sent by this pair: what becomes of its messages is invented."); err != nil {
				return err
			}
			return serve(ctx, []part{
				func(ctx context.Context) error { return serveCommand(ctx, c, nil, out) },
				func(ctx context.Context) error { return serveCommand(ctx, mid, nil, out) },
				pair.Run,
			}, nil)
		})
	})
}
