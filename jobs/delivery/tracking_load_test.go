package delivery_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs/jobtest"
	"nightshift/jobs/redirlog"
)

const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"

// clicked is a line of the raw log: a hit of a URL of delivery 7, minutes after ten of yesterday.
func clicked(message, url int64, uuid string, minutes float64) redirlog.Line {
	return redirlog.Line{Date: morning().Add(time.Duration(minutes * float64(time.Minute))), BroadLog: message, Delivery: 7, URL: url,
		Flag: "h", UUID: uuid, Agent: chrome, Address: "192.0.2.7"}
}

// tagged is a hit of a web tag by whoever has the session of a message; 0: nobody.
func tagged(message, url int64, uuid, params string, minutes float64) redirlog.Line {
	l := clicked(message, url, uuid, minutes)
	l.Flag, l.Params = "t", params
	if message == 0 {
		l.Delivery = 0
	}
	return l
}

// rawFile writes a file of the raw log whose first line has that id, and returns its folder.
func rawFile(t testing.TB, folder string, first uint64, lines ...redirlog.Line) string {
	t.Helper()
	var b []byte
	for i, l := range lines {
		l.ID = first + uint64(i)
		b = l.Append(b)
	}
	return rawBytes(t, folder, first, string(b))
}

func rawBytes(t testing.TB, folder string, first uint64, text string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("0x%016X", first)), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// own makes a run read a folder as its node's.
func own(folder string) jobtest.Option { return jobtest.RawLog("trk1", folder) }

// The example of the documentation: John does nothing, Marie opens, Florian opens, clicks and forwards, Henry clicks from four devices.
func TestTrackingExample(t *testing.T) {
	t.Parallel()
	d := tracked(t, `UPDATE nms.broad_log SET status = 'sent', delivery_id = 7`)
	lines := []redirlog.Line{clicked(2, 1, "M", 1), clicked(3, 1, "A", 2)}
	for i := range 9 {
		lines = append(lines, clicked(3, 1500, "A", 3+float64(i)/60))
	}
	lines = append(lines, clicked(3, 1, "B", 10), clicked(3, 1500, "B", 11), clicked(3, 1500, "B", 12), clicked(4, 1, "H1", 13))
	for i := range 4 {
		lines = append(lines, clicked(4, 1500, fmt.Sprintf("H%d", i+1), 14))
	}
	tells(t, track(t, d, own(rawFile(t, t.TempDir(), 1<<33, lines...))), "trk1: 19 lines in 1 requests, 19 logs, 0 repeated opens, 0 discarded, pointer 0x0000000200000012")
	want(t, d, [2]string{`
		SELECT concat_ws(' ', recipient_open, recipient_click, person_click, forward, total_recipient_click, round(100.0 * recipient_click / recipient_open, 2), tracking_pending)
		FROM nms.delivery
		WHERE id = 7`, "3 2 6 4 15 66.67 0"},
		[2]string{`SELECT count(*) || ' ' || count(DISTINCT recipient_id) FROM nms.tracking_log WHERE user_agent_id > 0`, "19 3"},
		[2]string{`SELECT string_agg(concat_ws(' ', browser_name, os_family, device), ', ') FROM nms.user_agent`, "Chrome Windows desktop"})
}

func TestTrackingRepeatedOpens(t *testing.T) {
	t.Parallel()
	folder := rawFile(t, t.TempDir(), 10, clicked(1, 1, "A", 0), clicked(1, 1, "A", 0.5), clicked(2, 1, "B", 0), clicked(2, 1, "B", 1.5),
		clicked(1, 1500, "A", 2), clicked(1, 1500, "A", 2+1.0/60))
	d := tracked(t)
	tells(t, track(t, d, own(folder)), "6 lines in 1 requests, 5 logs, 1 repeated opens")
	// The next run knows the opens of this one.
	rawFile(t, folder, 100, clicked(1, 1, "A", 0.9), clicked(2, 1, "B", 3))
	tells(t, track(t, d, own(folder)), "2 lines in 1 requests, 1 logs, 1 repeated opens")
	want(t, d, [2]string{`SELECT count(*) FILTER (WHERE url_id = 1) || ' ' || count(*) FILTER (WHERE url_id = 1500) FROM nms.tracking_log`, "4 2"})
	do(t, d, `INSERT INTO xtk.option (name, data_type, long_value) VALUES ('NmsTracking_DedupOpenPeriodMin', 'long', 0)`)
	rawFile(t, folder, 200, clicked(2, 1, "B", 3.1), clicked(2, 1, "B", 3.2))
	tells(t, track(t, d, own(folder)), "2 lines in 1 requests, 2 logs, 0 repeated opens")
}

