package db

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// How long one-time links hold.
const (
	setupHolds = 30 * time.Minute
	resetHolds = 15 * time.Minute
)

// ErrToken refuses a one-time link that is wrong, used or too old.
var ErrToken = errors.New("the link is not valid: used, too old or mistyped")

// lockOperators lets one change at a time decide who administers the instance.
const lockOperators = 73010004

// canAdminister counts operators who can sign in and hold ADMINISTRATION.
const canAdminister = `
	SELECT count(*) FROM xtk.operator o
	WHERE NOT o.disabled AND NOT o.forbid_console AND o.password_hash IS NOT NULL
	  AND EXISTS (
		SELECT FROM xtk.right_grant r
		WHERE r.right_name = 'ADMINISTRATION'
		  AND (r.operator_id = o.id
		       OR r.group_id IN (SELECT m.group_id FROM xtk.operator_group_member m WHERE m.operator_id = o.id)))`

// NeedsSetup reports whether nobody can administer the instance yet.
func (d *DB) NeedsSetup(ctx context.Context) (bool, error) {
	var administrators int
	if err := d.Pool.QueryRow(ctx, canAdminister).Scan(&administrators); err != nil {
		return false, fmt.Errorf("is an administrator there: %w", err)
	}
	return administrators == 0, nil
}

// NewSetupToken makes the one-time link's secret for the first administrator, valid for 30 minutes. It
// is shown once and kept as a hash. Empty when there is an administrator already.
func (d *DB) NewSetupToken(ctx context.Context) (string, error) {
	needed, err := d.NeedsSetup(ctx)
	if err != nil || !needed {
		return "", err
	}
	token := rand.Text()
	hash := sha256.Sum256([]byte(token))
	if _, err := d.Pool.Exec(ctx, `
		INSERT INTO xtk.setup_token (token_hash, kind, expiration)
		VALUES ($1, 'setup', now() + $2::interval)`, hash[:], setupHolds); err != nil {
		return "", fmt.Errorf("make the set-up link: %w", err)
	}
	return token, nil
}

// CheckToken says whether a one-time link is still good: nil, or ErrToken. It does not use it up. The login is that of
// the operator who may choose a new password, empty for a set-up.
func (d *DB) CheckToken(ctx context.Context, kind, token string) (login string, err error) {
	hash := sha256.Sum256([]byte(token))
	err = d.Pool.QueryRow(ctx, `
		SELECT COALESCE(o.login, '')
		FROM xtk.setup_token t
		LEFT JOIN xtk.operator o ON o.id = t.operator_id
		WHERE t.token_hash = $1 AND t.kind = $2 AND t.used_at IS NULL AND t.expiration > now()`, hash[:], kind).Scan(&login)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrToken
	}
	if err != nil {
		return "", fmt.Errorf("check a link: %w", err)
	}
	return login, nil
}

// useToken uses a one-time link up and returns the operator it is for, 0 for a set-up.
func useToken(ctx context.Context, tx pgx.Tx, kind, token string) (int64, error) {
	var operatorID int64
	hash := sha256.Sum256([]byte(token))
	err := tx.QueryRow(ctx, `
		UPDATE xtk.setup_token SET used_at = now()
		WHERE token_hash = $1 AND kind = $2 AND used_at IS NULL AND expiration > now()
		RETURNING COALESCE(operator_id, 0)`, hash[:], kind).Scan(&operatorID)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, ErrToken
	}
	if err != nil {
		return 0, fmt.Errorf("use a link: %w", err)
	}
	return operatorID, nil
}

// FirstAdministrator is what the person at the first start enters: the instance, and himself. Instance, Kind and Zone
// become options; empty ones stay as installed. The zone is also that of the times he sees.
type FirstAdministrator struct {
	Login, Label, Email, Password, Language string
	Instance, Kind, Zone                    string
}

// check says which fields cannot be taken, as an *Invalid.
func (in FirstAdministrator) check(edit OperatorEdit) error {
	var found faults
	found.when(utf8.RuneCountInString(in.Instance) > 60 || strings.ContainsFunc(in.Instance, unicode.IsControl), "instance", "operator.instance_invalid")
	found.when(in.Kind != "" && !slices.Contains([]string{"marketing", "mid", "execution"}, in.Kind), "kind", "operator.kind_invalid")
	found.when(!isZone(in.Zone), "zone", "operator.timezone_invalid")
	found.also(edit.check())
	found.also(CheckPassword(in.Password, edit.Login, edit.Email))
	return found.err()
}

