package web

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/net/html"

	"nightshift/db"
)

// hostile are texts that want to be more than text.
func hostile() []string {
	return []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'><svg onload=alert(1)>`, `</title><b>`, `</textarea><i>`, `{{7*7}}`, `${7*7}`,
		`javascript:alert(1)`, `" onmouseover="x`, "a\u2028b", "\u202egnp.exe", "\ufeff\u200b\u200d", `\u003cb\u003e`, `&lt;b&gt;`, `<!--`, `]]>`, `%3Cscript%3E`,
		`' OR 1=1 --`, `hx-get="/x"`, `**bold** and ` + "`code`", strings.Repeat("W", 90), "ünïcødé 한국어 日本", `<a href=//e>`, `data:text/html,<b>`, `=cmd|' /C calc'!A0`, `@SUM(1)`}
}

// shape lists the elements and attributes of a page, without its texts.
func shape(t testing.TB, body string) string {
	t.Helper()
	var b strings.Builder
	tokens := html.NewTokenizer(strings.NewReader(body))
	for {
		switch kind := tokens.Next(); kind {
		case html.ErrorToken:
			if !errors.Is(tokens.Err(), io.EOF) {
				t.Fatal(tokens.Err())
			}
			return b.String()
		case html.StartTagToken, html.SelfClosingTagToken:
			token := tokens.Token()
			b.WriteString("<" + token.Data)
			if token.Data == "style" || token.Data == "script" && !slices.ContainsFunc(token.Attr, func(a html.Attribute) bool { return a.Key == "src" }) {
				t.Errorf("<%s> is written into the page, want it from a file", token.Data)
			}
			for _, attribute := range token.Attr {
				if strings.HasPrefix(attribute.Key, "on") || strings.HasPrefix(attribute.Key, "hx-on") || attribute.Key == "style" || strings.Contains(attribute.Val, "js:") {
					t.Errorf("<%s> has the attribute %s, want none inline", token.Data, attribute.Key)
				}
				b.WriteString(" " + attribute.Key)
			}
			b.WriteString(">\n")
		}
	}
}

// textColumns write one text into every column that people, strangers and workflows fill in.
var textColumns = []string{
	`UPDATE xtk.operator SET label = $1, email = $1 WHERE login = 'reader'`,
	`UPDATE xtk.operator_group SET label = $1, internal_name = 'strange' WHERE internal_name IN ('localManagement', 'strange')`,
	`UPDATE xtk.session_info SET user_agent = $1`,
	`INSERT INTO xtk.option (name, data_type, string_value) VALUES ('NmsServer_URL', 'string', $1) ON CONFLICT (name) DO UPDATE SET string_value = excluded.string_value`,
	`INSERT INTO xtk.option (name, data_type, string_value) VALUES ('XtkInstanceName', 'string', $1) ON CONFLICT (name) DO UPDATE SET string_value = excluded.string_value`,
	`UPDATE xtk.workflow SET label = $1, description = $1, state_by = $1, pause_reason = $1, package = $1, error_template = $1 WHERE internal_name = 'cleanup'`,
	`UPDATE xtk.workflow_task SET node = $1, build = $1, started_by = $1, error_code = $1, error_step = $1, error_message = $1, error_detail = $1,
	        args = jsonb_build_object($1::text, $1::text), options = jsonb_build_object($1::text, $1::text)`,
	`UPDATE xtk.workflow_task_step SET step_key = $1, label = $1, message = $1, progress_unit = $1`,
	`UPDATE xtk.workflow_task_effect SET table_name = $1`,
	`UPDATE xtk.workflow_log SET message = $1, step_key = $1`,
	`UPDATE xtk.workflow_event SET operator_login = $1, signal = $1`,
	`UPDATE nms.billing SET html = $1, csv = $1, sent_to = $1, data = jsonb_build_object('customer', $1::text, 'zone', $1::text,
	        'profiles', jsonb_build_array(jsonb_build_object('schema', $1::text)),
	        'types', jsonb_build_array(jsonb_build_object('lines', jsonb_build_array(jsonb_build_object('label', $1::text, 'start', $1::text)))))`,
	`UPDATE nms.ext_account SET label = $1, server = $1, account = $1, last_error = $1 WHERE internal_name = 'outside'`,
	`UPDATE nms.notification SET workflow_name = $1, template = $1, to_address = $1, subject = $1, body_text = $1, last_error = $1`,
	`UPDATE nms.broad_log_msg SET text_normalized = $1, first_text = $1 WHERE id = 1000`,
	`UPDATE nms.rule_set SET label = $1, version = $1`,
	`UPDATE nms.delivery SET label = $1 WHERE id = 1000`,
	`UPDATE xtk.freeze SET reason = left($1, 200), by_login = $1`,
	`UPDATE xtk.engine_node SET name = $1, host = $1, version = $1, affinities = ARRAY[$1::text]`,
}

