package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	secondsPerDay = 86400
	maxOptionText = 1000
)

// Option is an option of the instance as the console shows it: the fact, and what is stored.
type Option struct {
	OptionFact
	Known        bool   // this version reads it; else it is only a row
	Set          bool   // it has a row; else the default holds
	Value        string // as a person writes it (days for OptionDays); the default when not set
	Valid        bool   // false: stored by other means, and not a value that the option allows
	LastModified time.Time
	ModifiedBy   string // login; empty: installed, or written by a workflow
}

// optionRow is what the table holds of an option, its value as text whatever its type.
type optionRow struct {
	Name, Raw    string
	LastModified time.Time
	ModifiedBy   string
}

// optionValue reads the one value column that an option's row fills.
const optionValue = `COALESCE(o.string_value, o.long_value::text, o.double_value::text, o.timestamp_value::text, o.memo_value, '')`

// Options lists the options that this version reads, then those that are only rows of the database, by name.
func (d *DB) Options(ctx context.Context) ([]Option, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT o.name, `+optionValue+`, o.last_modified, COALESCE(p.login, '')
		FROM xtk.option o
		LEFT JOIN xtk.operator p ON p.id = o.modified_by_id
		ORDER BY o.name`)
	if err != nil {
		return nil, fmt.Errorf("list the options: %w", err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByPos[optionRow])
	if err != nil {
		return nil, fmt.Errorf("list the options: %w", err)
	}
	var options []Option
	for _, fact := range KnownOptions() {
		option := Option{OptionFact: fact, Known: true, Value: fact.Default, Valid: true}
		i := slices.IndexFunc(stored, func(row optionRow) bool { return row.Name == fact.Name })
		if i >= 0 {
			option.fill(stored[i])
			stored = slices.Delete(stored, i, i+1)
		}
		options = append(options, option)
	}
	for _, row := range stored {
		option := Option{OptionFact: OptionFact{Name: row.Name, Group: "other", Kind: OptionText}}
		option.fill(row)
		options = append(options, option)
	}
	return options, nil
}

func (o *Option) fill(row optionRow) {
	o.Set, o.LastModified, o.ModifiedBy = true, row.LastModified, row.ModifiedBy
	o.Value, o.Valid = o.shown(row.Raw)
}

// Option reads one option as it is stored; the default, stored the same way, when it has no row.
func (d *DB) Option(ctx context.Context, name string) (string, error) {
	var raw string
	err := d.Pool.QueryRow(ctx, `SELECT `+optionValue+` FROM xtk.option o WHERE o.name = $1`, name).Scan(&raw)
	if errors.Is(err, pgx.ErrNoRows) {
		fact, known := knownOption(name)
		if !known || fact.Default == "" {
			return "", nil
		}
		return fact.stored(fact.Default)
	}
	if err != nil {
		return "", fmt.Errorf("read the option %s: %w", name, err)
	}
	return raw, nil
}

// SetOption stores what a person wrote for an option that this version reads, with an audit row of before and after.
// A value that the option does not allow is an *OptionError; one that changes nothing leaves no trace.
func (d *DB) SetOption(ctx context.Context, actor Actor, name, input string) error {
	fact, known := knownOption(name)
	if !known {
		return &OptionError{Key: "option.error.unknown", Args: []any{name}}
	}
	after, err := fact.stored(input)
	if err != nil {
		return err
	}
	dataType := "string"
	if fact.Kind == OptionNumber || fact.Kind == OptionDays || name == "XtkCleanup_NoStats" || name == "WdbcKillSessionPolicy" {
		dataType = "long"
	}
	return d.changeOption(ctx, actor, name, &after, `
		INSERT INTO xtk.option (name, data_type, string_value, long_value, modified_by_id)
		VALUES (@name, @type, CASE WHEN @type = 'string' THEN @value::text END,
		        CASE WHEN @type = 'long' THEN @value::text::bigint END, NULLIF(@operator::bigint, 0))
		ON CONFLICT (name) DO UPDATE
		SET data_type = excluded.data_type, string_value = excluded.string_value, long_value = excluded.long_value,
		    double_value = NULL, timestamp_value = NULL, memo_value = NULL,
		    modified_by_id = excluded.modified_by_id, last_modified = clock_timestamp()`,
		pgx.NamedArgs{"name": name, "type": dataType, "value": after, "operator": actor.ID})
}

// ResetOption takes the row of an option that this version reads away, so that the default holds again; audited.
func (d *DB) ResetOption(ctx context.Context, actor Actor, name string) error {
	if fact, known := knownOption(name); !known || fact.Kind == OptionMoment {
		return &OptionError{Key: "option.error.unknown", Args: []any{name}}
	}
	return d.changeOption(ctx, actor, name, nil, `DELETE FROM xtk.option WHERE name = @name`, pgx.NamedArgs{"name": name})
}

// changeOption runs the change and its audit row in one transaction, unless before and after are equal.
func (d *DB) changeOption(ctx context.Context, actor Actor, name string, after *string, sql string, args pgx.NamedArgs) error {
	err := pgx.BeginFunc(ctx, d.Pool, func(tx pgx.Tx) error {
		var before *string
		err := tx.QueryRow(ctx, `SELECT `+optionValue+` FROM xtk.option o WHERE o.name = $1 FOR UPDATE`, name).Scan(&before)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if before == after || before != nil && after != nil && *before == *after {
			return nil
		}
		if _, err := tx.Exec(ctx, sql, args); err != nil {
			return err
		}
		if name == optionZone {
			if err := reschedule(ctx, tx); err != nil {
				return err
			}
		}
		action := "modified"
		if before == nil {
			action = "created"
		} else if after == nil {
			action = "deleted"
		}
		return d.Audit(ctx, tx, AuditEntry{EntityType: "option", Entity: name, Action: action, Actor: actor, Allowed: true,
			Detail: map[string]any{"before": before, "after": after}})
	})
	if err != nil {
		return fmt.Errorf("change the option %s: %w", name, err)
	}
	return nil
}

// OptionAs is an option with a value that the table had once: what a run read.
func OptionAs(name, raw string) Option {
	fact, known := knownOption(name)
	if !known {
		fact = OptionFact{Name: name, Kind: OptionText}
	}
	option := Option{OptionFact: fact, Known: known}
	option.fill(optionRow{Name: name, Raw: raw})
	return option
}

func knownOption(name string) (OptionFact, bool) {
	for _, fact := range KnownOptions() {
		if fact.Name == name {
			return fact, true
		}
	}
	return OptionFact{}, false
}
