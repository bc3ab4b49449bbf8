package db

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// OperatorEdit is what a form may set of an operator. Groups are internal names, Rights those granted directly.
type OperatorEdit struct {
	Login, Label, Email, Language, Timezone string
	Groups, Rights                          []string
	Disabled                                bool
}

func (e OperatorEdit) trimmed() OperatorEdit {
	for _, field := range []*string{&e.Login, &e.Label, &e.Email, &e.Language, &e.Timezone} {
		*field = strings.TrimSpace(*field)
	}
	if e.Language == "" {
		e.Language = "en"
	}
	if e.Label == "" {
		e.Label = e.Login
	}
	return e
}

// check says which fields cannot be taken, as an *Invalid.
func (e OperatorEdit) check() error {
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-@", r))
	}
	address, err := mail.ParseAddress(e.Email)
	var found faults
	found.when(e.Login == "" || len(e.Login) > 64 || strings.ContainsFunc(e.Login, func(r rune) bool { return !plain(r) }), "login", "operator.login_invalid")
	found.when(utf8.RuneCountInString(e.Label) > 100 || strings.ContainsFunc(e.Label, unicode.IsControl), "label", "operator.label_invalid")
	found.when(e.Language != "en" && e.Language != "ko", "language", "operator.language_invalid")
	found.when(e.Email != "" && (err != nil || address.Address != e.Email || len(e.Email) > 254), "email", "operator.email_invalid")
	found.when(!isZone(e.Timezone), "timezone", "operator.timezone_invalid")
	return found.err()
}

// isZone reports a time zone that an operator can have; empty is the instance's.
func isZone(name string) bool {
	_, err := time.LoadLocation(name)
	return err == nil && name != "Local"
}

// facts are the fields of an operator as they stand in the audit trail.
func (o Operator) facts() map[string]any {
	return map[string]any{"label": o.Label, "email": o.Email, "language": o.Language, "timezone": o.Timezone, "disabled": o.Disabled,
		"groups": strings.Join(o.Groups, ", "), "rights": strings.Join(o.DirectRights, ", ")}
}

// changed keeps of two sets of facts what differs.
func changed(before, after map[string]any) map[string]any {
	was, is := map[string]any{}, map[string]any{}
	for field, value := range after {
		if before[field] != value {
			was[field], is[field] = before[field], value
		}
	}
	return map[string]any{"before": was, "after": is}
}

// AddOperator makes an operator without a password: a link from ResetLink lets him choose one.
func (d *DB) AddOperator(ctx context.Context, actor Actor, edit OperatorEdit) (Operator, error) {
	edit = edit.trimmed()
	if err := errors.Join(actor.Require(Administration), edit.check()); err != nil {
		return Operator{}, err
	}
	var made Operator
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		var id int64
		err := tx.QueryRow(ctx, `
			INSERT INTO xtk.operator (login, label, email, language, timezone, disabled, created_by_id, modified_by_id)
			VALUES ($1, $2, NULLIF($3, ''), $4, NULLIF($5, ''), $6, NULLIF($7, 0), NULLIF($7, 0))
			RETURNING id`, edit.Login, edit.Label, edit.Email, edit.Language, edit.Timezone, edit.Disabled, actor.ID).Scan(&id)
		if conflict := new(pgconn.PgError); errors.As(err, &conflict) && conflict.ConstraintName == "operator_login" {
			return &Invalid{Field: "login", Key: "operator.login_taken", Args: []any{edit.Login}}
		}
		if err != nil {
			return err
		}
		if err := grant(ctx, tx, id, edit); err != nil {
			return err
		}
		if made, err = findOperator(ctx, tx, `o.id = $1`, id); err != nil {
			return err
		}
		return d.Audit(ctx, tx, AuditEntry{EntityType: "operator", Entity: made.Login, Action: "Created", Actor: actor, Allowed: true,
			Detail: map[string]any{"after": made.facts()}})
	})
	if err != nil {
		return Operator{}, fmt.Errorf("add an operator: %w", err)
	}
	return made, nil
}

