package delivery_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs/external/redirection"
	"nightshift/jobs/jobtest"
	"nightshift/jobs/redirlog"
)

// redirections starts fakes of redirection servers and names them, with the account to sign on as, in the database.
func redirections(t testing.TB, d *db.DB, fakes ...*redirection.Fake) (hosts []string) {
	t.Helper()
	var addresses []string
	for _, fake := range fakes {
		fake.Instance, fake.Password = "trk", "secret"
		server := httptest.NewServer(fake)
		t.Cleanup(server.Close)
		addresses, hosts = append(addresses, server.URL), append(hosts, server.Listener.Addr().String())
	}
	sealed, err := d.Seal("defaultTrackingServer", "secret")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), `
		INSERT INTO nms.ext_account (internal_name, label, type, account, secret)
		VALUES ('defaultTrackingServer', 'Tracking', 'tracking_server', 'trk', $1)`, sealed); err != nil {
		t.Fatal(err)
	}
	do(t, d, `INSERT INTO xtk.option (name, string_value) VALUES ('NmsTracking_ServerUrlList', '`+strings.Join(addresses, ", ")+`')`)
	return hosts
}

// write gives a fake lines with ids from first on.
func write(f *redirection.Fake, first uint64, lines ...redirlog.Line) {
	for i, l := range lines {
		l.ID = first + uint64(i)
		f.Write(string(l.Append(nil)))
	}
}

func clicks(n int) []redirlog.Line {
	lines := make([]redirlog.Line, n)
	for i := range lines {
		lines[i] = clicked(1+int64(i%3), 1500, "A", float64(i)/1000)
	}
	return lines
}

func TestTrackingPagesOfAServer(t *testing.T) {
	t.Parallel()
	d, fake := tracked(t), &redirection.Fake{}
	host := redirections(t, d, fake)[0]
	write(fake, 1, clicks(2500)...)
	// The third page is refused: what was loaded stays, and the next run goes on there.
	fake.Misbehave = func(w http.ResponseWriter, _ *http.Request) bool {
		refuse := len(fake.Asked()) == 2
		if refuse {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return refuse
	}
	if got := jobtest.Run(t, d, tracking); got.Status != "failed" || !strings.Contains(got.Message, host) {
		t.Errorf("got %s (%s), want failed because of %s", got.Status, got.Message, host)
	}
	want(t, d, [2]string{`SELECT count(*) FROM nms.tracking_log`, "2000"})
	fake.Misbehave = nil
	tells(t, track(t, d), host+": 500 lines in 1 requests, 500 logs")
	want(t, d, [2]string{`SELECT count(*) || ' ' || count(DISTINCT raw_id) FROM nms.tracking_log`, "2500 2500"})
	if got := strings.Join(fake.Asked(), " "); got != "0x0000000000000000 0x00000000000003E8 0x00000000000007D0" {
		t.Errorf("the server was asked for what follows %s", got)
	}
}

// One server is down: the other's lines are loaded and consolidated, and the first catches up without doubles.
func TestTrackingOneServerDown(t *testing.T) {
	t.Parallel()
	d, down, up := tracked(t), &redirection.Fake{}, &redirection.Fake{}
	hosts := redirections(t, d, down, up)
	write(down, 1, clicked(1, 1500, "A", 0), clicked(2, 1500, "B", 0))
	write(up, 1, clicked(1, 1500, "A", 6), clicked(2, 1500, "A", 7))
	down.Misbehave = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true }
	got := jobtest.Run(t, d, tracking, hourly(1))
	if got.Status != "failed" || !strings.Contains(got.Message, hosts[0]) || strings.Contains(got.Message, hosts[1]) {
		t.Errorf("got %s (%s), want failed because of %s alone", got.Status, got.Message, hosts[0])
	}
	want(t, d, [2]string{buckets, "10:05 2"}, [2]string{`SELECT count(*) FROM xtk.option, jsonb_object_keys(memo_value::jsonb) WHERE name = 'NmsTracking_Pointer'`, "1"})
	down.Misbehave = nil
	track(t, d, hourly(2))
	// The ids of the two servers overlap, and the same cookie stands for two recipients: a forwarded message.
	want(t, d, [2]string{buckets, "10:00 2, 10:05 2"}, [2]string{`SELECT count(*) || ' ' || count(DISTINCT recipient_id) FROM nms.tracking_log`, "4 2"})
	tells(t, track(t, d, hourly(2)), "2 of 2 servers read: 0 lines")
}

