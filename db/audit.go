package db

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// lockAudit orders those who write the audit trail: its numbers have no gap and each row knows the hash before it.
const lockAudit = 73010003

// AuditEntry is one line of the audit trail. Detail holds what changed: "before" and "after" by field, passwords and
// secrets never. Allowed false is an attempt that was refused.
type AuditEntry struct {
	EntityType, Entity, Action string
	Actor                      Actor
	Allowed                    bool
	Detail                     map[string]any
}

// AuditRow is an entry as it is kept. Hash is over the row and the hash of the one before it, keyed by the instance.
type AuditRow struct {
	Seq                        int64
	EntityType, Entity, Action string
	OperatorID                 *int64
	OperatorLogin              string
	At                         time.Time
	IP                         string
	Allowed                    bool
	Route, Session, Detail     string
	PrevHash, Hash             []byte
}

// Audit writes an entry in the transaction of the change it tells of: both become true together or neither does.
// Entries of a kind that an option XtkAudit_… switches off are left out, refusals and the switches themselves never.
func (d *DB) Audit(ctx context.Context, tx pgx.Tx, e AuditEntry) error {
	var end auditEnd
	var ask, write pgx.Batch
	end.ask(&ask, auditSwitch(e))
	if err := tx.SendBatch(ctx, &ask).Close(); err != nil {
		return fmt.Errorf("audit: end of the chain: %w", err)
	}
	if err := d.queueAudit(&write, end, e); err != nil {
		return err
	}
	if err := tx.SendBatch(ctx, &write).Close(); err != nil {
		return fmt.Errorf("audit %s of %s: %w", e.Action, e.Entity, err)
	}
	return nil
}

// queueAudit writes an entry behind the end of the chain, for whose reading the transaction still holds the lock.
func (d *DB) queueAudit(batch *pgx.Batch, end auditEnd, e AuditEntry) error {
	if end.off && auditSwitch(e) != "" {
		return nil
	}
	detail, err := auditDetail(e.Detail)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	row := AuditRow{Seq: end.seq + 1, EntityType: e.EntityType, Entity: e.Entity, Action: e.Action, OperatorLogin: e.Actor.Login,
		At: end.now, IP: addrText(e.Actor.IP), Allowed: e.Allowed, Route: e.Actor.Route, Session: e.Actor.Session, Detail: detail,
		PrevHash: end.hash}
	if e.Actor.ID != 0 {
		row.OperatorID = &e.Actor.ID
	}
	row.Hash = row.sum(d.key)
	batch.Queue(`
		INSERT INTO xtk.audit (seq, entity_type, entity, action, operator_id, operator_login, changed_at, ip, allowed,
		                       route, session, detail, prev_hash, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, NULLIF($8, '')::inet, $9, NULLIF($10, ''), NULLIF($11, ''), $12::text::json, $13, $14)`,
		row.Seq, row.EntityType, row.Entity, row.Action, row.OperatorID, row.OperatorLogin, row.At, row.IP, row.Allowed,
		row.Route, row.Session, row.Detail, row.PrevHash, row.Hash)
	return nil
}

