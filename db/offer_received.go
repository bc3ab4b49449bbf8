package db

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
)

// OffersReceived is a package of live offers that another instance has sent, and what became of it.
type OffersReceived struct {
	ID                          int64
	Received                    time.Time
	Login                       string // who signed on
	IP                          string // from where; empty: unknown
	Prefix, Environment         string // empty: the package could not be read
	Categories, Spaces, Offers  int
	Created, Updated, Unchanged int
	Refusal                     string // why it was refused; empty: it was taken
}

// noteOffers keeps what became of a package. A text that came from outside is cut.
func noteOffers(ctx context.Context, tx pgx.Tx, actor Actor, p OfferPackage, done OfferChanges, refusal string) error {
	var ip *netip.Addr
	if actor.IP.IsValid() {
		ip = &actor.IP
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO nms.offer_received (operator_login, ip, prefix, environment, categories, spaces, offers, created, updated, unchanged, refusal)
		VALUES (@login, @ip, left(@prefix, 100), left(@environment, 300), @categories, @spaces, @offers,
		        CASE WHEN @refusal = '' THEN @created::int END, CASE WHEN @refusal = '' THEN @updated::int END,
		        CASE WHEN @refusal = '' THEN @unchanged::int END, NULLIF(left(@refusal, 1000), ''))`, pgx.StrictNamedArgs{
		"login": actor.Login, "ip": ip, "prefix": p.Prefix, "environment": p.Name, "categories": p.Counts[0], "spaces": p.Counts[1], "offers": p.Counts[2],
		"created": done.Created, "updated": done.Updated, "unchanged": done.Unchanged, "refusal": refusal})
	if err != nil {
		return fmt.Errorf("note the offers received: %w", err)
	}
	return nil
}

// RefuseOffers keeps that a package was refused, and why, also in the audit trail.
func (d *DB) RefuseOffers(ctx context.Context, actor Actor, p OfferPackage, why string) error {
	return d.inTx(ctx, func(tx pgx.Tx) error {
		if err := noteOffers(ctx, tx, actor, p, OfferChanges{}, why); err != nil {
			return err
		}
		entity := []rune(cmp.Or(p.Name, p.Prefix, actor.Login))
		return d.Audit(ctx, tx, AuditEntry{EntityType: "offer", Entity: string(entity[:min(len(entity), 300)]), Action: "Refused", Actor: actor,
			Detail: map[string]any{"reason": why}})
	})
}

// OffersReceived lists packages, the newest first, below an id (0: all); more says that there are further ones.
func (d *DB) OffersReceived(ctx context.Context, below int64, limit int) (all []OffersReceived, more bool, err error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT id, received, operator_login, COALESCE(host(ip), ''), prefix, environment, categories, spaces, offers,
		       COALESCE(created, 0), COALESCE(updated, 0), COALESCE(unchanged, 0), COALESCE(refusal, '')
		FROM nms.offer_received
		WHERE $1::bigint = 0
		   OR id < $1
		ORDER BY id DESC
		LIMIT $2`, below, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("offers received: %w", err)
	}
	all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[OffersReceived])
	if err != nil {
		return nil, false, fmt.Errorf("offers received: %w", err)
	}
	if more = len(all) > limit; more {
		all = all[:limit]
	}
	return all, more, nil
}

// CountOffersReceived counts the packages since a moment, and those of them that were refused: up to 1,000 are looked at.
func (d *DB) CountOffersReceived(ctx context.Context, since time.Time) (packages, refused int, err error) {
	err = d.Pool.QueryRow(ctx, `
		SELECT count(*), count(refusal)
		FROM (
			SELECT refusal
			FROM nms.offer_received
			WHERE received >= $1
			ORDER BY received DESC
			LIMIT 1000) recent`, since).Scan(&packages, &refused)
	if err != nil {
		return 0, 0, fmt.Errorf("count the offers received: %w", err)
	}
	return packages, refused, nil
}