// grant makes the groups and direct rights of an operator those of the edit. Names that do not exist change nothing.
func grant(ctx context.Context, tx pgx.Tx, id int64, edit OperatorEdit) error {
	for _, sql := range []string{
		// He leaves the groups that are not named any more, and joins those that are.
		`DELETE FROM xtk.operator_group_member m USING xtk.operator_group g
		 WHERE m.operator_id = $1 AND g.id = m.group_id AND g.internal_name <> ALL ($2::text[])`,
		`INSERT INTO xtk.operator_group_member (group_id, operator_id)
		 SELECT g.id, $1 FROM xtk.operator_group g WHERE g.internal_name = ANY ($2::text[])
		 ON CONFLICT DO NOTHING`,
	} {
		if _, err := tx.Exec(ctx, sql, id, noNil(edit.Groups)); err != nil {
			return fmt.Errorf("groups: %w", err)
		}
	}
	for _, sql := range []string{
		`DELETE FROM xtk.right_grant WHERE operator_id = $1 AND right_name <> ALL ($2::text[])`,
		`INSERT INTO xtk.right_grant (right_name, operator_id)
		 SELECT r.name, $1 FROM xtk.right r WHERE r.name = ANY ($2::text[])
		 ON CONFLICT DO NOTHING`,
	} {
		if _, err := tx.Exec(ctx, sql, id, noNil(edit.Rights)); err != nil {
			return fmt.Errorf("rights: %w", err)
		}
	}
	return nil
}

func noNil(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// EditOperator changes an operator; the login stays. His sessions end when he is disabled or his rights change. It is
// refused with ErrLastAdministrator when nobody could administer the instance afterwards.
func (d *DB) EditOperator(ctx context.Context, actor Actor, id int64, edit OperatorEdit) (Operator, error) {
	if err := actor.Require(Administration); err != nil {
		return Operator{}, err
	}
	var after Operator
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockForOperators(ctx, tx); err != nil {
			return err
		}
		before, err := findOperator(ctx, tx, `o.id = $1`, id)
		if err != nil {
			return err
		}
		edit.Login = before.Login
		edit = edit.trimmed()
		if err := edit.check(); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE xtk.operator
			SET label = $2, email = NULLIF($3, ''), language = $4, timezone = NULLIF($5, ''), disabled = $6, modified_by_id = NULLIF($7, 0)
			WHERE id = $1`, id, edit.Label, edit.Email, edit.Language, edit.Timezone, edit.Disabled, actor.ID); err != nil {
			return err
		}
		if err := grant(ctx, tx, id, edit); err != nil {
			return err
		}
		if after, err = findOperator(ctx, tx, `o.id = $1`, id); err != nil {
			return err
		}
		return d.settleEdit(ctx, tx, actor, before, after)
	})
	if err != nil {
		return Operator{}, fmt.Errorf("edit operator %d: %w", id, err)
	}
	return after, nil
}

// settleEdit protects the last administrator, ends sessions that hold old rights and writes the audit line.
func (d *DB) settleEdit(ctx context.Context, tx pgx.Tx, actor Actor, before, after Operator) error {
	if before.Has(Administration) {
		var administrators int
		if err := tx.QueryRow(ctx, canAdminister).Scan(&administrators); err != nil {
			return err
		}
		if administrators == 0 {
			return ErrLastAdministrator
		}
	}
	if after.Disabled || !slices.Equal(before.Rights, after.Rights) {
		keep := ""
		if after.ID == actor.ID && !after.Disabled {
			keep = actor.Session
		}
		if _, err := endSessions(ctx, tx, after.ID, keep); err != nil {
			return err
		}
	}
	return d.Audit(ctx, tx, AuditEntry{EntityType: "operator", Entity: after.Login, Action: "Modified", Actor: actor, Allowed: true,
		Detail: changed(before.facts(), after.facts())})
}

// ResetLink makes the secret of a one-time link with which an operator chooses a new password, valid for 15 minutes.
// Older ones end. The administrator never sees or sets the password.
func (d *DB) ResetLink(ctx context.Context, actor Actor, id int64) (string, error) {
	if err := actor.Require(Administration); err != nil {
		return "", err
	}
	token := rand.Text()
	hash := sha256.Sum256([]byte(token))
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		o, err := findOperator(ctx, tx, `o.id = $1`, id)
		if err != nil {
			return err
		}
		if o.Disabled {
			return &Invalid{Field: "operator", Key: "operator.reset_disabled"}
		}
		if _, err := tx.Exec(ctx, `
			UPDATE xtk.setup_token SET used_at = now()
			WHERE operator_id = $1 AND used_at IS NULL`, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO xtk.setup_token (token_hash, kind, operator_id, created_by_id, expiration)
			VALUES ($1, 'reset', $2, NULLIF($3, 0), now() + $4::interval)`, hash[:], id, actor.ID, resetHolds); err != nil {
			return err
		}
		return d.Audit(ctx, tx, AuditEntry{EntityType: "operator", Entity: o.Login, Action: "Password link", Actor: actor, Allowed: true})
	})
	if err != nil {
		return "", fmt.Errorf("make a password link: %w", err)
	}
	return token, nil
}

