package web

import (
	"net/http"
	"strings"
	"testing"
)

func TestCalendarPage(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if got, body := c.ask("kim", http.MethodGet, "/calendar", nil); got.StatusCode != http.StatusOK || !strings.Contains(body, "No delivery is scheduled for the next 30 days.") {
		t.Errorf("without a delivery: got %d, want 200 and that there is none", got.StatusCode)
	}
	if _, err := c.db.Pool.Exec(t.Context(), `
		INSERT INTO nms.delivery (id, internal_name, label, state, schedule_mode, contact_date, target_def, to_deliver, forecasted, forecast_count, forecast_date, message_type)
		VALUES (1, 'a', 'Summer <sale>', 'editing', 'scheduled', now() + interval '2 days', '{}', 0, true, 8120, now() - interval '1 hour', 0),
		       (2, 'b', 'Prepared one', 'target_ready', 'scheduled', now() + interval '3 days', NULL, 1480, false, NULL, NULL, 1),
		       (3, 'c', 'Waiting one', 'editing', 'scheduled', now() + interval '4 days', '{}', 0, false, NULL, NULL, 2),
		       (4, 'd', 'Too late', 'editing', 'scheduled', now() + interval '31 days', '{}', 0, false, NULL, NULL, 0),
		       (5, 'e', 'By hand', 'editing', 'manual', now() + interval '2 days', '{}', 0, false, NULL, NULL, 0);
		INSERT INTO nms.typology_rule (id, internal_name, label, rule_type) VALUES (1, 'p', 'Max 3', 'pressure'), (2, 'f', 'Minors', 'filtering'), (3, 'c', 'Call centre', 'capacity');
		INSERT INTO nms.dlv_exclusion (delivery_id, typology_rule_id, excluded_count) VALUES (1, 1, 8100), (1, 2, 20), (2, 1, 20), (2, 2, 999), (2, 3, 0);
		INSERT INTO nms.volume_line (typology_rule_id, start_date, end_date, initial, consumed)
		VALUES (3, now() + interval '1 hour', now() + interval '2 hours', 10, 10), (3, now() + interval '2 hours', now() + interval '3 hours', 10, 2)`); err != nil {
		t.Fatal(err)
	}
	_, body := c.ask("kim", http.MethodGet, "/calendar", nil)
	for _, want := range []string{"3 deliveries: 1,480 messages to send, 8,140 excluded", "Summer &lt;sale&gt;", "nobody is left", "8,100 excluded by Max 3", "20 excluded by Minors",
		"1,480 messages", "20 excluded by Max 3", "messages prepared", "not forecast yet", "12 of 20 messages", "2 lines, 1 full", "Forecast of ", "/workflows/forecasting"} {
		if !strings.Contains(body, want) {
			t.Errorf("the calendar: want %q in it", want)
		}
	}
	for _, not := range []string{"Too late", "By hand", "999 excluded"} {
		if strings.Contains(body, not) {
			t.Errorf("the calendar: got %q, want it left out", not)
		}
	}
}