func TestTrackingMalformedAndUnknown(t *testing.T) {
	t.Parallel()
	d := tracked(t)
	var b []byte
	for i := range 10 {
		l := clicked(1, 1500, "A", float64(i))
		l.ID = uint64(10 + i)
		b = l.Append(b)
	}
	short := "50x0000000000000020\t2026-01-01T00:00:00.00\t1\t7\t5dc\th\tA\t\t\n"
	stray := clicked(1, 1500, "A", 1)
	stray.ID, stray.Delivery = 0x21, 99
	other := clicked(1, 1600, "A", 1)
	other.ID = 0x22
	gone := clicked(77, 1500, "A", 1)
	gone.ID = 0x23
	tag := tagged(1, 4711, "A", "amount=1", 1)
	tag.ID = 0x24
	text := string(b) + short + string(tag.Append(gone.Append(other.Append(stray.Append(nil)))))
	got := track(t, d, own(rawBytes(t, t.TempDir(), 10, text)))
	tells(t, got, "15 lines in 1 requests, 11 logs, 0 repeated opens, 4 discarded (1 malformed, 2 unknown link, 1 unknown tag)")
	want(t, d, [2]string{`SELECT string_agg(concat_ws(' | ', origin, message, left(data ->> 'line', 19)), ', ') FROM xtk.reject`,
		"trk1 | tracking line: a line has 11 fields | 50x0000000000000020"},
		[2]string{`SELECT count(*) || ' ' || count(recipient_id) FROM nms.tracking_log`, "11 10"})
}

func TestTrackingPointer(t *testing.T) {
	t.Parallel()
	folder := rawFile(t, t.TempDir(), 100, clicked(1, 1500, "A", 0), clicked(1, 1500, "A", 1))
	d := tracked(t)
	pointer := func(text string) {
		do(t, d, `UPDATE xtk.option SET memo_value = '`+text+`' WHERE name = 'NmsTracking_Pointer'`)
	}
	track(t, d, own(folder))
	want(t, d, [2]string{`SELECT memo_value::jsonb -> 'trk1' ->> 'id' FROM xtk.option WHERE name = 'NmsTracking_Pointer'`, "0x0000000000000065"},
		[2]string{`SELECT tracking_pending FROM nms.delivery WHERE id = 7`, "0"})
	tells(t, track(t, d, own(folder)), "0 lines in 1 requests")
	for _, broken := range []string{`{"trk1": {"id": "0x00000000FFFFFFFF"}}`, `{"trk1": {"id": "soon"}}`, `{`, ``} {
		pointer(broken)
		tells(t, track(t, d, own(folder)), "0 logs, 0 repeated opens, 0 discarded, 2 loaded before, pointer 0x0000000000000065")
	}
	want(t, d, [2]string{`SELECT count(*) FROM nms.tracking_log`, "2"}, [2]string{`SELECT tracking_pending FROM nms.delivery WHERE id = 7`, "0"})
}

// Lines dated in the future are taken as of now, with a warning.
func TestTrackingFuture(t *testing.T) {
	t.Parallel()
	d := tracked(t)
	later := clicked(1, 1500, "A", 0)
	later.Date = time.Now().Add(48 * time.Hour)
	tells(t, track(t, d, own(rawFile(t, t.TempDir(), 1, later))), "trk1: 1 lines are dated in the future")
	want(t, d, [2]string{`SELECT log_date BETWEEN now() - interval '1 minute' AND now() FROM nms.tracking_log`, "true"})
}

func TestTrackingRobots(t *testing.T) {
	t.Parallel()
	bot, inside, strange := clicked(1, 1500, "A", 0), clicked(1, 1500, "A", 1), clicked(1, 1500, "A", 2)
	bot.Agent, inside.Address, strange.Agent = "ExampleBot/1.0", "2001:db8::7", "?"
	lines := []redirlog.Line{bot, inside, strange, clicked(2, 1500, "B", 3)}
	d := tracked(t)
	tells(t, track(t, d, own(rawFile(t, t.TempDir(), 1, lines...))), "4 logs, 0 repeated opens, 0 discarded")
	want(t, d, [2]string{`SELECT string_agg(user_agent_string || ' ' || hit, ', ' ORDER BY user_agent_string) FROM nms.user_agent_reject`, "? 1"})
	d = tracked(t, `INSERT INTO nms.robot_rule (kind, pattern, active) VALUES ('user_agent', 'examplebot', true), ('address', '2001:db8::/32', true),
		('user_agent', 'chrome', false), ('address', 'everything', true)`)
	got := track(t, d, own(rawFile(t, t.TempDir(), 1, lines...)))
	tells(t, got, "2 logs, 0 repeated opens, 2 discarded (2 of robots)")
	tells(t, got, `robot rule "address" "everything" is left out`)
}