// ResetPassword sets a new password with a link of ResetLink. All sessions of the operator end.
func (d *DB) ResetPassword(ctx context.Context, actor Actor, token, password string) error {
	login, err := d.CheckToken(ctx, "reset", token)
	if err != nil {
		return err
	}
	o, err := d.OperatorByLogin(ctx, login)
	if err != nil {
		return err
	}
	if err := CheckPassword(password, o.Login, o.Email); err != nil {
		return err
	}
	hash, err := d.hash(ctx, password)
	if err != nil {
		return err
	}
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := useToken(ctx, tx, "reset", token); err != nil {
			return err
		}
		actor.ID, actor.Login = o.ID, o.Login
		return d.setPassword(ctx, tx, actor, o, hash)
	})
	if err != nil {
		return fmt.Errorf("reset a password: %w", err)
	}
	return nil
}

// ChangePassword sets a new password of the actor's own, who gives the current one. His other sessions end.
func (d *DB) ChangePassword(ctx context.Context, actor Actor, current, password string) error {
	if err := d.ConfirmPassword(ctx, actor, current); errors.Is(err, ErrSignIn) {
		return &Invalid{Field: "current", Key: "operator.password_wrong"}
	} else if err != nil {
		return err
	}
	o, err := d.Operator(ctx, actor.ID)
	if err != nil {
		return err
	}
	if err := CheckPassword(password, o.Login, o.Email); err != nil {
		return err
	}
	hash, err := d.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := d.inTx(ctx, func(tx pgx.Tx) error { return d.setPassword(ctx, tx, actor, o, hash) }); err != nil {
		return fmt.Errorf("change a password: %w", err)
	}
	return nil
}

// setPassword writes the hash and ends the operator's sessions, all but the one it is done from.
func (d *DB) setPassword(ctx context.Context, tx pgx.Tx, actor Actor, o Operator, hash string) error {
	if _, err := tx.Exec(ctx, `
		UPDATE xtk.operator SET password_hash = $2, password_changed_at = now()
		WHERE id = $1`, o.ID, hash); err != nil {
		return err
	}
	if _, err := endSessions(ctx, tx, o.ID, actor.Session); err != nil {
		return err
	}
	return d.Audit(ctx, tx, AuditEntry{EntityType: "operator", Entity: o.Login, Action: "Password", Actor: actor, Allowed: true,
		Detail: map[string]any{"after": map[string]any{"password": "***"}}})
}

// EditAccount changes what an operator sets of his own: label, e-mail, language, theme and time zone.
func (d *DB) EditAccount(ctx context.Context, actor Actor, edit OperatorEdit, theme string) error {
	edit.Login = actor.Login
	edit = edit.trimmed()
	if err := edit.check(); err != nil {
		return err
	}
	if !slices.Contains([]string{"system", "light", "dark"}, theme) {
		return &Invalid{Field: "theme", Key: "operator.theme_invalid"}
	}
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		before, err := findOperator(ctx, tx, `o.id = $1`, actor.ID)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE xtk.operator
			SET label = $2, email = NULLIF($3, ''), language = $4, timezone = NULLIF($5, ''), theme = $6, modified_by_id = id
			WHERE id = $1`, actor.ID, edit.Label, edit.Email, edit.Language, edit.Timezone, theme); err != nil {
			return err
		}
		after, err := findOperator(ctx, tx, `o.id = $1`, actor.ID)
		if err != nil || maps.Equal(before.facts(), after.facts()) {
			return err
		}
		return d.Audit(ctx, tx, AuditEntry{EntityType: "operator", Entity: after.Login, Action: "Modified", Actor: actor, Allowed: true,
			Detail: changed(before.facts(), after.facts())})
	})
	if err != nil {
		return fmt.Errorf("edit the own account: %w", err)
	}
	return nil
}
