package db_test

import (
	"errors"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// optionOf finds one option in the list.
func optionOf(t *testing.T, d *db.DB, name string) db.Option {
	t.Helper()
	options, err := d.Options(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range options {
		if option.Name == name {
			return option
		}
	}
	t.Fatalf("option %s: got none in the list of %d, want it", name, len(options))
	return db.Option{}
}

func TestOptionInDays(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	const name = "NmsCleanup_VisitorPurgeDelay"
	if got := optionOf(t, d, name); got.Set || got.Value != "30" {
		t.Errorf("before: got %q set %v, want the default 30", got.Value, got.Set)
	}
	var admin db.Actor
	if err := d.Pool.QueryRow(t.Context(), `SELECT id, login FROM xtk.operator WHERE login = 'admin'`).Scan(&admin.ID, &admin.Login); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.SetOption(t.Context(), admin, name, " 45 "); err != nil {
			t.Fatal(err)
		}
	}
	if got := optionOf(t, d, name); !got.Set || got.Value != "45" || got.ModifiedBy != "admin" {
		t.Errorf("after: got %q by %q, want 45 by admin", got.Value, got.ModifiedBy)
	}
	if got, err := d.Option(t.Context(), name); err != nil || got != "3888000" {
		t.Errorf("stored: got %q, error %v, want 3888000 seconds", got, err)
	}
	if err := d.ResetOption(t.Context(), admin, name); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Option(t.Context(), name); err != nil || got != "2592000" {
		t.Errorf("after the reset: got %q, error %v, want the default of 2592000 seconds", got, err)
	}
	var trail string
	err := d.Pool.QueryRow(t.Context(), `
		SELECT string_agg(concat_ws(' ', action, detail ->> 'before', '→', detail ->> 'after'), '; ' ORDER BY seq)
		FROM xtk.audit WHERE entity_type = 'option' AND entity = $1`, name).Scan(&trail)
	if want := "created → 3888000; deleted 3888000 →"; err != nil || trail != want {
		t.Errorf("audit: got %q, error %v, want %q (the second save changes nothing)", trail, err, want)
	}
}

func TestOptionRefused(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for _, bad := range []struct{ name, value, key string }{
		{"NmsCleanup_VisitorPurgeDelay", "0", "option.error.range"},
		{"NmsCleanup_VisitorPurgeDelay", "-5", "option.error.range"},
		{"NmsCleanup_VisitorPurgeDelay", "a month", "option.error.range"},
		{"NmsCleanup_VisitorPurgeDelay", "99999999999999999999", "option.error.range"},
		{"XtkCleanup_NoStats", "3", "option.error.choice"},
		{"WdbcTimeZone", "Mars/Olympus", "option.error.zone"},
		{"NmsCleanup_LastCleanup", "2026-01-01", "option.error.read_only"},
		{"NoSuchOption", "1", "option.error.unknown"},
		{db.UserAgentRules, "{}", "option.error.agents"},
		{db.UserAgentRules, `[{"pattern": "(", "browser_name": "x"}]`, "option.error.agents"},
		{db.UserAgentRules, strings.Repeat(" ", 20_000) + "[]" + strings.Repeat("x", 20_001), "option.error.length"},
	} {
		var refused *db.OptionError
		if err := d.SetOption(t.Context(), db.Actor{Login: "admin"}, bad.name, bad.value); !errors.As(err, &refused) || refused.Key != bad.key {
			t.Errorf("%s = %q: got %v, want %s", bad.name, bad.value, err, bad.key)
		}
	}
	if _, err := d.Pool.Exec(t.Context(), `INSERT INTO xtk.option (name, data_type, string_value) VALUES ('NmsCleanup_BroadLogPurgeDelay', 'string', 'six months'), ('Own', 'string', '<b>')`); err != nil {
		t.Fatal(err)
	}
	if got := optionOf(t, d, "NmsCleanup_BroadLogPurgeDelay"); got.Valid || got.Value != "six months" {
		t.Errorf("a delay in words: got %q valid %v, want it shown as it is and not valid", got.Value, got.Valid)
	}
	if got := optionOf(t, d, "Own"); got.Known || got.Value != "<b>" {
		t.Errorf("a row of the customer's: got %+v, want it listed as unknown", got)
	}
}

// What a run read is shown as the options page shows it, in days.
func TestOptionAs(t *testing.T) {
	t.Parallel()
	if got := db.OptionAs("NmsCleanup_VisitorPurgeDelay", "2592000"); got.Value != "30" || got.Unit != "option.unit.days" || !got.Valid {
		t.Errorf("a delay: got %q %q, want 30 days", got.Value, got.Unit)
	}
	if got := db.OptionAs("Unknown", "2592000"); got.Value != "2592000" || got.Unit != "" || got.Known {
		t.Errorf("an option of nobody: got %q %q, want it as it stands", got.Value, got.Unit)
	}
}
