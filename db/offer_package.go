package db

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// InteractionSynch is the named right to bring the offers of another instance.
const InteractionSynch = "INTERACTION-SYNCH"

// ErrForeignEnvironment refuses to write into an offer environment that is of this instance, or that came from somebody else.
var ErrForeignEnvironment = errors.New("the offer environment is not the caller's")

// MissingObject refuses a package with an object that needs another one, which is neither in the package nor here.
type MissingObject struct{ Object, Needs string }

func (e *MissingObject) Error() string { return e.Object + " needs " + e.Needs }

// CircleOfParents refuses a package after which a category would be below itself.
type CircleOfParents struct{ Category string }

func (e *CircleOfParents) Error() string {
	return "the parents of category " + e.Category + " form a circle"
}

// OfferPackage is what changed in a live environment of another instance: an object, and lists of objects, in the JSON
// that is described at POST /api/v1/interaction/catalogue.
type OfferPackage struct {
	Prefix                                  string // of all names
	Name                                    string // of the environment
	Counts                                  [3]int // categories, spaces, offers
	Environment, Categories, Spaces, Offers []byte
}

// OfferChanges says what a package has changed. Objects are categories, spaces and offers, these with all that is theirs.
type OfferChanges struct {
	Environment string `json:"environment"` // created, updated or unchanged
	Created     int    `json:"created"`
	Updated     int    `json:"updated"`
	Unchanged   int    `json:"unchanged"`
}

// TakeOffers brings a live environment of another instance to the state of a package, all of it or nothing. The first
// package of an environment makes it the caller's, from then on nobody else may write into it. What the package does not
// name stays; an offer has only the representations and weights that the package gives it. The same package again changes
// nothing. What changed goes to the audit trail, and each package that was taken to those received.
func (d *DB) TakeOffers(ctx context.Context, c Caller, actor Actor, p OfferPackage) (OfferChanges, error) {
	var done OfferChanges
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		t := taking{tx: tx, changed: map[string]any{}}
		if err := t.environment(ctx, c, p); err != nil {
			return err
		}
		for _, kind := range []offerKind{offerCategories, offerSpaces, offers} {
			if err := t.take(ctx, kind, kind.of(p)); err != nil {
				return err
			}
		}
		done = t.done
		if err := noteOffers(ctx, tx, actor, p, done, ""); err != nil || len(t.changed) == 0 {
			return err
		}
		action := "Modified"
		if done.Environment == "created" {
			action = "Created"
		}
		detail := map[string]any{"changed": t.changed}
		if t.left > 0 {
			detail["more"] = t.left
		}
		return d.Audit(ctx, tx, AuditEntry{EntityType: "offer", Entity: p.Name, Action: action, Actor: actor, Allowed: true, Detail: detail})
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (strings.HasPrefix(refused.Code, "22") || strings.HasPrefix(refused.Code, "54")) {
		return done, ErrContent
	}
	if err != nil {
		return done, fmt.Errorf("take offers: %w", err)
	}
	return done, nil
}

// taking is a package on its way into an environment, and what it has changed so far by field, the first hundred fields.
type taking struct {
	tx      pgx.Tx
	live    int64
	done    OfferChanges
	changed map[string]any
	left    int
}

// environment makes or finds the live environment, and locks it: two packages for it come one after the other.
func (t *taking) environment(ctx context.Context, c Caller, p OfferPackage) error {
	tag, err := t.tx.Exec(ctx, `
		INSERT INTO nms.offer_env (internal_name, label, kind, emitter_account_id)
		VALUES ($1, '', 'live', $2)
		ON CONFLICT (internal_name) DO NOTHING`, p.Name, c.ID)
	if err != nil {
		return err
	}
	var own bool
	if err := t.tx.QueryRow(ctx, `
		SELECT id, kind = 'live' AND emitter_account_id IS NOT DISTINCT FROM $2
		FROM nms.offer_env
		WHERE internal_name = $1
		FOR UPDATE`, p.Name, c.ID).Scan(&t.live, &own); err != nil {
		return err
	}
	if !own {
		return ErrForeignEnvironment
	}
	before, err := t.read(ctx, offerEnvironment, p.Environment)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 1 {
		clear(before)
	}
	if err := t.write(ctx, offerEnvironment, p.Environment); err != nil {
		return err
	}
	alone := taking{tx: t.tx, live: t.live, changed: t.changed}
	if err := alone.compare(ctx, offerEnvironment, p.Environment, before); err != nil {
		return err
	}
	t.done.Environment = map[OfferChanges]string{{Created: 1}: "created", {Updated: 1}: "updated", {Unchanged: 1}: "unchanged"}[alone.done]
	return nil
}