// Agents that a rule names are what the rule says, whatever the library finds; those that are known stay as they are.
func TestTrackingUserAgentRules(t *testing.T) {
	t.Parallel()
	const galaxy = "Mozilla/5.0 (Linux; Android 14; SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko) OurReader/7.2 Chrome/120.0 Mobile Safari/537.36"
	agents := []string{galaxy, "NightMail/3.1 (Kiosk)", "?", ""}
	lines := make([]redirlog.Line, len(agents))
	for i, agent := range agents {
		lines[i] = clicked(1, 1500, "A", float64(i))
		lines[i].Agent = agent
	}
	const known = `SELECT string_agg(concat_ws('|', browser_name, browser_version, os_name, os_family, device), ', ' ORDER BY browser_name) FROM nms.user_agent`
	rules := func(text string) string {
		return `INSERT INTO xtk.option (name, data_type, memo_value) VALUES ('NmsTracking_UserAgentRules', 'memo', $r$` + text + `$r$)`
	}
	d := tracked(t)
	track(t, d, own(rawFile(t, t.TempDir(), 1, lines...)))
	want(t, d, [2]string{known, "Chrome|120.0|Android 14|Android|phone"},
		[2]string{`SELECT string_agg(user_agent_string, ', ' ORDER BY user_agent_string) FROM nms.user_agent_reject`, "?, NightMail/3.1 (Kiosk)"})
	do(t, d, rules(`[{"pattern": "ourreader", "browser_name": "Our reader"}, {"pattern": "^NightMail", "browser_name": "NightMail"}]`))
	track(t, d, own(rawFile(t, t.TempDir(), 100, lines...)))
	want(t, d, [2]string{known, "Chrome|120.0|Android 14|Android|phone, NightMail||||other"})

	d = tracked(t, rules(`[{"pattern": "ourreader/(\\d+)", "browser_name": "Our reader", "browser_version": "$1"}, {"pattern": "reader", "browser_name": "Never"},
		{"pattern": "^NightMail/([\\d.]+) \\((\\w+)", "browser_name": "NightMail", "browser_version": "$1", "os_name": "$2", "os_family": "Kiosk", "device": "tablet"},
		{"pattern": "(", "browser_name": "x"}, {"pattern": "x"}, {"pattern": "x", "browser_name": "x", "device": "toaster"}, {"pattern": "x", "name": "x"}, 5,
		{"pattern": "(nothing)?\\?", "browser_name": "$1"}]`))
	got := track(t, d, own(rawFile(t, t.TempDir(), 1, lines...)))
	want(t, d, [2]string{known, "NightMail|3.1|Kiosk|Kiosk|tablet, Our reader|7|Android 14|Android|phone"},
		[2]string{`SELECT string_agg(user_agent_string, ', ') FROM nms.user_agent_reject`, "?"})
	for _, wrong := range []string{`rule 4: pattern "(": error parsing regexp`, "rule 5: pattern and browser_name are needed: it is left out",
		`rule 6: device "toaster" is none of desktop`, `rule 7: json: unknown field "name"`, "rule 8: json: cannot unmarshal number"} {
		tells(t, got, "warning NmsTracking_UserAgentRules: "+wrong)
	}

	d = tracked(t, rules(`{"pattern": "x"}`))
	tells(t, track(t, d, own(rawFile(t, t.TempDir(), 1, lines...))), "warning NmsTracking_UserAgentRules: not a list in JSON")
	want(t, d, [2]string{known, "Chrome|120.0|Android 14|Android|phone"})
}

