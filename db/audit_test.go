package db_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
)

func line(entity string) db.AuditEntry {
	return db.AuditEntry{EntityType: "workflow", Entity: entity, Action: "Start", Allowed: true,
		Actor:  db.Actor{ID: 1, Login: "kim", IP: netip.MustParseAddr("10.4.2.18"), Session: "abc", Route: "POST /x"},
		Detail: map[string]any{"before": "paused", "after": "started", "note": "한국어 <b> \u2028"}}
}

// writeLines fills the trail with lines about e1, e2, …
func writeLines(t *testing.T, d *db.DB, count int) {
	t.Helper()
	for n := range count {
		if err := d.AuditAlone(t.Context(), line(fmt.Sprint("e", n+1))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAuditChainHolds(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	d.UseKey([]byte("a key of this test only"))
	var writers sync.WaitGroup
	for range 5 {
		writers.Go(func() {
			for n := range 10 {
				if err := d.AuditAlone(context.WithoutCancel(t.Context()), line(fmt.Sprint(n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	count, bad, err := d.VerifyAudit(t.Context())
	if err != nil || count != 50 || bad != 0 {
		t.Errorf("verify: got %d rows, first bad %d, %v; want 50, 0, no error", count, bad, err)
	}
	d.UseKey([]byte("another key"))
	if _, bad, _ := d.VerifyAudit(t.Context()); bad != 1 {
		t.Errorf("verify with another key: got first bad %d, want 1", bad)
	}
}

func TestAuditGoesWithItsChange(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	undo := errors.New("undo")
	err := pgx.BeginFunc(t.Context(), d.Pool, func(tx pgx.Tx) error {
		return errors.Join(d.Audit(t.Context(), tx, line("cleanup")), undo)
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	if count, _, _ := d.VerifyAudit(t.Context()); count != 0 {
		t.Errorf("after a rollback: got %d rows, want 0", count)
	}
}

// Whoever owns the database can switch the guards off; the chain tells where.
func TestAuditTamperingShows(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		sql  string
		want int64
	}{
		"changed":    {`UPDATE xtk.audit SET operator_login = 'lee' WHERE seq = 3`, 3},
		"detail":     {`UPDATE xtk.audit SET detail = '{"after": "finished"}' WHERE seq = 2`, 2},
		"time":       {`UPDATE xtk.audit SET changed_at = changed_at + interval '1 second' WHERE seq = 5`, 5},
		"deleted":    {`DELETE FROM xtk.audit WHERE seq = 4`, 4},
		"first":      {`DELETE FROM xtk.audit WHERE seq = 1`, 1},
		"swapped":    {`UPDATE xtk.audit SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3); UPDATE xtk.audit SET seq = -seq WHERE seq < 0`, 2},
		"key":        {`UPDATE xtk.audit SET operator_login = 'lee' WHERE seq = 3; INSERT INTO xtk.instance_key (check_value, first_seq) VALUES (sha256('x'), 5)`, 3},
		"new key":    {`UPDATE xtk.audit SET entity_type = 'key', action = 'Replaced' WHERE seq = 4; INSERT INTO xtk.instance_key (check_value, first_seq) VALUES (sha256('x'), 4)`, 4},
		"slipped in": {`INSERT INTO xtk.audit (seq, entity_type, entity, action, operator_login, prev_hash, hash) SELECT 7, 'workflow', 'x', 'Stop', 'kim', hash, '\x00' FROM xtk.audit WHERE seq = 6`, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			writeLines(t, d, 6)
			if _, err := d.Pool.Exec(t.Context(), `ALTER TABLE xtk.audit DISABLE TRIGGER USER`); err != nil {
				t.Fatal(err)
			}
			conn, err := d.RunSession(t.Context(), "tamper")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
			if _, err := conn.PgConn().Exec(t.Context(), tc.sql).ReadAll(); err != nil {
				t.Fatal(err)
			}
			if _, bad, err := d.VerifyAudit(t.Context()); err != nil || bad != tc.want {
				t.Errorf("got first bad %d, %v; want %d", bad, err, tc.want)
			}
		})
	}
}

func TestAuditTailShowsTruncation(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	writeLines(t, d, 5)
	seq, hash, err := d.AuditTail(t.Context())
	if err != nil || seq != 5 || len(hash) != 32 {
		t.Fatalf("tail: got %d with %d bytes, %v; want 5 with 32", seq, len(hash), err)
	}
	if _, err := d.Pool.Exec(t.Context(), `ALTER TABLE xtk.audit DISABLE TRIGGER USER`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), `DELETE FROM xtk.audit WHERE seq > 3`); err != nil {
		t.Fatal(err)
	}
	if now, _, _ := d.AuditTail(t.Context()); now != 3 {
		t.Errorf("tail after truncation: got %d, want 3, less than the 5 noted before", now)
	}
}

// A purge removes the old end only, and what is left still verifies.
func TestAuditChainHoldsAfterPurge(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	writeLines(t, d, 6)
	for _, sql := range []string{
		`ALTER TABLE xtk.audit_anchor DISABLE TRIGGER guard`,
		`INSERT INTO xtk.audit_anchor (seq, hash) SELECT seq, hash FROM xtk.audit WHERE seq = 4`,
		`DELETE FROM xtk.audit WHERE seq <= 4`,
	} {
		if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if count, bad, err := d.VerifyAudit(t.Context()); count != 2 || bad != 0 || err != nil {
		t.Errorf("after a purge of 4 of 6: got %d rows, first bad %d, %v; want 2, 0", count, bad, err)
	}
	if _, err := d.Pool.Exec(t.Context(), `DELETE FROM xtk.audit WHERE seq = 5`); err == nil {
		t.Error("deleting a row above the anchor: got no error, want a refusal")
	}
}

func TestAuditSwitches(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if _, err := d.Pool.Exec(t.Context(), `INSERT INTO xtk.option (name, data_type, long_value) VALUES ('XtkAudit_Workflows', 'long', 0)`); err != nil {
		t.Fatal(err)
	}
	left, refused, off := line("cleanup"), line("cleanup"), line("XtkAudit_Workflows")
	refused.Allowed, off.EntityType = false, "option"
	for _, e := range []db.AuditEntry{left, refused, off} {
		if err := d.AuditAlone(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	rows, more, err := d.AuditRows(t.Context(), db.AuditFilter{Limit: 10})
	if err != nil || more || len(rows) != 2 {
		t.Fatalf("got %d rows, more %t, %v; want the refusal and the switch only", len(rows), more, err)
	}
	if rows[0].Entity != "XtkAudit_Workflows" || rows[1].Allowed {
		t.Errorf("got %+v, want the switch, then the refusal", rows)
	}
}

func TestAuditList(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	writeLines(t, d, 5)
	page, more, err := d.AuditRows(t.Context(), db.AuditFilter{Limit: 2})
	if err != nil || !more || len(page) != 2 || page[0].Seq != 5 {
		t.Fatalf("first page: got %d rows, more %t, %v; want 5 and 4 and more", len(page), more, err)
	}
	page, more, _ = d.AuditRows(t.Context(), db.AuditFilter{Limit: 3, Before: page[1].Seq})
	if more || len(page) != 3 || page[0].Seq != 3 {
		t.Errorf("second page: got %d rows from %d, more %t; want 3 from 3 and no more", len(page), page[0].Seq, more)
	}
	for search, want := range map[string]int{"E3": 1, "%": 0, "10.4.2.18": 5, "한국어": 5, "nobody": 0} {
		if rows, _, err := d.AuditRows(t.Context(), db.AuditFilter{Search: search, Limit: 10}); err != nil || len(rows) != want {
			t.Errorf("search %q: got %d rows, %v; want %d", search, len(rows), err, want)
		}
	}
}

// TestAuditKeepsItsOldText: what jsonb wrote before migration 038 still holds, and so does what is written behind it.
func TestAuditKeepsItsOldText(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	key := []byte("a key of this test only")
	d.UseKey(key)
	old := db.AuditRow{Seq: 1, EntityType: "workflow", Entity: "cleanup", Action: "Start", OperatorLogin: "kim",
		At: time.Date(2026, 3, 1, 4, 5, 6, 7000, time.UTC), Allowed: true, Detail: `{"bb": "<1>", "before": {"state": "한국어"}}`, PrevHash: []byte{}}
	migration, err := os.ReadFile("migrations/038_audit_text.sql")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.RunSession(t.Context(), "migrate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	for _, sql := range []string{
		`ALTER TABLE xtk.audit DROP CONSTRAINT audit_detail_check, ALTER COLUMN detail DROP DEFAULT, ALTER COLUMN detail TYPE jsonb`,
		fmt.Sprintf(`INSERT INTO xtk.audit (seq, entity_type, entity, action, operator_login, changed_at, detail, prev_hash, hash)
		             VALUES (1, 'workflow', 'cleanup', 'Start', 'kim', '2026-03-01 04:05:06.000007Z', '{"before":{"state":"한국어"},"bb":"<1>"}', '', '\x%x')`,
			db.AuditSum(old, key)),
		string(migration),
	} {
		if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatalf("%.60s: %s", sql, err)
		}
	}
	writeLines(t, d, 2)
	if count, bad, err := d.VerifyAudit(t.Context()); err != nil || count != 3 || bad != 0 {
		t.Errorf("verify: got %d rows, first bad %d, %v; want 3, 0", count, bad, err)
	}
}

// TestAuditRefusesWhatCannotBeRead: a NUL in a detail would break every page that reads a value of it.
func TestAuditRefusesWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	spoilt := line("cleanup")
	spoilt.Detail["note"] = "a\x00b"
	if err := d.AuditAlone(t.Context(), spoilt); err == nil {
		t.Error("an entry with a NUL: got no error, want a refusal")
	}
	fine := line("cleanup")
	fine.Detail["note"] = `a\u0000b`
	if err := d.AuditAlone(t.Context(), fine); err != nil {
		t.Errorf("an entry with a text about a NUL: %s", err)
	}
	if count, bad, err := d.VerifyAudit(t.Context()); err != nil || count != 1 || bad != 0 {
		t.Errorf("verify: got %d rows, first bad %d, %v; want 1, 0", count, bad, err)
	}
}