// someHistory gives cleanup two runs with steps, effects and lines, a slot and a node.
var someHistory = []string{
	`UPDATE xtk.workflow SET state = 'paused', failed = true WHERE internal_name = 'cleanup'`,
	`INSERT INTO xtk.workflow_task (workflow_id, status, node, backend_pid, start_date, completion_date, rows_changed, warnings, mode)
	 SELECT w.id, r.status, 'n', 1, now() - interval '2 hours', now() - interval '1 hour', 5, 1, r.mode
	 FROM xtk.workflow w, (VALUES ('failed', 'normal'), ('completed', 'simulation')) AS r (status, mode) WHERE w.internal_name = 'cleanup'`,
	`INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key, status, end_date, rows_changed) SELECT id, 1, 's', 'failed', now(), 5 FROM xtk.workflow_task`,
	`INSERT INTO xtk.workflow_task_effect (task_id, step_order, table_name, deleted) SELECT id, 1, 't', 5 FROM xtk.workflow_task`,
	`INSERT INTO xtk.workflow_log (workflow_id, task_id, step_order, level, message) SELECT workflow_id, id, 1, l, 'm' FROM xtk.workflow_task, unnest(ARRAY['info', 'warning', 'error']) l`,
	`INSERT INTO xtk.workflow_event (workflow_id, status, reason, scheduled_at) SELECT id, 'skipped', 'paused', now() - interval '1 hour' FROM xtk.workflow WHERE internal_name = 'cleanup'`,
	`INSERT INTO nms.billing (id, name, period_from, period_to, data, html, csv, sent_at) VALUES (1, 'billing-2026-07-25', now(), now(), '{}', '', '', now())`,
	`INSERT INTO nms.ext_account (internal_name, label, type, last_error) VALUES ('outside', 'o', 'mid_sourcing', 'e')`,
	`INSERT INTO nms.notification (id, effect_key, to_address, subject, body_text, state) VALUES (1000, 'k', 'a', 's', 'b', 'error')`,
	`INSERT INTO nms.broad_log_msg (id, md5, text_normalized, first_text) VALUES (1000, 'm', 't', 't')`,
	`INSERT INTO nms.delivery (id, internal_name, label, state, schedule_mode, to_deliver, contact_date, forecasted, forecast_count, forecast_date)
	 VALUES (1000, 'scheduled', 'd', 'editing', 'automatic', 5, now() + interval '3 days', true, 5, now())`,
	`INSERT INTO xtk.freeze (reason, by_login) VALUES ('r', 'kim')`,
	`INSERT INTO xtk.engine_node (name, host, pid, version, modules) VALUES ('n', 'h', 1, 'v', '{engine}')`,
}