func TestTrackingServersThatMisbehave(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter){
		"busy": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"unsigned": func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) },
		"not JSON": func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) },
		"half": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "900")
			_, _ = w.Write([]byte(`{"token": "x`))
		},
		"elsewhere": func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://10.0.0.1/")
			w.WriteHeader(http.StatusFound)
		},
		"endless": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			for range 40 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, fake := tracked(t), &redirection.Fake{}
			host := redirections(t, d, fake)[0]
			write(fake, 1, clicks(3)...)
			fake.Misbehave = func(w http.ResponseWriter, _ *http.Request) bool { answer(w); return true }
			got := jobtest.Run(t, d, tracking)
			if got.Status != "failed" || !strings.Contains(got.Message, host) || strings.Contains(got.Message, "secret") {
				t.Errorf("got %s (%s), want failed because of %s", got.Status, got.Message, host)
			}
			want(t, d, [2]string{`SELECT count(*) FROM nms.tracking_log`, "0"}, [2]string{`SELECT count(*) FROM xtk.option WHERE name = 'NmsTracking_Pointer'`, "0"})
			fake.Misbehave = nil
			tells(t, track(t, d), "3 logs")
		})
	}
}

// A server whose clock is wrong has its dates corrected; one that lost its log is read from the beginning.
func TestTrackingClockAndLostLog(t *testing.T) {
	t.Parallel()
	d, fake := tracked(t), &redirection.Fake{Ahead: -2 * time.Hour}
	host := redirections(t, d, fake)[0]
	write(fake, 1<<40, clicked(1<<40, 1500, "A", 0))
	do(t, d, fmt.Sprintf(`INSERT INTO nms.broad_log (id, delivery_id, recipient_id, status) VALUES (%d, 7, 99, 'sent')`, int64(1)<<40))
	tells(t, track(t, d), host+": its clock differs by 2h0m0s, the dates of its lines are corrected")
	want(t, d, [2]string{`SELECT round(extract(epoch FROM log_date - (` + at(120) + `)::timestamptz)) FROM nms.tracking_log`, "0"},
		[2]string{`SELECT recipient_id FROM nms.tracking_log`, "99"})
	fake.Purge()
	write(fake, 7, clicked(1, 1500, "A", 3))
	tells(t, track(t, d), host+": the pointer 0x0000010000000000 is beyond its newest line 0x0000000000000007")
	want(t, d, [2]string{`SELECT count(*) FROM nms.tracking_log`, "2"})
}

// A rehearsal asks no server, nor does a run of an instance that retrieves nothing.
func TestTrackingAsksNobody(t *testing.T) {
	t.Parallel()
	d, fake := tracked(t), &redirection.Fake{}
	host := redirections(t, d, fake)[0]
	write(fake, 1, clicks(3)...)
	tells(t, jobtest.Simulate(t, d, tracking), "would: ask "+host+" for the lines after 0x0000000000000000")
	do(t, d, `INSERT INTO xtk.option (name, string_value) VALUES ('NmsTracking_Available', '0') ON CONFLICT (name) DO UPDATE SET string_value = '0', long_value = NULL`)
	tells(t, track(t, d), "nothing retrieved: NmsTracking_Available is 0")
	do(t, d, `DELETE FROM xtk.option WHERE name = 'NmsTracking_Available'`, `UPDATE nms.ext_account SET active = false`)
	if got := jobtest.Run(t, d, tracking); got.Status != "failed" || !strings.Contains(got.Message, "no active external account") {
		t.Errorf("got %s (%s), want failed for want of an account", got.Status, got.Message)
	}
	if asked := fake.Asked(); len(asked) > 0 {
		t.Errorf("the server was asked %d times, want never", len(asked))
	}
}