// auditDetail is what changed as the trail keeps it: this very text is what the hash is over.
func auditDetail(detail map[string]any) (string, error) {
	if detail == nil {
		return "{}", nil
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // people search in it
	if err := encoder.Encode(detail); err != nil {
		return "", fmt.Errorf("detail: %w", err)
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

// AuditAlone writes an entry that no change goes with, such as a refusal, also of who only wanted to read.
func (d *DB) AuditAlone(ctx context.Context, e AuditEntry) error {
	ctx = writing(ctx)
	return d.inTx(ctx, func(tx pgx.Tx) error { return d.Audit(ctx, tx, e) })
}

// inTx runs fn in a transaction of the pool and commits it when fn gives no error.
func (d *DB) inTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, d.Pool, fn)
}

// auditSwitches names the option that turns the entries of an entity type off with the value 0.
var auditSwitches = map[string]string{
	"workflow": "XtkAudit_Workflows",
	"option":   "XtkAudit_Option",
	"operator": "XtkAudit_Operator",
	"group":    "XtkAudit_Operator",
	"account":  "XtkAudit_ExtAccount",
	"offer":    "XtkAudit_Offer",
}

// auditSwitch is the option that may switch an entry off; empty when nothing may.
func auditSwitch(e AuditEntry) string {
	if !e.Allowed || strings.HasPrefix(e.Entity, "XtkAudit_") {
		return ""
	}
	return auditSwitches[e.EntityType]
}

// auditEnd is where the chain goes on: from its last row, or from the end that a purge left, or from its beginning.
type auditEnd struct {
	seq  int64
	hash []byte
	now  time.Time
	off  bool // entries of this kind are switched off
}

// ask has a batch wait for its turn among those who write the trail, which the transaction holds to its end, and read the
// end. A kind is off when its switch, or the switch over all, is 0; without a row it is on.
func (end *auditEnd) ask(batch *pgx.Batch, kind string) {
	batch.Queue(`SELECT pg_advisory_xact_lock($1)`, lockAudit)
	batch.Queue(`
		SELECT tail.seq, tail.hash, clock_timestamp(),
		       EXISTS (SELECT FROM xtk.option
		               WHERE name IN ($1, 'XtkAudit_Enable_All')
		                 AND (long_value = 0 OR string_value = '0'))
		FROM ((SELECT seq, hash FROM xtk.audit ORDER BY seq DESC LIMIT 1)
		      UNION ALL SELECT seq, hash FROM xtk.audit_anchor
		      UNION ALL SELECT 0, ''::bytea) AS tail
		ORDER BY tail.seq DESC
		LIMIT 1`, kind).QueryRow(func(row pgx.Row) error { return row.Scan(&end.seq, &end.hash, &end.now, &end.off) })
}

// sum is the keyed hash of a row. Each field goes in with its length, so that no two rows give the same bytes.
func (r AuditRow) sum(key []byte) []byte {
	mac := hmac.New(sha256.New, key)
	write := func(field []byte) {
		_ = binary.Write(mac, binary.BigEndian, uint64(len(field)))
		_, _ = mac.Write(field)
	}
	operator := int64(0)
	if r.OperatorID != nil {
		operator = *r.OperatorID
	}
	write(r.PrevHash)
	write(fmt.Appendf(nil, "%d %d %t %s", r.Seq, operator, r.Allowed, r.At.UTC().Format(time.RFC3339Nano)))
	for _, field := range []string{r.EntityType, r.Entity, r.Action, r.OperatorLogin, r.IP, r.Route, r.Session, r.Detail} {
		write([]byte(field))
	}
	return mac.Sum(nil)
}

const auditColumns = `
	seq, entity_type, entity, action, operator_id, operator_login, changed_at, COALESCE(host(ip), ''), allowed,
	COALESCE(route, ''), COALESCE(session, ''), detail::text, prev_hash, hash`

func scanAudit(row pgx.CollectableRow) (AuditRow, error) {
	var r AuditRow
	err := row.Scan(&r.Seq, &r.EntityType, &r.Entity, &r.Action, &r.OperatorID, &r.OperatorLogin, &r.At, &r.IP, &r.Allowed,
		&r.Route, &r.Session, &r.Detail, &r.PrevHash, &r.Hash)
	return r, err
}

// VerifyAudit computes the chain again, from the end of the last purge or from the entry that tells of the instance's key
// replaced, whichever is later: what a lost key sealed nobody can check. It returns how many rows hold and the number of
// the first that does not: changed, gone, moved or slipped in; 0 when all hold. What was cut off at the new end shows
// only against a tail noted elsewhere, see AuditTail.
func (d *DB) VerifyAudit(ctx context.Context) (count, firstBad int64, err error) {
	var seq int64
	var hash []byte
	// That entry is checked like all others, so nobody without the key puts the beginning behind what he changed.
	err = d.Pool.QueryRow(ctx, `
		SELECT seq, hash
		FROM (SELECT seq, hash
		      FROM xtk.audit_anchor
		      UNION ALL
		      SELECT first.seq - 1, first.prev_hash
		      FROM xtk.instance_key k
		      JOIN xtk.audit first ON first.seq = k.first_seq
		      WHERE first.entity_type = 'key'
		        AND first.action = 'Replaced') AS begin
		ORDER BY seq DESC
		LIMIT 1`).Scan(&seq, &hash)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, 0, fmt.Errorf("verify the audit trail: %w", err)
	}
	for {
		rows, err := d.Pool.Query(ctx, `
			SELECT `+auditColumns+`
			FROM xtk.audit
			WHERE seq > $1
			ORDER BY seq
			LIMIT 2000`, seq)
		if err != nil {
			return count, 0, fmt.Errorf("verify the audit trail: %w", err)
		}
		page, err := pgx.CollectRows(rows, scanAudit)
		if err != nil {
			return count, 0, fmt.Errorf("verify the audit trail: %w", err)
		}
		for _, row := range page {
			if row.Seq != seq+1 || !hmac.Equal(row.PrevHash, hash) || !hmac.Equal(row.Hash, row.sum(d.key)) {
				return count, seq + 1, nil
			}
			seq, hash = row.Seq, row.Hash
			count++
		}
		if len(page) == 0 {
			return count, 0, nil
		}
	}
}