// SetUp makes the first administrator with a set-up link. ErrToken when the link is not good, *Invalid for a field, and
// ErrNotFound once there is an administrator. A built-in operator of that login gets the password and the rights.
func (d *DB) SetUp(ctx context.Context, actor Actor, token string, in FirstAdministrator) (Operator, error) {
	edit := OperatorEdit{Login: in.Login, Label: in.Label, Email: in.Email, Language: in.Language, Timezone: in.Zone}.trimmed()
	if err := in.check(edit); err != nil {
		return Operator{}, err
	}
	hash, err := d.hash(ctx, in.Password)
	if err != nil {
		return Operator{}, err
	}
	var made Operator
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockForOperators(ctx, tx); err != nil {
			return err
		}
		var administrators int
		if err := tx.QueryRow(ctx, canAdminister).Scan(&administrators); err != nil {
			return err
		}
		if administrators > 0 {
			return fmt.Errorf("set-up: %w", ErrNotFound)
		}
		if _, err := useToken(ctx, tx, "setup", token); err != nil {
			return err
		}
		if err := writeInstance(ctx, tx, in); err != nil {
			return err
		}
		made, err = d.writeFirst(ctx, tx, actor, edit, hash)
		return err
	})
	if err != nil {
		return Operator{}, fmt.Errorf("set up: %w", err)
	}
	return made, nil
}

func writeInstance(ctx context.Context, tx pgx.Tx, in FirstAdministrator) error {
	for name, value := range map[string]string{"XtkInstanceName": strings.TrimSpace(in.Instance), "XtkInstanceType": in.Kind, optionZone: in.Zone} {
		if value == "" {
			continue
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO xtk.option (name, data_type, string_value)
			VALUES ($1, 'string', $2)
			ON CONFLICT (name) DO UPDATE SET string_value = excluded.string_value`, name, value); err != nil {
			return fmt.Errorf("option %s: %w", name, err)
		}
	}
	return reschedule(ctx, tx)
}

func (d *DB) writeFirst(ctx context.Context, tx pgx.Tx, actor Actor, edit OperatorEdit, hash string) (Operator, error) {
	var id int64
	// The login may be that of a built-in operator, such as admin: it is taken over.
	if err := tx.QueryRow(ctx, `
		INSERT INTO xtk.operator (login, label, email, language, timezone, password_hash, password_changed_at)
		VALUES ($1, $2, NULLIF($3, ''), $4, NULLIF($5, ''), $6, now())
		ON CONFLICT (lower(login)) DO UPDATE
		SET label = excluded.label, email = excluded.email, language = excluded.language, timezone = excluded.timezone,
		    password_hash = excluded.password_hash, password_changed_at = now(), disabled = false, forbid_console = false
		RETURNING id`, edit.Login, edit.Label, edit.Email, edit.Language, edit.Timezone, hash).Scan(&id); err != nil {
		return Operator{}, err
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO xtk.operator_group_member (group_id, operator_id)
		SELECT g.id, $1 FROM xtk.operator_group g WHERE g.internal_name IN ('administrators', 'workflowSupervisors')
		ON CONFLICT DO NOTHING`, id); err != nil {
		return Operator{}, err
	}
	made, err := findOperator(ctx, tx, `o.id = $1`, id)
	if err != nil {
		return Operator{}, err
	}
	actor.ID, actor.Login = made.ID, made.Login
	return made, d.Audit(ctx, tx, AuditEntry{EntityType: "operator", Entity: made.Login, Action: "Created", Actor: actor, Allowed: true,
		Detail: map[string]any{"after": map[string]any{"groups": strings.Join(made.Groups, ", "), "by": "set-up link"}}})
}

func lockForOperators(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockOperators); err != nil {
		return fmt.Errorf("wait for another change of operators: %w", err)
	}
	return nil
}

// SetupFacts is what the set-up page tells of the database it found.
type SetupFacts struct {
	Postgres          string // version of the server
	Tables, Workflows int
	Ends              time.Time // of the link
}

// SetupFacts reads them for the link of a token.
func (d *DB) SetupFacts(ctx context.Context, token string) (SetupFacts, error) {
	var facts SetupFacts
	hash := sha256.Sum256([]byte(token))
	err := d.Pool.QueryRow(ctx, `
		SELECT split_part(current_setting('server_version'), ' ', 1),
		       (SELECT count(*) FROM pg_tables WHERE schemaname IN ('xtk', 'nms')),
		       (SELECT count(*) FROM xtk.workflow),
		       COALESCE((SELECT expiration FROM xtk.setup_token WHERE token_hash = $1), now())`, hash[:]).
		Scan(&facts.Postgres, &facts.Tables, &facts.Workflows, &facts.Ends)
	if err != nil {
		return SetupFacts{}, fmt.Errorf("facts of the set-up: %w", err)
	}
	return facts, nil
}
