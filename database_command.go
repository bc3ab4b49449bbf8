package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"nightshift/db"
	"nightshift/jobs/catalogue"
)

// databaseName is the database of the embedded cluster.
const databaseName = "nightshift"

// database finds the configured PostgreSQL, or starts the embedded one. The function it returns stops what it
// started; gone is closed should the embedded server end by itself, and nil where there is none.
func database(ctx context.Context, c config) (url string, gone <-chan struct{}, stop func() error, err error) {
	if c.databaseURL != "" {
		return c.databaseURL, nil, func() error { return nil }, nil
	}
	cluster, err := db.StartCluster(ctx, db.ClusterConfig{Dir: c.dataDir})
	if err != nil {
		return "", nil, nil, err
	}
	if url, err = cluster.Database(ctx, databaseName); err != nil {
		return "", nil, nil, errors.Join(err, cluster.Stop())
	}
	if cluster.Owned() {
		gone = cluster.Gone()
	}
	return url, gone, cluster.Stop, nil
}

// onDatabase runs work on a migrated database and leaves nothing running behind it.
func onDatabase(ctx context.Context, c config, work func(d *db.DB) error) (err error) {
	url, _, stop, err := database(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	d, err := prepare(ctx, c, url)
	if err != nil {
		return err
	}
	defer d.Close()
	return work(d)
}

// keySource is where this process looks for the key of the instance.
func (c config) keySource() db.KeySource { return db.KeySource{Given: c.key, Dir: c.dataDir} }

// prepare brings a database to this version, schema and catalogue, and opens it with the key of the instance. A process
// with another key is refused before it has changed anything.
func prepare(ctx context.Context, c config, url string) (*db.DB, error) {
	d, err := db.Open(ctx, url)
	if err != nil {
		return nil, c.unreachable(err)
	}
	err = d.CheckKey(ctx, c.keySource())
	if err == nil {
		err = db.Migrate(ctx, url)
	}
	if err == nil {
		err = d.TakeKey(ctx, c.keySource())
	}
	if err == nil {
		err = d.BindSecrets(ctx)
	}
	if err == nil {
		err = catalogue.Install(ctx, d)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// unreachable says of a database that cannot be opened what decides where it is.
func (c config) unreachable(err error) error {
	if c.databaseURL != "" {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	return fmt.Errorf("the private PostgreSQL in NIGHTSHIFT_DATA (%s), which runs while nightshift serve does: %w", c.dataDir, err)
}

// migrateCommand brings the database to this version's schema and catalogue, as serve does when it starts.
func migrateCommand(ctx context.Context, c config, _ []string, out io.Writer) error {
	return onDatabase(ctx, c, func(*db.DB) error {
		_, err := fmt.Fprintln(out, "the database is up to date")
		return err
	})
}
