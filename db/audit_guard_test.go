package db_test

import (
	"strings"
	"testing"

	"nightshift/db/dbtest"
)

// TestAuditIsKept: nothing changes or removes audit rows, except the purge, from the old end.
func TestAuditIsKept(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if _, err := d.Pool.Exec(t.Context(), `
		INSERT INTO xtk.audit (seq, entity_type, entity, action, operator_login, changed_at, prev_hash, hash)
		SELECT n, 'workflow', 'cleanup', 'start', 'kim', now() - make_interval(days => 100 - n * 20), '\x00', decode(n::text, 'escape')
		FROM generate_series(1, 4) n`); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`UPDATE xtk.audit SET operator_login = 'lee' WHERE seq = 1`,
		`DELETE FROM xtk.audit WHERE seq = 1`,
		`TRUNCATE xtk.audit`,
		`INSERT INTO xtk.audit_anchor (seq, hash) VALUES (2, '\x1234')`,
		`INSERT INTO xtk.audit_anchor (seq, hash) SELECT seq, hash FROM xtk.audit WHERE seq = 4`,
	} {
		if _, err := d.Pool.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "is refused") {
			t.Errorf("%s: got %v, want a refusal", sql, err)
		}
	}
	for _, sql := range []string{
		`INSERT INTO xtk.audit_anchor (seq, hash) SELECT seq, hash FROM xtk.audit WHERE seq = 2`,
		`DELETE FROM xtk.audit WHERE seq <= 2`,
	} {
		if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
			t.Errorf("%s: got %v, want no error", sql, err)
		}
	}
	for _, sql := range []string{`DELETE FROM xtk.audit`, `UPDATE xtk.audit_anchor SET seq = 1`, `DELETE FROM xtk.audit_anchor`} {
		if _, err := d.Pool.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "is refused") {
			t.Errorf("%s: got %v, want a refusal", sql, err)
		}
	}
}
