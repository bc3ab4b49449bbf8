package transfer_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs"
	server "nightshift/jobs/external/midsourcing"
	"nightshift/jobs/jobtest"
	"nightshift/jobs/transfer"
)

var logs = jobs.Workflow{Name: "defaultMidSourcingLog", Run: transfer.DefaultMidSourcingLog}

const logListing = "GET /api/v1/mid/broad-logs"

// sending is a marketing instance with n pending messages of delivery 101, whose logs were fetched up to a day ago.
func sending(t testing.TB, n int) (*db.DB, *server.Fake) {
	t.Helper()
	d, fake := marketing(t, 1)
	do(t, d, fmt.Sprintf(`
		INSERT INTO nms.broad_log (id, delivery_id, address, created, last_modified)
		SELECT n, 101, 'a' || n || '@x', now() - interval '2 days', now() - interval '2 days' FROM generate_series(1, %d) n`, n),
		`INSERT INTO xtk.option (name, data_type, timestamp_value) VALUES ('NmsMidSourcing_LastBroadLog_defaultEmailMid', 'timestamp', now() - interval '1 day')`)
	return d, fake
}

// became is what the server tells of message n.
func became(n int64, status string, at time.Time) server.Log {
	event := at.Add(-time.Minute)
	return server.Log{RemoteID: n, EmitterDeliveryID: 101, Status: status, EventDate: &event, LastModified: at}
}

func failing(n int64, kind string, reason int16, at time.Time) server.Log {
	l := became(n, "failed", at)
	l.FailureType, l.FailureReason, l.EventDate = &kind, reason, &at
	return l
}

// 12,000 logs come in three pages; a second run fetches nothing.
func TestLogsAreTakenOver(t *testing.T) {
	t.Parallel()
	d, fake := sending(t, 12_000)
	var all []server.Log
	first := ago(2 * time.Hour).Truncate(time.Second)
	for n := range int64(12_000) {
		all = append(all, became(n+1, "sent", first.Add(time.Duration(n/10)*time.Second)))
	}
	fake.Carry(nil, all)
	got := completed(t, jobtest.Run(t, d, logs))
	tells(t, got, "12000 logs in 3 pages (12000 sent, 0 failed, 0 other), 0 addresses quarantined, 0 unknown")
	want(t, d, [2]string{`SELECT count(*) FROM nms.broad_log WHERE status = 'sent' AND event_date IS NOT NULL AND last_modified > now() - interval '1 minute'`, "12000"},
		[2]string{`SELECT concat_ws(' ', error_pending, processed, success, error) FROM nms.delivery`, "0 12000 12000 0"},
		[2]string{`SELECT timestamp_value > now() - interval '1 minute' FROM xtk.option WHERE name LIKE '%LastBroadLog%'`, "true"})
	if again := completed(t, jobtest.Run(t, d, logs)); again.Effects["nms.broad_log"].Updated != 0 || fake.Asked(logListing) != 4 {
		t.Errorf("again: got %+v after %d requests in all, want no log after 4", again.Effects, fake.Asked(logListing))
	}
}

// 6,000 logs of one second are one page.
func TestOneSecond(t *testing.T) {
	t.Parallel()
	d, fake := sending(t, 6000)
	var all []server.Log
	second := ago(2 * time.Hour).Truncate(time.Second)
	for n := range int64(6000) {
		all = append(all, became(n+1, "sent", second.Add(time.Duration(n)*time.Microsecond)))
	}
	fake.Carry(nil, all)
	tells(t, completed(t, jobtest.Run(t, d, logs)), "6000 logs in 2 pages")
	tells(t, completed(t, jobtest.Run(t, d, logs)), "0 logs in")
	want(t, d, [2]string{`SELECT count(*) FROM nms.broad_log WHERE status = 'sent'`, "6000"})
}

// A window without logs moves the cursor, so that a long silence is crossed run by run.
func TestWindowsWithoutLogs(t *testing.T) {
	t.Parallel()
	d, fake := sending(t, 1)
	do(t, d, `INSERT INTO xtk.option (name, data_type, long_value) VALUES ('NmsMidSourcing_LogsPeriodHour', 'long', 2)`,
		`UPDATE xtk.option SET timestamp_value = now() - interval '10 hours' WHERE name LIKE '%LastBroadLog%'`)
	fake.Carry(nil, []server.Log{became(1, "sent", ago(time.Hour))})
	for run := range 5 {
		want(t, d, [2]string{`SELECT round(extract(epoch FROM now() - timestamp_value) / 3600) FROM xtk.option WHERE name LIKE '%LastBroadLog%'`, fmt.Sprint(10 - 2*run)},
			[2]string{`SELECT status FROM nms.broad_log`, "pending"})
		completed(t, jobtest.Run(t, d, logs))
	}
	want(t, d, [2]string{`SELECT status FROM nms.broad_log`, "sent"})
}

