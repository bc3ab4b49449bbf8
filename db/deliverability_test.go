package db_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
)

func TestMXRuleFor(t *testing.T) {
	t.Parallel()
	rules := []db.MXRule{{Order: 1, Mask: "*.yahoo.com"}, {Order: 2, Mask: "*.google.com"}, {Order: 3, Mask: "mx?.naver.com", IDRange: "2-4"}, {Order: 4, Mask: "mx?.naver.com", IDRange: "7"}, {Order: 5, Mask: "*"}}
	for _, c := range []struct {
		host   string
		public int
		want   int
	}{
		{"alt1.gmail-smtp-in.l.google.com", 0, 2}, {"ALT1.Gmail-smtp-in.l.GOOGLE.com.", 1, 2}, {"google.com", 0, 5}, {"x.google.com.example.org", 0, 5},
		{"mta5.am0.yahoo.com", 9, 1}, {"mx1.naver.com", 3, 3}, {"mx1.naver.com", 7, 4}, {"mx1.naver.com", 5, 5}, {"mx12.naver.com", 3, 5}, {"mx.naver.com", 3, 5},
	} {
		if got, ok := db.MXRuleFor(rules, c.host, c.public); !ok || got.Order != c.want {
			t.Errorf("%s from %d: got rule %d (%t), want %d", c.host, c.public, got.Order, ok, c.want)
		}
	}
	if got, ok := db.MXRuleFor(rules, " ", 0); ok {
		t.Errorf("no host: got rule %d, want none", got.Order)
	}
	if _, ok := db.MXRuleFor(rules[:4], "example.org", 0); ok {
		t.Error("no generic rule: got a rule, want none")
	}
	begin := time.Now()
	if _, ok := db.MXRuleFor([]db.MXRule{{Mask: strings.Repeat("*a", 120) + "b"}}, strings.Repeat("a", 100_000), 0); ok || time.Since(begin) > time.Minute {
		t.Errorf("a mask of many *: got %t after %s, want false at once", ok, time.Since(begin))
	}
	for hour, window := range map[int]int{10_000: 833, 0: 0, -1: -1} {
		if got := (db.MXRule{MessagesPerHour: hour}).Window(); got != window {
			t.Errorf("%d per hour: got %d in 5 minutes, want %d", hour, got, window)
		}
	}
}

func TestDecideBounce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx := t.Context()
	if _, err := d.Pool.Exec(ctx, `
		INSERT INTO nms.broad_log_msg (id, md5, text_normalized, qualif_status, failure_type, failure_reason, hit_count, origin, synchronised_at)
		VALUES (101, 'a', 'a', 'to_qualify', 'soft', 0, 5, 'local', NULL), (102, 'b', 'b', 'keep', 'hard', 1, 9, 'service', now()), (103, 'c', 'c', 'to_qualify', 'soft', 0, 5, 'local', NULL)`); err != nil {
		t.Fatal(err)
	}
	admin := kim()
	if err := d.DecideBounce(ctx, admin, 101, db.BounceDecision{Seen: "to_qualify", Status: "keep", Type: "hard", Reason: 1}); err != nil {
		t.Fatal(err)
	}
	if err := d.DecideBounce(ctx, admin, 102, db.BounceDecision{Seen: "keep", Status: "ignore", Type: "hard", Reason: 1}); err != nil {
		t.Fatal(err)
	}
	var rows string
	err := d.Pool.QueryRow(ctx, `
		SELECT string_agg(concat_ws(' ', id, qualif_status, failure_type, failure_reason, origin, synchronised_at), ', ' ORDER BY id)
		FROM nms.broad_log_msg WHERE id > 100`).Scan(&rows)
	if want := "101 keep hard 1 local, 102 ignore hard 1 local, 103 to_qualify soft 0 local"; err != nil || rows != want {
		t.Errorf("got %q and %v, want %q", rows, err, want)
	}
	entries, _, err := d.AuditRows(ctx, db.AuditFilter{EntityType: "bounce", Limit: 10})
	if err != nil || len(entries) != 2 || !strings.Contains(entries[1].Detail, `"decision":{"after":"keep","before":"to_qualify"}`) {
		t.Errorf("got %+v and %v, want two entries with before and after", entries, err)
	}
	for want, decide := range map[error]func() error{
		db.ErrConflict: func() error {
			return d.DecideBounce(ctx, admin, 101, db.BounceDecision{Seen: "to_qualify", Status: "ignore", Type: "soft"})
		},
		db.ErrNotFound: func() error {
			return d.DecideBounce(ctx, admin, 1, db.BounceDecision{Seen: "ignore", Status: "keep", Type: "soft"})
		},
	} {
		if err := decide(); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	for field, b := range map[string]db.BounceDecision{"status": {Status: "x", Type: "hard"}, "type": {Status: "keep", Type: "undefined"}, "reason": {Status: "keep", Type: "hard", Reason: 13}} {
		if wrong := new(db.Invalid); !errors.As(d.DecideBounce(ctx, admin, 103, b), &wrong) || wrong.Field != field {
			t.Errorf("%+v: got %+v, want %s refused", b, wrong, field)
		}
	}
	if missing := new(db.MissingRight); !errors.As(d.DecideBounce(ctx, db.Actor{Login: "lee"}, 103, db.BounceDecision{Seen: "to_qualify", Status: "keep", Type: "hard"}), &missing) {
		t.Error("without ADMINISTRATION: want a missing right")
	}
	first, more, err := d.BounceTexts(ctx, "to_qualify", db.BounceCursor{}, 1)
	if err != nil || more || len(first) != 1 || first[0].ID != 103 {
		t.Errorf("got %+v (more %t) and %v, want 103 alone", first, more, err)
	}
}

func TestInstallMonitoring(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for range 2 {
		if err := d.InstallMonitoring(t.Context(), kim()); err != nil {
			t.Fatal(err)
		}
	}
	sets, monitored, err := d.RuleSets(t.Context())
	entries, _, _ := d.AuditRows(t.Context(), db.AuditFilter{EntityType: "package", Limit: 10})
	if err != nil || !monitored || len(sets) != 4 || sets[0].Rules != 1 || sets[1].Rules != 5 || !sets[0].Synchronised.IsZero() || len(entries) != 1 {
		t.Errorf("got %+v, monitored %t, %d audit rows and %v; want 4 sets as installed, monitored, 1 row", sets, monitored, len(entries), err)
	}
}