// pagesOf are the pages that show such texts.
func (c *console) pagesOf() []string {
	pages := []string{"/", "/workflows", "/workflows/cleanup", "/workflows/cleanup/schedule", "/workflows/cleanup/properties", "/workflows/cleanup/start", "/runs", "/about",
		"/operators", "/operators/reader", "/audit", "/account", "/groups/strange", "/options", "/options/NmsServer_URL", "/billing", "/billing/1",
		"/accounts", "/accounts/outside", "/mail", "/mail/1000", "/deliverability", "/deliverability/texts/1000", "/calendar", "/statement",
		"/workflows/cleanup/statement", "/workflows/cleanup/pause", "/monitoring", "/monitoring/nodes/1/retire", "/freeze"}
	rows, err := c.db.Pool.Query(c.t.Context(), `SELECT '/runs/' || id FROM xtk.workflow_task ORDER BY id`)
	if err != nil {
		c.t.Fatal(err)
	}
	runs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		c.t.Fatal(err)
	}
	return append(pages, runs...)
}

// write puts a text everywhere, the audit trail included.
func (c *console) write(text string) {
	c.t.Helper()
	for _, sql := range textColumns {
		if _, err := c.db.Pool.Exec(c.t.Context(), sql, text); err != nil {
			c.t.Fatalf("%s: %v", sql, err)
		}
	}
	entry := db.AuditEntry{EntityType: text, Entity: text, Action: text, Allowed: true, Actor: db.Actor{Login: text, Route: text},
		Detail: map[string]any{"before": map[string]any{text: text}, "after": map[string]any{text: text + "!"}, text: text}}
	for range 3 {
		if err := c.db.AuditAlone(c.t.Context(), entry); err != nil {
			c.t.Fatal(err)
		}
	}
}

// shapes asks for all pages, then empties the trail for the next text.
func (c *console) shapes(pages []string) []string {
	c.t.Helper()
	var shapes []string
	for _, path := range pages {
		got, body := c.ask("kim", http.MethodGet, path, nil)
		if got.StatusCode != http.StatusOK {
			c.t.Errorf("%s: got %d", path, got.StatusCode)
		}
		shapes = append(shapes, shape(c.t, body))
	}
	for _, sql := range []string{`ALTER TABLE xtk.audit DISABLE TRIGGER USER`, `DELETE FROM xtk.audit`} {
		if _, err := c.db.Pool.Exec(c.t.Context(), sql); err != nil {
			c.t.Fatal(err)
		}
	}
	return shapes
}

// Hostile text in every field that people, strangers and workflows fill in changes no element of any page.
func TestHostileText(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for _, sql := range someHistory {
		if _, err := c.db.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	c.write("first")
	pages := c.pagesOf()
	c.shapes(pages)
	c.write("harmless")
	want := c.shapes(pages)
	for _, text := range hostile() {
		c.write(text)
		shapes := c.shapes(pages)
		if !slices.Equal(shapes, want) {
			// The tape has moved on, perhaps: what harmless text makes of the pages now decides.
			c.write("harmless")
			want = c.shapes(pages)
			c.write(text)
			shapes = c.shapes(pages)
		}
		for i, got := range shapes {
			if got != want[i] {
				t.Errorf("%s with %q: its elements differ from those with harmless text\n%s", pages[i], text, firstDifference(got, want[i]))
			}
		}
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got " + g[i] + ", want " + w[i]
		}
	}
	return "one is longer"
}

// Nothing in the templates goes around templ's escaping.
func TestNoWayAroundEscaping(t *testing.T) {
	t.Parallel()
	templates, err := filepath.Glob("../views/*.templ")
	if err != nil || len(templates) == 0 {
		t.Fatalf("got %d templates, %v", len(templates), err)
	}
	for _, name := range templates {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range []string{"templ.Raw", "templ.Unsafe", "template.HTML", "hx-on", "hx-delete", "js:", "javascript:", "<style", "style="} {
			if strings.Contains(string(text), way) {
				t.Errorf("%s has %q, want none", name, way)
			}
		}
	}
}