// What fails for good puts its address in quarantine, and the text of the error comes along; people's judgement of a text stays.
func TestHardFailure(t *testing.T) {
	t.Parallel()
	d, fake := sending(t, 2)
	do(t, d, `INSERT INTO nms.broad_log_msg (md5, text_normalized, failure_type, failure_reason, qualif_status) VALUES (repeat('b', 32), 'known', 'ignored', 0, 'keep')`)
	fresh, known := strings.Repeat("a", 32), strings.Repeat("b", 32)
	one, two := failing(1, "hard", 1, ago(time.Hour)), failing(2, "soft", 5, ago(time.Hour))
	one.MsgMD5, two.MsgMD5 = &fresh, &known
	fake.Carry(nil, []server.Log{one, two}, server.Message{MD5: fresh, Text: "550 no such user", FailureType: "hard", FailureReason: 1, QualifStatus: "to_qualify"},
		server.Message{MD5: known, Text: "known", FailureType: "soft", FailureReason: 5, QualifStatus: "to_qualify"})
	rehearsed := jobtest.Simulate(t, d, logs)
	counts := jobtest.Count(t, d)
	got := completed(t, jobtest.Run(t, d, logs))
	counts.Check(t, got)
	delete(got.Effects, "jobtest.counted")
	if fmt.Sprint(rehearsed.Effects) != fmt.Sprint(got.Effects) {
		t.Errorf("rehearsed %v, done %v; want the same", rehearsed.Effects, got.Effects)
	}
	want(t, d,
		[2]string{`SELECT concat_ws(' ', status, quarantine_reason, quarantine_text, consecutive_error, delivery_id, message_id) FROM nms.address WHERE address = 'a1@x'`, "quarantine user_unknown 550 no such user 1 101 1"},
		[2]string{`SELECT concat_ws(' ', status, quarantine_reason, consecutive_error) FROM nms.address WHERE address = 'a2@x'`, "with_errors mailbox_full 1"},
		[2]string{`SELECT new_quarantine FROM nms.delivery`, "1"},
		[2]string{`SELECT string_agg(concat_ws(' ', failure_type, qualif_status, origin), ', ' ORDER BY md5) FROM nms.broad_log_msg WHERE md5 IN (repeat('a', 32), repeat('b', 32))`,
			"hard to_qualify defaultEmailMid, ignored keep local"},
		[2]string{`SELECT count(*) FROM nms.broad_log l JOIN nms.broad_log_msg m ON m.id = l.msg_id`, "2"})
	tells(t, got, "2 logs in 1 pages (0 sent, 2 failed, 0 other), 1 addresses quarantined")
}

// Five errors on five days put an address in quarantine, in one page or many; five within an hour are one.
func TestSoftFailures(t *testing.T) {
	t.Parallel()
	for gap, wanted := range map[time.Duration]string{25 * time.Hour: "quarantine 5", 10 * time.Minute: "with_errors 1"} {
		for _, atOnce := range []bool{true, false} {
			d, fake := sending(t, 5)
			do(t, d, `UPDATE nms.broad_log SET address = 'a@x'`)
			var all []server.Log
			for n := range int64(5) {
				l := failing(n+1, "soft", 3, ago(10*time.Hour+time.Duration(4-n)*time.Second))
				at := ago(time.Duration(5-n) * gap)
				l.EventDate = &at
				all = append(all, l)
			}
			for n := range all {
				if fake.Carry(nil, all[:n+1]); !atOnce || n == 4 {
					completed(t, jobtest.Run(t, d, logs))
					do(t, d, `UPDATE xtk.option SET timestamp_value = now() - interval '1 day' WHERE name LIKE '%LastBroadLog%'`)
				}
			}
			want(t, d, [2]string{`SELECT concat_ws(' ', status, consecutive_error) FROM nms.address`, wanted})
		}
	}
}

// What is final stays, but for a late bounce and for what the provider had only accepted; the same log is not applied twice.
func TestFinalStatus(t *testing.T) {
	t.Parallel()
	for _, tc := range [][3]string{{"sent", "failed", "failed"}, {"failed", "sent", "failed"}, {"cancelled", "sent", "cancelled"}, {"accepted", "received", "received"},
		{"accepted", "pending", "accepted"}, {"sent", "pending", "sent"}, {"pending", "prepared", "prepared"}, {"received", "failed", "failed"}} {
		d, fake := sending(t, 1)
		do(t, d, `UPDATE nms.broad_log SET status = '`+tc[0]+`'`)
		fake.Carry(nil, []server.Log{became(1, tc[1], ago(time.Hour))})
		completed(t, jobtest.Run(t, d, logs))
		want(t, d, [2]string{`SELECT status FROM nms.broad_log`, tc[2]})
		do(t, d, `UPDATE xtk.option SET timestamp_value = now() - interval '1 day' WHERE name LIKE '%LastBroadLog%'`)
		if again := completed(t, jobtest.Run(t, d, logs)); again.Effects["nms.broad_log"].Updated != 0 {
			t.Errorf("%v again: got %+v, want no log written", tc, again.Effects)
		}
	}
}