// Each delivery's logs go into the tables of its mapping.
func TestTrackingTargetTables(t *testing.T) {
	t.Parallel()
	d := tracked(t, `UPDATE nms.delivery SET mapping_id = (SELECT id FROM nms.delivery_mapping WHERE internal_name = 'mapVisitor') WHERE id = 8`,
		`INSERT INTO nms.broad_log_visitor (id, delivery_id, visitor_id, status) VALUES (900, 8, 55, 'sent')`)
	visitor := clicked(900, 1600, "V", 1)
	visitor.Delivery = 8
	track(t, d, own(rawFile(t, t.TempDir(), 1, visitor, clicked(1, 1500, "A", 1))))
	want(t, d, [2]string{`SELECT concat_ws(' ', visitor_id, broad_log_id, url_id, source_id) FROM nms.tracking_log_visitor`, "55 900 1600 V"},
		[2]string{`SELECT concat_ws(' ', recipient_id, broad_log_id, url_id, source_id) FROM nms.tracking_log`, "11 1 1500 A"},
		[2]string{`SELECT string_agg(recipient_click::text, ' ' ORDER BY id) FROM nms.delivery`, "1 1"})
}

// Messages are found in the partition of their month.
func TestTrackingMessagesOfManyMonths(t *testing.T) {
	t.Parallel()
	d := tracked(t)
	if _, err := d.EnsurePartitions(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, d, `
		INSERT INTO nms.broad_log (id, delivery_id, recipient_id, status, created)
		SELECT n, 7, 1000 + n, 'sent', now() + make_interval(days => (n - 150) / 2)
		FROM generate_series(51, 150) n`)
	lines := []redirlog.Line{clicked(4, 1500, "of delivery 8", 1), clicked(9999, 1500, "gone", 2)}
	for n := int64(51); n <= 150; n++ {
		lines = append(lines, clicked(n, 1500, "A", float64(n)))
	}
	track(t, d, own(rawFile(t, t.TempDir(), 1, lines...)))
	want(t, d, [2]string{`SELECT count(*) || ' ' || count(*) FILTER (WHERE recipient_id = 1000 + broad_log_id) FROM nms.tracking_log`, "102 100"})
}

func web(t testing.TB, mode string, statements ...string) *db.DB {
	t.Helper()
	return tracked(t, append(statements, `INSERT INTO nms.tracking_url (id, delivery_id, type, tag_id) VALUES (2000, 0, 4, 'home')`,
		`INSERT INTO xtk.option (name, string_value) VALUES ('NmsTracking_WebTrackingMode', '`+mode+`')`)...)
}

const shownHits = `SELECT string_agg(concat_ws(' ', coalesce(recipient_id, 0), delivery_id, url_id, source_id), ', ' ORDER BY log_date) FROM nms.tracking_log`

func TestTrackingWebSession(t *testing.T) {
	t.Parallel()
	d := web(t, "session", `INSERT INTO nms.recipient (id, account) VALUES (12, 'K-12')`)
	named := tagged(0, 2000, "C", "rcpid=account%3DK-12", 5)
	named.Delivery = 7
	got := track(t, d, own(rawFile(t, t.TempDir(), 1, tagged(0, 2000, "A", "", 1), tagged(1, 2000, "A", "", 2), tagged(1, 2000, "", "", 3),
		tagged(1, 1501, "A", "amount=12.50&article=3&colour=red", 4), named)))
	tells(t, got, "3 logs, 0 repeated opens, 2 discarded (2 of nobody known)")
	want(t, d, [2]string{shownHits, "11 7 2000 A, 11 7 1501 A, 12 7 2000 C"},
		[2]string{`SELECT string_agg(concat_ws(' ', w.amount, w.article, w.params, h.url_id), ', ') FROM nms.web_tracking_log w JOIN nms.tracking_log h USING (id)`,
			`12.50 3 {"colour": "red"} 1501`},
		[2]string{`SELECT concat_ws(' ', amount, transaction, article, web_page) FROM nms.delivery WHERE id = 7`, "12.50 1 3 2"})
}

func TestTrackingWebPermanent(t *testing.T) {
	t.Parallel()
	d := web(t, "permanent", hit(4, 8, 1600, "A", at(-2000)), `UPDATE nms.tracking_log SET recipient_id = 14`, hit(1, 7, 1500, "A", at(-1000)),
		`UPDATE nms.tracking_log SET recipient_id = 11 WHERE recipient_id IS NULL`, `INSERT INTO nms.recipient (id, email) VALUES (15, 'Kim@example.com')`,
		`INSERT INTO xtk.option (name, string_value) VALUES ('NmsTracking_WebTrackingDelivery', 'dm8')`)
	forced := tagged(0, 2000, "A", "", 3)
	forced.Delivery = 8
	got := track(t, d, own(rawFile(t, t.TempDir(), 1, tagged(0, 2000, "A", "", 1), tagged(0, 2000, "N", "", 2), forced,
		tagged(0, 2000, "", "rcpid=email%3Dkim%40example.com", 4), tagged(0, 2000, "", "rcpid=id%3D15", 4.5), tagged(0, 2000, "", "rcpid=id%3Dkim", 4.6), clicked(2, 1500, "C", 5), tagged(0, 2000, "C", "", 6))))
	tells(t, got, "6 logs, 0 repeated opens, 2 discarded (2 of nobody known)")
	want(t, d, [2]string{`SELECT string_agg(concat_ws(' ', recipient_id, delivery_id, url_id, source_id), ', ' ORDER BY log_date) FROM nms.tracking_log WHERE log_date >= ` + at(0),
		"11 7 2000 A, 11 8 2000 A, 15 8 2000, 15 8 2000, 12 7 1500 C, 12 7 2000 C"})
}

