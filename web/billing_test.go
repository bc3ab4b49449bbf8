package web

import (
	"net/http"
	"strings"
	"testing"
)

// aReport is a stored report with one delivery and the small ones of a day, whose mail waits for an address.
const aReport = `
	INSERT INTO nms.billing (name, kind, period_from, period_to, html, csv, data)
	VALUES ('billing-2026-07-25', 'scheduled', '2026-06-24 15:00+00', '2026-07-24 15:00+00', '<p id="raw">raw</p>', E'Label\n''=1\n',
	'{"customer": "acme", "zone": "Asia/Seoul", "database_bytes": 44200000000, "actions": 1199, "profiles": [{"schema": "nms:recipient", "count": 845210}],
	  "types": [{"message_type": 0, "deliveries": 4, "aggregated": 3, "messages": 699, "volume": 51200500, "count": 1199, "lines": [
	    {"start": "2026-07-03", "label": "Summer <sale>", "volume": 51200500, "average": 102401, "messages": 500, "multiplier": 2, "count": 1000},
	    {"start": "2026-07-04", "label": "[Aggregation of 3 small deliveries]", "small": 3, "messages": 199, "multiplier": 1, "count": 199}]}]}')`

func TestBillingPages(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if got, body := c.ask("kim", http.MethodGet, "/billing", nil); got.StatusCode != http.StatusOK || !strings.Contains(body, "No report yet.") {
		t.Errorf("without a report: got %d, want 200 and that there is none", got.StatusCode)
	}
	if _, err := c.db.Pool.Exec(t.Context(), aReport); err != nil {
		t.Fatal(err)
	}
	for _, page := range []struct{ path, want string }{
		{"/billing", "billing-2026-07-25|Thu 25 Jun 2026 → Sat 25 Jul 2026|1,199|845,210|waits: the operator billing has no e-mail address"},
		{"/billing/1", "1,199 marketing actions|Thu 25 Jun 2026 → Sat 25 Jul 2026 (Asia/Seoul)|acme|nms:recipient|Summer &lt;sale&gt;|102,401|[Aggregation of 3 small deliveries]|4 deliveries, 3 of them aggregated|E-mail"},
		{"/billing/1/report.csv", "Label\n'=1\n"},
	} {
		got, body := c.ask("kim", http.MethodGet, page.path, nil)
		for want := range strings.SplitSeq(page.want, "|") {
			if got.StatusCode != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s: got %d without %q", page.path, got.StatusCode, want)
			}
		}
		if strings.Contains(body, "raw") {
			t.Errorf("%s: got the HTML of the mail, want the figures", page.path)
		}
	}
	got, _ := c.ask("kim", http.MethodGet, "/billing/1/report.csv", nil)
	if name := got.Header.Get("Content-Disposition"); name != `attachment; filename="billing-2026-07-25.csv"` {
		t.Errorf("the file's name: got %q", name)
	}
}

func TestBillingPaging(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		INSERT INTO nms.billing (name, period_from, period_to, data, html, csv)
		SELECT 'billing-' || n, now(), now(), '{}', '', '' FROM generate_series(1, 60) n`); err != nil {
		t.Fatal(err)
	}
	if _, body := c.ask("kim", http.MethodGet, "/billing", nil); !strings.Contains(body, "/billing?before=11") || !strings.Contains(body, ">billing-11<") || strings.Contains(body, ">billing-10<") {
		t.Error("the first page: want reports 60 to 11 and a way to older ones")
	}
	if _, body := c.ask("kim", http.MethodGet, "/billing?before=11", nil); !strings.Contains(body, ">billing-10<") || strings.Contains(body, ">billing-11<") || strings.Contains(body, `rel="next"`) {
		t.Error("the second page: want reports 10 to 1 and no older ones")
	}
	for path, want := range map[string]int{"/billing?before=x": 400, "/billing?before=0": 400, "/billing/x": 404, "/billing/0": 404, "/billing/999": 404,
		"/billing/999/report.csv": 404, "/billing/99999999999999999999": 404} {
		if got, _ := c.ask("kim", http.MethodGet, path, nil); got.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, got.StatusCode, want)
		}
	}
}