// Messages that are not here, of no delivery of the account, are counted and passed over.
func TestUnknownLogs(t *testing.T) {
	t.Parallel()
	d, fake := sending(t, 2)
	do(t, d, `INSERT INTO nms.delivery (id, internal_name, label, delivery_mode, provider_id, mid_remote_id) VALUES (200, 'other', 'o', 'mid_sourcing', 2, 1)`,
		`INSERT INTO nms.broad_log (id, delivery_id) VALUES (3, 200)`)
	foreign, gone, wrong := became(3, "sent", ago(time.Hour)), became(9, "sent", ago(time.Hour)), became(2, "sent", ago(time.Hour))
	foreign.EmitterDeliveryID, wrong.EmitterDeliveryID = 200, 999
	fake.Carry(nil, []server.Log{became(1, "sent", ago(time.Hour)), foreign, gone, wrong})
	tells(t, completed(t, jobtest.Run(t, d, logs)), "3 unknown")
	want(t, d, [2]string{`SELECT string_agg(id || status, ' ' ORDER BY id) FROM nms.broad_log`, "1sent 2pending 3pending"})
}

// A server whose clock is three minutes ahead tells events by ours.
func TestServerClockAhead(t *testing.T) {
	t.Parallel()
	d, fake := sending(t, 1)
	fake.Ahead = 180 * time.Second
	at := ago(time.Hour)
	one := became(1, "sent", at)
	one.EventDate = &at
	fake.Carry(nil, []server.Log{one})
	completed(t, jobtest.Run(t, d, logs))
	want(t, d, [2]string{fmt.Sprintf(`SELECT event_date = '%s'::timestamptz FROM nms.broad_log`, at.Add(-180*time.Second).UTC().Format(time.RFC3339Nano)), "true"})
}

// The connection breaks between the first and the second page: the next run goes on with the second, and counts nothing twice.
func TestCutBetweenPages(t *testing.T) {
	t.Parallel()
	d, fake := sending(t, 5100)
	var all []server.Log
	first := ago(2 * time.Hour).Truncate(time.Second)
	for n := range int64(5100) {
		all = append(all, failing(n+1, "soft", 3, first.Add(time.Duration(n/100)*time.Second)))
	}
	fake.Carry(nil, all)
	asked := 0
	addAccount(t, d, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/broad-logs") {
			if asked++; asked > 1 && asked < 6 {
				panic(http.ErrAbortHandler)
			}
		}
		fake.ServeHTTP(w, req)
	}), 2, "cut")
	do(t, d, `UPDATE nms.ext_account SET active = (id = 2)`, `UPDATE nms.delivery SET provider_id = 2`,
		`UPDATE xtk.option SET name = 'NmsMidSourcing_LastBroadLog_cut' WHERE name LIKE '%LastBroadLog%'`)
	if got := jobtest.Run(t, d, logs); got.Status != "failed" {
		t.Fatalf("got %s, want failed", got.Status)
	}
	want(t, d, [2]string{`SELECT count(*) FROM nms.broad_log WHERE status = 'failed'`, "5000"}, [2]string{`SELECT sum(consecutive_error) FROM nms.address`, "5000"})
	got := completed(t, jobtest.Run(t, d, logs))
	tells(t, got, "100 logs in 1 pages")
	want(t, d, [2]string{`SELECT count(*) FROM nms.broad_log WHERE status = 'failed'`, "5100"}, [2]string{`SELECT sum(consecutive_error) FROM nms.address`, "5100"})
}

// Without its cursor an account begins with its oldest delivery, and says so.
func TestWithoutCursor(t *testing.T) {
	t.Parallel()
	d, fake := sending(t, 1)
	do(t, d, `DELETE FROM xtk.option WHERE name LIKE '%LastBroadLog%'`)
	fake.Carry(nil, []server.Log{became(1, "sent", ago(4*24*time.Hour))})
	got := completed(t, jobtest.Run(t, d, logs))
	if !strings.Contains(strings.Join(got.Log, "\n"), "starts from the oldest delivery") {
		t.Errorf("got %q, want a warning", got.Log)
	}
	want(t, d, [2]string{`SELECT status FROM nms.broad_log`, "sent"})
}

func TestLogsSurviveACutAnywhere(t *testing.T) {
	t.Parallel()
	setup := func(t testing.TB) *db.DB {
		d, fake := sending(t, 3)
		fake.Carry(nil, []server.Log{became(1, "sent", ago(time.Hour)), failing(2, "hard", 1, ago(time.Hour)), failing(3, "soft", 3, ago(time.Hour))})
		return d
	}
	alike := jobtest.Alike("xtk.option.timestamp_value", `.*`)
	jobtest.CrashSweep(t, logs, setup, alike)
	jobtest.StopSweep(t, logs, setup, alike)
}