// AuditTail is the number and the hash of the newest row. Written to a place outside the database from time to time,
// it shows later that nothing was cut off.
func (d *DB) AuditTail(ctx context.Context) (seq int64, hash []byte, err error) {
	err = d.Pool.QueryRow(ctx, `SELECT seq, hash FROM xtk.audit ORDER BY seq DESC LIMIT 1`).Scan(&seq, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("end of the audit trail: %w", err)
	}
	return seq, hash, nil
}

// AuditFilter narrows the audit trail; empty fields narrow nothing. Before continues a list below that number.
type AuditFilter struct {
	Search, Operator, EntityType, Entity, Action string
	From, To                                     time.Time
	Refused                                      bool
	Before                                       int64
	Limit                                        int
}

// AuditRows lists the audit trail, newest first, and says whether there is more below.
func (d *DB) AuditRows(ctx context.Context, f AuditFilter) ([]AuditRow, bool, error) {
	// Search looks in the object, the operator, the detail and the address, as plain text.
	rows, err := d.Pool.Query(ctx, `
		SELECT `+auditColumns+`
		FROM xtk.audit
		WHERE (@before::bigint = 0 OR seq < @before)
		  AND (@operator = '' OR operator_login = @operator)
		  AND (@type = '' OR entity_type = @type)
		  AND (@entity = '' OR entity = @entity)
		  AND (@action = '' OR action = @action)
		  AND (@from::timestamptz IS NULL OR changed_at >= @from)
		  AND (@to::timestamptz IS NULL OR changed_at < @to)
		  AND (NOT @refused OR NOT allowed)
		  AND (@search = '' OR strpos(lower(concat_ws(' ', entity, operator_login, action, host(ip), detail::text)), lower(@search)) > 0)
		ORDER BY seq DESC
		LIMIT @limit`, pgx.StrictNamedArgs{
		"before": f.Before, "operator": f.Operator, "type": f.EntityType, "entity": f.Entity, "action": f.Action,
		"from": orNull(f.From), "to": orNull(f.To), "refused": f.Refused, "search": f.Search, "limit": f.Limit + 1})
	if err != nil {
		return nil, false, fmt.Errorf("audit trail: %w", err)
	}
	page, err := pgx.CollectRows(rows, scanAudit)
	if err != nil {
		return nil, false, fmt.Errorf("audit trail: %w", err)
	}
	if len(page) > f.Limit {
		return page[:f.Limit], true, nil
	}
	return page, false, nil
}

func orNull(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// addrText is an address as the database keeps it, empty when it is not known.
func addrText(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.Unmap().WithZone("").String()
}

// AuditRefusals counts the attempts that were refused since a moment.
func (d *DB) AuditRefusals(ctx context.Context, since time.Time) (int, error) {
	var refused int
	err := d.Pool.QueryRow(ctx, `
		SELECT count(*)
		FROM xtk.audit
		WHERE NOT allowed AND changed_at >= $1`, since).Scan(&refused)
	if err != nil {
		return 0, fmt.Errorf("count refusals: %w", err)
	}
	return refused, nil
}
