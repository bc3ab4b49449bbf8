package db

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Administration is the named right that includes all others; only who holds it touches a technical workflow.
const Administration = "ADMINISTRATION"

// PrivacyData is the named right to see personal data and privacy files.
const PrivacyData = "PRIVACY DATA RIGHT"

// WorkflowRight is the named right to run workflows that are not technical.
const WorkflowRight = "WORKFLOW"

var (
	// ErrNotFound says that what was asked for does not exist, or not for who asked.
	ErrNotFound = errors.New("not found")
	// ErrLastAdministrator refuses a change after which nobody could administer the instance.
	ErrLastAdministrator = errors.New("the last administrator who can sign in would be lost")
)

// MissingRight refuses an act to an operator who lacks a named right.
type MissingRight struct{ Right string }

func (m *MissingRight) Error() string { return "the right " + m.Right + " is missing" }

// Actor is who does something and from where, as it will stand in the audit trail. Session and Route are empty for
// what does not come through the console.
type Actor struct {
	ID      int64
	Login   string
	Rights  []string
	IP      netip.Addr
	Session string
	Route   string
}

// Has reports whether the actor holds a named right, directly, by a group or because ADMINISTRATION includes it.
func (a Actor) Has(right string) bool {
	return right == "" || slices.Contains(a.Rights, Administration) || slices.Contains(a.Rights, right)
}

// Require is nil when the actor holds the right, else a *MissingRight.
func (a Actor) Require(right string) error {
	if a.Has(right) {
		return nil
	}
	return &MissingRight{Right: right}
}

// Operator is a person or a part of the platform that acts. Rights are all that hold, direct and by groups, sorted.
type Operator struct {
	ID                                             int64
	Login, Label, Email, Language, Theme, Timezone string
	Disabled, ForbidConsole, BuiltIn, HasPassword  bool
	Groups, Rights, DirectRights                   []string
	LastLogin, LastModified, PasswordChanged       time.Time
	Sessions                                       int
	passwordHash                                   string
}

// Has reports whether the operator holds a named right, ADMINISTRATION including all others.
func (o Operator) Has(right string) bool { return Actor{Rights: o.Rights}.Has(right) }

// operatorColumns reads an operator o with his groups and his rights as they hold now.
const operatorColumns = `
	o.id, o.login, o.label, COALESCE(o.email, ''), o.language, o.theme, COALESCE(o.timezone, ''),
	o.disabled, o.forbid_console, o.is_builtin, COALESCE(o.password_hash, ''),
	COALESCE(o.last_login, 'epoch'), o.last_modified, COALESCE(o.password_changed_at, 'epoch'),
	ARRAY(SELECT g.internal_name FROM xtk.operator_group g
	      JOIN xtk.operator_group_member m ON m.group_id = g.id
	      WHERE m.operator_id = o.id ORDER BY 1),
	ARRAY(SELECT DISTINCT r.right_name FROM xtk.right_grant r
	      WHERE r.operator_id = o.id
	         OR r.group_id IN (SELECT m.group_id FROM xtk.operator_group_member m WHERE m.operator_id = o.id)
	      ORDER BY 1),
	ARRAY(SELECT r.right_name FROM xtk.right_grant r WHERE r.operator_id = o.id ORDER BY 1),
	(SELECT count(*) FROM xtk.session_info s
	 WHERE s.operator_id = o.id AND s.revoked_at IS NULL AND s.expiration > now())`

// fields are the targets of operatorColumns.
func (o *Operator) fields() []any {
	return []any{&o.ID, &o.Login, &o.Label, &o.Email, &o.Language, &o.Theme, &o.Timezone,
		&o.Disabled, &o.ForbidConsole, &o.BuiltIn, &o.passwordHash,
		&o.LastLogin, &o.LastModified, &o.PasswordChanged,
		&o.Groups, &o.Rights, &o.DirectRights, &o.Sessions}
}

// settle gives the fields their final form once they are read.
func (o *Operator) settle() {
	o.HasPassword = o.passwordHash != ""
	for _, at := range []*time.Time{&o.LastLogin, &o.PasswordChanged} {
		if at.Unix() == 0 {
			*at = time.Time{}
		}
	}
}

// querier is what the pool, a connection and a transaction have in common.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Operators lists all operators by login, the enabled ones first.
func (d *DB) Operators(ctx context.Context) ([]Operator, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT `+operatorColumns+`
		FROM xtk.operator o
		ORDER BY o.disabled, lower(o.login)
		LIMIT 1000`)
	if err != nil {
		return nil, fmt.Errorf("operators: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Operator, error) {
		var o Operator
		err := row.Scan(o.fields()...)
		o.settle()
		return o, err
	})
	if err != nil {
		return nil, fmt.Errorf("operators: %w", err)
	}
	return all, nil
}

// Operator finds one operator; ErrNotFound when there is none of this id.
func (d *DB) Operator(ctx context.Context, id int64) (Operator, error) {
	return findOperator(ctx, d.Pool, `o.id = $1`, id)
}

// OperatorByLogin finds one operator by login, whatever its case; ErrNotFound when there is none.
func (d *DB) OperatorByLogin(ctx context.Context, login string) (Operator, error) {
	return findOperator(ctx, d.Pool, `lower(o.login) = lower($1)`, login)
}

func findOperator(ctx context.Context, q querier, condition string, arg any) (Operator, error) {
	var o Operator
	err := q.QueryRow(ctx, `
		SELECT `+operatorColumns+`
		FROM xtk.operator o
		WHERE `+condition, arg).Scan(o.fields()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return o, fmt.Errorf("operator: %w", ErrNotFound)
	}
	if err != nil {
		return o, fmt.Errorf("operator: %w", err)
	}
	o.settle()
	return o, nil
}

// Actor is the operator as the one who acts, from an address.
func (o Operator) Actor(ip netip.Addr) Actor {
	return Actor{ID: o.ID, Login: o.Login, Rights: o.Rights, IP: ip}
}

// Name is what people are called in the console: the label, or the login where there is none.
func (o Operator) Name() string {
	if label := strings.TrimSpace(o.Label); label != "" {
		return label
	}
	return o.Login
}
