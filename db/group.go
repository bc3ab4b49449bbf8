package db

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Group gives its members its rights. Administrators are those whose group holds ADMINISTRATION.
type Group struct {
	ID              int64
	Name, Label     string
	Rights, Members []string
}

// NamedRight is one of the rights of the platform.
type NamedRight struct{ Name, Label string }

const groupColumns = `
	g.id, g.internal_name AS name, g.label,
	ARRAY(SELECT r.right_name FROM xtk.right_grant r WHERE r.group_id = g.id ORDER BY 1) AS rights,
	ARRAY(SELECT o.login FROM xtk.operator o
	      JOIN xtk.operator_group_member m ON m.operator_id = o.id
	      WHERE m.group_id = g.id ORDER BY 1) AS members`

// Groups lists all groups with their rights and the logins of their members.
func (d *DB) Groups(ctx context.Context) ([]Group, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT `+groupColumns+`
		FROM xtk.operator_group g
		ORDER BY g.id
		LIMIT 1000`)
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Group])
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	return all, nil
}

// Rights lists the named rights of the platform, ADMINISTRATION first.
func (d *DB) Rights(ctx context.Context) ([]NamedRight, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT name, label
		FROM xtk.right
		ORDER BY name <> 'ADMINISTRATION', name`)
	if err != nil {
		return nil, fmt.Errorf("rights: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[NamedRight])
	if err != nil {
		return nil, fmt.Errorf("rights: %w", err)
	}
	return all, nil
}

// EditGroup makes the rights of a group those given. The sessions of its members end, for they began with other rights,
// but not the actor's own. ErrLastAdministrator when nobody could administer the instance afterwards.
func (d *DB) EditGroup(ctx context.Context, actor Actor, id int64, rights []string) error {
	if err := actor.Require(Administration); err != nil {
		return err
	}
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockForOperators(ctx, tx); err != nil {
			return err
		}
		before, err := findGroup(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, sql := range []string{
			`DELETE FROM xtk.right_grant WHERE group_id = $1 AND right_name <> ALL ($2::text[])`,
			`INSERT INTO xtk.right_grant (right_name, group_id)
			 SELECT r.name, $1 FROM xtk.right r WHERE r.name = ANY ($2::text[])
			 ON CONFLICT DO NOTHING`,
		} {
			if _, err := tx.Exec(ctx, sql, id, noNil(rights)); err != nil {
				return err
			}
		}
		after, err := findGroup(ctx, tx, id)
		if err != nil {
			return err
		}
		return d.settleGroup(ctx, tx, actor, before, after)
	})
	if err != nil {
		return fmt.Errorf("edit group %d: %w", id, err)
	}
	return nil
}

func (d *DB) settleGroup(ctx context.Context, tx pgx.Tx, actor Actor, before, after Group) error {
	was, is := strings.Join(before.Rights, ", "), strings.Join(after.Rights, ", ")
	if was == is {
		return nil
	}
	var administrators int
	if err := tx.QueryRow(ctx, canAdminister).Scan(&administrators); err != nil {
		return err
	}
	if administrators == 0 {
		return ErrLastAdministrator
	}
	if _, err := tx.Exec(ctx, `
		UPDATE xtk.session_info s SET revoked_at = now()
		FROM xtk.operator_group_member m
		WHERE m.group_id = $1 AND s.operator_id = m.operator_id AND s.revoked_at IS NULL AND m.operator_id <> $2`,
		after.ID, actor.ID); err != nil {
		return err
	}
	return d.Audit(ctx, tx, AuditEntry{EntityType: "group", Entity: after.Name, Action: "Modified", Actor: actor, Allowed: true,
		Detail: changed(map[string]any{"rights": was}, map[string]any{"rights": is})})
}

func findGroup(ctx context.Context, tx pgx.Tx, id int64) (Group, error) {
	rows, err := tx.Query(ctx, `
		SELECT `+groupColumns+`
		FROM xtk.operator_group g
		WHERE g.id = $1`, id)
	if err != nil {
		return Group{}, fmt.Errorf("group: %w", err)
	}
	g, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Group])
	if errors.Is(err, pgx.ErrNoRows) {
		return Group{}, fmt.Errorf("group: %w", ErrNotFound)
	}
	if err != nil {
		return Group{}, fmt.Errorf("group: %w", err)
	}
	return g, nil
}

// Group finds one group by its internal name; ErrNotFound when there is none.
func (d *DB) Group(ctx context.Context, name string) (Group, error) {
	all, err := d.Groups(ctx)
	for _, g := range all {
		if g.Name == name {
			return g, err
		}
	}
	if err == nil {
		err = fmt.Errorf("group: %w", ErrNotFound)
	}
	return Group{}, err
}