// take writes the objects of one kind, when all that they name is there, and notes which of them are not as before.
func (t *taking) take(ctx context.Context, kind offerKind, list []byte) error {
	if kind.missing != "" {
		var missing MissingObject
		err := t.tx.QueryRow(ctx, kind.missing, t.live, list).Scan(&missing.Object, &missing.Needs)
		if err == nil {
			return &missing
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("what each %s needs: %w", kind.noun, err)
		}
	}
	before, err := t.read(ctx, kind, list)
	if err != nil {
		return err
	}
	if err := t.write(ctx, kind, list); err != nil {
		return err
	}
	return t.compare(ctx, kind, list, before)
}

func (t *taking) write(ctx context.Context, kind offerKind, list []byte) error {
	for _, sql := range kind.write {
		if _, err := t.tx.Exec(ctx, sql, t.live, list); err != nil {
			return fmt.Errorf("write each %s: %w", kind.noun, err)
		}
	}
	if kind.circle == "" {
		return nil
	}
	var circle CircleOfParents
	err := t.tx.QueryRow(ctx, kind.circle, t.live).Scan(&circle.Category)
	if err == nil {
		return &circle
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("circles of parents: %w", err)
	}
	return nil
}

// fields are what an object is, each in the JSON that the database writes: equal texts are equal values.
type fields map[string]json.RawMessage

// read is what the objects of a list are now, by name.
func (t *taking) read(ctx context.Context, kind offerKind, list []byte) (map[string]fields, error) {
	rows, err := t.tx.Query(ctx, kind.read, t.live, list)
	if err != nil {
		return nil, fmt.Errorf("read each %s: %w", kind.noun, err)
	}
	found := map[string]fields{}
	var name string
	var one fields
	_, err = pgx.ForEachRow(rows, []any{&name, &one}, func() error {
		found[name], one = one, nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read each %s: %w", kind.noun, err)
	}
	return found, nil
}

// compare counts what a list has created and updated, and keeps which fields are others than before.
func (t *taking) compare(ctx context.Context, kind offerKind, list []byte, before map[string]fields) error {
	after, err := t.read(ctx, kind, list)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		was, is, object := before[name], after[name], kind.noun+" "+name
		if was == nil {
			t.done.Created++
			t.note(object, nil, is["label"])
			continue
		}
		updated := false
		for _, field := range slices.Sorted(maps.Keys(is)) {
			if !bytes.Equal(was[field], is[field]) {
				updated = true
				t.note(object+" "+field, was[field], is[field])
			}
		}
		if updated {
			t.done.Updated++
		} else {
			t.done.Unchanged++
		}
	}
	return nil
}

// auditedFields is how many fields of a package the audit trail tells one by one.
const auditedFields = 100

func (t *taking) note(field string, before, after json.RawMessage) {
	if len(t.changed) == auditedFields {
		t.left++
		return
	}
	t.changed[field] = map[string]any{"before": brief(before), "after": brief(after)}
}

// brief is a value in the audit trail: of a long one its length, and a sum that tells it from another.
func brief(value json.RawMessage) string {
	var text string
	if len(value) == 0 || string(value) == "null" {
		return ""
	}
	if json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	if n := utf8.RuneCountInString(text); n > 200 {
		sum := sha256.Sum256([]byte(text))
		return fmt.Sprintf("%d characters, SHA-256 %x…", n, sum[:4])
	}
	return text
}
