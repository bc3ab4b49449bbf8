package e2e_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/views/locale"
)

// mailbox shows a message with a picture that tells of its opening, a link, and an opt-out.
func mailbox(t *testing.T, base string, open, click, stop string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `<!doctype html><link rel="icon" href="data:,"><title>Mail</title><h1>Spring sale</h1>
			<img alt="" src="%s"><p><a id="shop" href="%s">To the shop</a> <a id="stop" href="%s">Unsubscribe</a>`,
			html.EscapeString(base+open), html.EscapeString(base+click), html.EscapeString(base+stop))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// rawLines waits until a node's raw log has so many lines, and splits them into their fields.
func rawLines(n *node, data string, count int) (lines [][]string) {
	n.t.Helper()
	n.until(patience, fmt.Sprintf("the raw log has %d lines", count), func() bool {
		lines = nil
		files, _ := filepath.Glob(filepath.Join(data, "redir", "log", "0x*"))
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				n.t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				lines = append(lines, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
			}
		}
		return len(lines) >= count
	})
	return lines
}

// Somebody opens a message, follows its link into the shop, comes back and wants no more: each step leaves its raw line,
// and the wish is recorded when the button is pressed, in the language of the recipient.
func TestReadMailAndOptOut(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `<!doctype html><link rel="icon" href="data:,"><title>Shop</title><h1>Hello %s</h1>`, html.EscapeString(r.URL.Query().Get("name")))
		}))
		t.Cleanup(shop.Close)
		d, data := empty(t), t.TempDir()
		for _, sql := range []string{
			`INSERT INTO nms.delivery (id, internal_name, label, state) VALUES (100, 'DM100', 'Spring', 'finished')`,
			`INSERT INTO nms.tracking_url (id, delivery_id, source) VALUES (2000, 100, '` + shop.URL + `/sale?name=<%=escapeUrl(recipient.firstName)%>')`,
			`INSERT INTO nms.recipient (id, email, language) VALUES (1, 'kim@example.com', '` + string(lang) + `')`,
			`INSERT INTO nms.broad_log (id, delivery_id, recipient_id, address, status) VALUES (11, 100, 1, 'kim@example.com', 'sent')`,
		} {
			if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		n := start(t, d.URL(), "NIGHTSHIFT_DATA="+data)
		link := func(url int64, values ...string) string {
			path, err := d.LinkPath(db.MessageLink{BroadLog: 11, Delivery: 100, URL: url}, values...)
			if err != nil {
				t.Fatal(err)
			}
			return path
		}
		mail := mailbox(t, n.base, link(db.OpenURL), link(2000, "Kim & Lee"), link(db.OptOutURL))
		p := visit(t, n, lang, withoutScript)
		p.open(mail)
		p.press("#shop")
		p.arrives(shop.URL + "/sale?name=Kim+%26+Lee")
		p.sees("Hello Kim & Lee")
		p.open(mail)
		p.press("#stop")
		p.sees(p.says("letter.stop_title"))
		p.sees("k…@example.com")
		p.press("form button")
		p.sees(p.says("letter.stopped_title"))
		var denied bool
		if err := d.Pool.QueryRow(t.Context(), `SELECT black_list_email FROM nms.recipient WHERE id = 1`).Scan(&denied); err != nil || !denied {
			t.Errorf("the recipient: got on the denylist %v, %v, want true", denied, err)
		}
		seen := map[string]int{}
		for _, fields := range rawLines(n, data, 4) {
			if len(fields) != 11 || fields[2] != "b" || fields[3] != "64" || fields[5] != "h" || !strings.Contains(fields[9], "Mozilla") {
				t.Errorf("got the line %q, want 11 fields of message b of delivery 64", fields)
				continue
			}
			seen[fields[4]]++
		}
		if seen["1"] != 2 || seen["7d0"] != 1 || seen["2"] != 1 {
			t.Errorf("got hits by URL %v, want 2 opens, 1 click, 1 opt-out", seen)
		}
	})
}