func TestTrackingWebAnonymous(t *testing.T) {
	t.Parallel()
	d := web(t, "anonymous")
	folder := rawFile(t, t.TempDir(), 1, tagged(0, 2000, "A", "", 1), tagged(0, 2000, "B", "", 2), tagged(0, 2000, "", "", 3))
	track(t, d, own(folder))
	want(t, d, [2]string{shownHits, "0 0 2000 A, 0 0 2000 B, 0 0 2000"})
	rawFile(t, folder, 50, clicked(1, 1500, "A", 4))
	track(t, d, own(folder))
	want(t, d, [2]string{shownHits, "11 0 2000 A, 0 0 2000 B, 0 0 2000, 11 7 1500 A"})
}

func TestTrackingSimulated(t *testing.T) {
	t.Parallel()
	folder := rawFile(t, t.TempDir(), 1, clicked(1, 1, "A", 0), clicked(1, 1502, "A", 1), tagged(1, 1501, "A", "amount=2", 4))
	rawBytes(t, folder, 90, "50x000000000000005A\tnever\n")
	d := tracked(t, space, offers("generated", "scheduled", "presented"), `UPDATE nms.delivery SET last_tracking_computation = NULL`)
	before := jobtest.Digest(t, d)
	moment := jobtest.CutOff(time.Now())
	rehearsed := jobtest.Simulate(t, d, tracking, own(folder), moment)
	if rehearsed.Status != "completed" || jobtest.Digest(t, d) != before {
		t.Fatalf("rehearsal: got %s (%s), or other rows, want the same rows", rehearsed.Status, rehearsed.Message)
	}
	counters := jobtest.Count(t, d)
	done := track(t, d, own(folder), moment)
	counters.Check(t, done)
	sameSteps(t, rehearsed, done)
	tells(t, rehearsed, "4 lines in 1 requests, 3 logs")
	after := jobtest.Digest(t, d)
	track(t, d, own(folder), moment)
	if jobtest.Digest(t, d) != after {
		t.Error("got other rows after a second run, want the same")
	}
}

func TestTrackingSurvivesACutAnywhere(t *testing.T) {
	t.Parallel()
	folder := rawFile(t, t.TempDir(), 1, clicked(1, 1, "A", 0), clicked(1, 1, "A", 0.5), clicked(1, 1502, "A", 1), tagged(1, 1501, "A", "amount=2", 4))
	rawBytes(t, folder, 90, "50x000000000000005A\tnever\n")
	setup := func(t testing.TB) *db.DB {
		return tracked(t, space, offers("generated", "scheduled", "presented"), `UPDATE nms.delivery SET last_tracking_computation = NULL WHERE id = 7`)
	}
	// Ids of the sequence, and the cursors that hold them, depend on what was rolled back.
	alike := []jobtest.Option{own(folder), jobtest.Alike("nms.tracking_log.id", "^.*$"), jobtest.Alike("nms.web_tracking_log.id", "^.*$"),
		jobtest.Alike("xtk.option.long_value", "^.*$")}
	jobtest.CrashSweep(t, tracking, setup, alike...)
	jobtest.StopSweep(t, tracking, setup, alike...)
}

func TestTrackingNothingToDo(t *testing.T) {
	t.Parallel()
	d := tracked(t, `DELETE FROM nms.delivery`, `DELETE FROM nms.broad_log`)
	got := track(t, d)
	for _, text := range []string{"no raw log", "tracking_stats: 0 buckets", "indicators: 0 deliveries", "propositions: 0 presented"} {
		if !strings.Contains(strings.Join(got.Log, "\n"), text) {
			t.Errorf("got %q, want %q", got.Log, text)
		}
	}
}
