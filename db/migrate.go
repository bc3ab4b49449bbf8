package db

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/tern/v2/migrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// lockMigration is the advisory lock under which one process at a time migrates.
const lockMigration = 73010001

// Migrate brings the database to the schema of this version: each migration once and in a transaction, however many
// processes start at the same time. A schema newer than this version is refused and left as it is.
func Migrate(ctx context.Context, url string) error {
	pooled, err := pgxpool.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("database URL: %w", err)
	}
	config := pooled.ConnConfig
	limit(config, map[string]string{"application_name": "nightshift migrate"})
	config.RuntimeParams["statement_timeout"] = "0"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := checkVersion(conn); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, lockMigration); err != nil {
		return fmt.Errorf("wait for the migration of another process: %w", err)
	}
	return migrateLocked(ctx, conn)
}

// migrateLocked runs what is missing. The connection's end frees the lock.
func migrateLocked(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS xtk`); err != nil {
		return fmt.Errorf("migrate: create the schema xtk: %w", err)
	}
	migrator, err := migrate.NewMigrator(ctx, conn, "xtk.schema_version")
	if err != nil {
		return fmt.Errorf("migrate: read the version of the schema: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := migrator.LoadMigrations(files); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	version, err := migrator.GetCurrentVersion(ctx)
	if err != nil {
		return fmt.Errorf("migrate: read the version of the schema: %w", err)
	}
	if newest := int32(len(migrator.Migrations)); version > newest {
		return fmt.Errorf("the database has schema version %d, this Nightshift knows only %d: start a newer Nightshift, nothing was changed", version, newest)
	}
	if err := migrator.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	_, err = ensurePartitions(ctx, conn)
	return err
}
