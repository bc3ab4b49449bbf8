package delivery_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/jobs/jobtest"
)

// who lists the excluded provisional messages, as delivery/recipient.
const who = `SELECT string_agg(delivery_id || '/' || recipient_id, ' ' ORDER BY delivery_id, recipient_id) FROM nms.forecast_log WHERE excluded_by_rule_id IS NOT NULL`

// failsOf runs the forecast, which must fail and say why.
func failsOf(t testing.TB, d *db.DB, why string) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, forecasting, may)
	if got.Status != "failed" || !strings.Contains(got.Message, why) {
		t.Errorf("got %s (%s), want failed with %q", got.Status, got.Message, why)
	}
	return got
}

// TestForecastRefusesFormulas: what is not one expression over marketing data isolates its rule, and runs nothing.
func TestForecastRefusesFormulas(t *testing.T) {
	t.Parallel()
	d := planned(t, `CREATE TABLE nms.touched (n int)`, `CREATE SEQUENCE nms.ticket`,
		`CREATE FUNCTION nms.touch() RETURNS int LANGUAGE sql AS 'INSERT INTO nms.touched VALUES (1) RETURNING n'`,
		onDay(1, "05-21", ""), ruled(5, "pressure", `{"threshold": 0, "recipient_filter": "r.id = 3"}`))
	formulas := map[string]string{
		"1) AS numeric); DELETE FROM nms.recipient; SELECT CAST((1":   "cannot insert multiple commands",
		"1) FROM nms.recipient WHERE (true":                           "syntax error",
		"nms.touch()":                                                 "calls touch",
		"nextval('nms.ticket')":                                       "calls nextval",
		"(SELECT count(*) FROM xtk.operator)":                         "reads xtk.operator",
		"1) AS numeric)) OR (CAST((1":                                 "syntax error",
		"(SELECT count(*) FROM nms.group), 1":                         "cannot cast type record",
		"length(table_to_xml('xtk.operator', true, false, '')::text)": "calls table_to_xml",
		"status":                              `column "status" does not exist`,
		"$1":                                  "no place for arguments",
		"pg_sleep(1)::text::int":              "calls pg_sleep",
		"length(pg_read_file('/etc/passwd'))": "calls pg_read_file",
		"(WITH gone AS (DELETE FROM nms.recipient RETURNING 1) SELECT 1)": "WITH clause containing a data-modifying statement must be at the top level",
	}
	n := 10
	for formula := range formulas {
		n++
		do(t, d, ruled(n, "pressure", `{"threshold_formula": "`+formula+`"}`))
	}
	do(t, d, ruled(90, "pressure", `{"treshold": 3}`), ruled(91, "pressure", `{}`), ruled(92, "pressure", `{"threshold": 1, "grouping": "fortnight"}`),
		ruled(93, "filtering", `{}`), ruled(94, "capacity", `{"schedule": {"days": [8], "from": "9:00", "to": "17:00", "minutes": 60}}`),
		ruled(95, "capacity", `{"schedule": {"days": [1], "from": "19:00", "to": "17:00", "minutes": 60}}`))
	got := failsOf(t, d, "rule 'Rule 90'")
	for _, why := range formulas {
		tells(t, got, why)
	}
	for _, why := range []string{`unknown field "treshold"`, "it has no threshold", `grouping "fortnight"`, "it has no filter", "days of the week are numbers", "hours from"} {
		tells(t, got, why)
	}
	// The rule that is right was applied all the same.
	want(t, d, [2]string{who, "1/3"}, [2]string{`SELECT count(*) FROM nms.recipient`, "3"}, [2]string{`SELECT count(*) FROM nms.touched`, "0"})
}

// TestForecastBrokenRuleKeepsItsExclusions: one that fails on the data keeps what it excluded the night before.
func TestForecastBrokenRuleKeepsItsExclusions(t *testing.T) {
	t.Parallel()
	d := planned(t, ruled(1, "pressure", `{"threshold_formula": "2 - r.id % 2 * 2"}`), ruled(2, "filtering", `{"filter": "r.id = 2"}`),
		onDay(1, "05-21", ""), onDay(2, "05-22", ""), prepare(2, "target_ready"))
	foresees(t, d)
	const before = "1/1 1/2 1/3"
	want(t, d, [2]string{who, before}, [2]string{prepared, "target_ready 1 2 ignored/12:2 pending/0:1 out:2"})
	do(t, d, `UPDATE nms.typology_rule SET params = '{"threshold_formula": "1 / (r.status - r.status)"}' WHERE id = 1`,
		`UPDATE nms.typology_rule SET params = '{"filter": "r.custom ->> 1 = r.nothing"}' WHERE id = 2`)
	got := failsOf(t, d, "division by zero")
	tells(t, got, "rule 'Rule 2'")
	want(t, d, [2]string{who, before}, [2]string{prepared, "target_ready 1 2 ignored/12:2 pending/0:1 out:2"},
		[2]string{`SELECT string_agg(concat_ws('/', delivery_id, typology_rule_id, excluded_count), ' ' ORDER BY delivery_id, typology_rule_id) FROM nms.dlv_exclusion`,
			"1/1/2 1/2/1 2/1/2"})
	// Deactivated, they exclude nobody any more.
	do(t, d, `UPDATE nms.typology_rule SET active = false`)
	foresees(t, d)
	want(t, d, [2]string{who, ""}, [2]string{prepared, "target_ready 3 0 pending/0:3 out:0"}, [2]string{`SELECT count(*) FROM nms.dlv_exclusion`, "0"})
}

func TestForecastPressureParameters(t *testing.T) {
	t.Parallel()
	calendar := `, "period_days": 7, "use_calendar": true`
	for name, test := range map[string]struct {
		params, want string
		more         []string
	}{
		"formula without a value limits nobody": {`{"threshold_formula": "CASE WHEN r.id = 1 THEN 1 END"` + calendar + `}`, "2/1 3/1", nil},
		"a household counts as one":             {`{"threshold": 3, "dimension": "r.account"` + calendar + `}`, "2/2 3/1 3/2", nil},
		"weights by formula":                    {`{"threshold": 1, "weight_formula": "d.id + CASE r.id WHEN 1 THEN -100 * d.id ELSE 0 END"` + calendar + `}`, "1/2 1/3 2/1 2/2 2/3 3/1", nil},
		"only what the filter says counts":      {`{"threshold": 1, "message_filter": "d.id <> 1"` + calendar + `}`, "3/1 3/2 3/3", nil},
		"only whom the filter says is limited":  {`{"threshold": 1, "recipient_filter": "r.email LIKE 'p2%'"` + calendar + `}`, "2/2 3/2", nil},
		"another channel":                       {`{"threshold": 1` + calendar + `}`, "3/1 3/2 3/3", []string{`UPDATE nms.typology_rule SET message_type = 0`, `UPDATE nms.delivery SET message_type = 1 WHERE id = 2`}},
		"past its validity":                     {`{"threshold": 1` + calendar + `}`, "2/1 2/2 2/3", []string{`UPDATE nms.typology_rule SET validity_to = '2026-05-23'`}},
		"other typologies count and stay":       {`{"threshold": 1` + calendar + `}`, "1/1 1/2 1/3 2/1 2/2 2/3", []string{`UPDATE nms.delivery SET typology_id = 2, weight = 99 WHERE id = 3; UPDATE nms.delivery SET weight = 4 WHERE id < 3`}},
		"only personalized ones count":          {`{"threshold": 1` + calendar + `}`, "3/1 3/2 3/3", []string{`UPDATE nms.delivery SET analysis_mode = 'target' WHERE id = 1`}},
		"proofs, seeds and failures":            {`{"threshold": 1, "period_days": 7}`, "", []string{`UPDATE nms.broad_log SET flags = 1 WHERE recipient_id = 1; UPDATE nms.broad_log SET status = 'failed' WHERE recipient_id = 2; UPDATE nms.broad_log SET event_date = '2026-04-01' WHERE recipient_id = 3`}},
		"sent ones press":                       {`{"threshold": 1, "period_days": 7}`, "1/1 1/2 1/3 2/1 2/2 2/3 3/1 3/2 3/3", nil},
		"pending of started ones press":         {`{"threshold": 1, "period_days": 7, "recipient_filter": "r.id = 1"}`, "1/1 2/1 3/1", []string{`UPDATE nms.broad_log SET status = 'pending', event_date = NULL; UPDATE nms.delivery SET state = 'in_progress', contact_date = '2026-05-19' WHERE id = 9`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := planned(t, ruled(1, "pressure", test.params), onDay(1, "05-21", ""), onDay(2, "05-22", ""), onDay(3, "05-23", ""), onDay(9, "05-18", "state = 'finished'"))
			if strings.Contains(test.params, "_days\": 7}") || strings.Contains(test.params, "7, \"rec") {
				do(t, d, `INSERT INTO nms.broad_log (delivery_id, recipient_id, status, event_date, created) SELECT 9, id, 'accepted', '2026-05-18', '2026-05-18' FROM nms.recipient`)
			}
			do(t, d, test.more...)
			got := foresees(t, d)
			want(t, d, [2]string{who, test.want})
			if strings.Contains(name, "without a value") {
				tells(t, got, "warning rule 'Rule 1': its threshold is null for 6 messages")
			}
		})
	}
}

// TestForecastFrequency: a decision holds for as long as the rule says.
func TestForecastFrequency(t *testing.T) {
	t.Parallel()
	d := planned(t, ruled(1, "pressure", `{"threshold": 1, "use_calendar": true, "period_days": 7}`), onDay(1, "05-21", ""), onDay(2, "05-22", ""),
		`UPDATE nms.typology_rule SET frequency_seconds = 3 * 86400`)
	foresees(t, d)
	want(t, d, [2]string{who, "2/1 2/2 2/3"})
	do(t, d, `UPDATE nms.delivery SET weight = 50 WHERE id = 2`)
	foresees(t, d)
	want(t, d, [2]string{who, "2/1 2/2 2/3"})
	do(t, d, `UPDATE nms.dlv_exclusion SET applied = applied - interval '3 days'`)
	foresees(t, d)
	want(t, d, [2]string{who, "1/1 1/2 1/3"}, [2]string{`SELECT min(applied) FROM nms.dlv_exclusion`, "2026-05-19 16:00:00+00"})
}

func TestForecastCapacity(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		params, want, warns string
		more                []string
	}{
		"the line of the contact date":  {`, "exclude_excess": true`, "1/3", "", []string{`UPDATE nms.volume_line SET initial = 5`}},
		"the greater weight first":      {`, "exclude_excess": true`, "1/2 1/3", "", []string{`UPDATE nms.volume_line SET initial = 4; UPDATE nms.delivery SET weight = 6 WHERE id = 2`}},
		"first by the formula":          {`, "exclude_excess": true, "order_formula": "-r.id"`, "1/1 2/1", "", []string{`UPDATE nms.volume_line SET initial = 4`}},
		"spread over the lines after":   {`, "exclude_excess": true, "spread": true`, "1/3", "", []string{`UPDATE nms.volume_line SET initial = 1; UPDATE nms.delivery SET validity = '2026-05-26 14:00+09'`}},
		"what others have used is gone": {`, "exclude_excess": true`, "1/1 1/2 1/3 2/2 2/3", "", []string{`UPDATE nms.volume_line SET initial = 5, consumed = 5; INSERT INTO nms.volume_consumed (typology_rule_id, volume_line_id, delivery_id, consumed) SELECT 2, id, 2, 1 FROM nms.volume_line`}},
		"for information only":          {``, "", "", []string{`UPDATE nms.volume_line SET initial = 0`}},
		"no line at the contact date":   {`, "exclude_excess": true`, "", "has no availability line for its contact date", []string{`UPDATE nms.delivery SET contact_date = '2026-05-26 19:00+09'`}},
		"beyond the last line":          {`, "exclude_excess": true, "spread": true`, "", "has no availability line", []string{`UPDATE nms.typology_rule SET validity_to = NULL; UPDATE nms.delivery SET contact_date = '2026-12-24 19:00+09'`}},
		"what pressure excluded is out": {`, "exclude_excess": true`, "1/1 1/2 1/3", "", []string{`UPDATE nms.volume_line SET initial = 3; ` + ruled(1, "pressure", `{"threshold": 0, "recipient_filter": "true", "message_filter": "true"}`) + `; UPDATE nms.delivery SET typology_id = 3 WHERE id = 2; INSERT INTO nms.typology (id, internal_name, label) VALUES (3, 'x', 'x'); INSERT INTO nms.typology_rule_rel VALUES (3, 2)`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := planned(t, officeHours(test.params))
			foresees(t, d)
			do(t, d, onDay(2, "05-26", ""), onDay(1, "05-26", "contact_date = contact_date + interval '1 minute'"))
			do(t, d, test.more...)
			got := foresees(t, d)
			want(t, d, [2]string{who, test.want}, [2]string{`SELECT sum(consumed) = sum(initial) * 0 OR sum(consumed) = 200 FROM nms.volume_line`, "true"})
			if test.warns != "" {
				tells(t, got, test.warns)
			}
		})
	}
}

func TestForecastTargets(t *testing.T) {
	t.Parallel()
	lists := []string{`INSERT INTO nms.group (id, internal_name, label, type, delete_status, schema_name)
		VALUES (1, 'club', 'Club', 0, 0, 'nms:recipient'), (2, 'own', 'Own', 1, 0, 'nms:recipient'), (3, 'gone', 'Gone', 0, 1, 'nms:recipient'),
		       (4, 'visitors', 'Visitors', 0, 0, 'nms:visitor'), (5, 'untabled', 'Without table', 1, 0, 'nms:recipient')`,
		`INSERT INTO nms.rcp_grp_rel (group_id, recipient_id) VALUES (1, 1), (1, 2), (1, 999)`, `CREATE TABLE nms.grp2 (id bigint, recipient_id bigint)`,
		`INSERT INTO nms.grp2 VALUES (1, 2), (2, 3), (3, 3)`}
	right := map[string]string{
		`{"query": "true"}`:                                          "1 2 3",
		`{"query": "true", "limit": 2}`:                              "1 2",
		`{"lists": ["club"]}`:                                        "1 2",
		`{"lists": ["own"]}`:                                         "2 3",
		`{"lists": ["club", "own"]}`:                                 "1 2 3",
		`{"lists": ["club"], "query": "r.id = 1) OR (r.id = 3"}`:     "1",
		`{"lists": ["own"], "query": "r.account = 'home' OR false"}`: "2",
		`{"query": "EXISTS (SELECT FROM nms.rcp_grp_rel g WHERE g.recipient_id = r.id)"}`: "1 2",
		`{"query": "r.email = 'p1@example.com' -- so"}`:                                   "1",
		`{"query": "r.status > 5"}`:                                                       "",
	}
	wrong := map[string]string{
		`{}`:                      "neither a list nor a query",
		`{"lists": ["nowhere"]}`:  "there is no list of recipients 'nowhere'",
		`{"lists": ["gone"]}`:     "there is no list of recipients 'gone'",
		`{"lists": ["visitors"]}`: "there is no list of recipients 'visitors'",
		`{"lists": ["untabled"]}`: "there is no list of recipients 'untabled'",
		`{"filter": "true"}`:      `unknown field "filter"`,
		`{"query": "r.nothing"}`:  "missing FROM-clause entry",
		`[1]`:                     "target definition",
	}
	d := planned(t, lists...)
	ids := map[string]int{}
	for _, target := range append(slices.Collect(maps.Keys(right)), slices.Collect(maps.Keys(wrong))...) {
		ids[target] = len(ids) + 1
		do(t, d, onDay(ids[target], "05-21", "target_def = $j$"+target+"$j$"))
	}
	got := failsOf(t, d, "delivery ")
	for target, expected := range right {
		if members := one(t, d, fmt.Sprintf(`SELECT string_agg(recipient_id::text, ' ' ORDER BY recipient_id) FROM nms.forecast_log WHERE delivery_id = %d`, ids[target])); members != expected {
			t.Errorf("%s: got %s, want %s", target, members, expected)
		}
	}
	for target, why := range wrong {
		tells(t, got, fmt.Sprintf("warning delivery %[1]d 'Newsletter %[1]d': ", ids[target]))
		tells(t, got, why)
	}
	want(t, d, [2]string{`SELECT count(*) FROM nms.delivery WHERE forecasted`, fmt.Sprint(len(right))})
}

// TestForecastRefreshedList: a list that somebody is filling anew leaves its delivery as it was the night before.
func TestForecastRefreshedList(t *testing.T) {
	t.Parallel()
	d := planned(t, `INSERT INTO nms.group (id, internal_name, label, type) VALUES (2, 'own', 'Own', 1)`, `CREATE TABLE nms.grp2 (recipient_id bigint)`,
		`INSERT INTO nms.grp2 VALUES (1), (2)`, onDay(1, "05-21", `target_def = '{"lists": ["own"]}'`), onDay(2, "05-22", ""))
	foresees(t, d)
	tx, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `TRUNCATE nms.grp2`); err != nil {
		t.Fatal(err)
	}
	tells(t, foresees(t, d), "warning Delivery 1 skipped: its target is being refreshed")
	want(t, d, [2]string{`SELECT string_agg(delivery_id || ':' || n, ' ' ORDER BY delivery_id) FROM (SELECT delivery_id, count(*) AS n FROM nms.forecast_log GROUP BY delivery_id) l`, "1:2 2:3"})
}

func TestForecastCalendar(t *testing.T) {
	t.Parallel()
	tests := []struct{ set, forecasted string }{
		{`contact_date = NULL`, "f"}, {`contact_date = '2026-05-19'`, "f"}, {`schedule_mode = 'manual'`, "f"}, {`is_model = true`, "f"}, {`proofed_delivery_id = 99`, "f"},
		{`delete_status = 'yes'`, "f"}, {`state = 'finished'`, "f"}, {`target_def = NULL`, "f"}, {`emitter_account_id = 1, emitter_delivery_id = 1`, "f"},
		{`mapping_id = (SELECT id FROM nms.delivery_mapping WHERE internal_name = 'mapSubscribe')`, "t 3 p1@example.com"}, {`mapping_id = NULL`, "t 3 p1@example.com"},
		{`target_def = NULL, to_deliver = 40`, "t 40"}, {`state = 'target_pending'`, "t 3 p1@example.com"}, {`message_type = 1`, "t 3 +82101"},
	}
	d := planned(t, onDay(99, "05-22", ""))
	for i := range tests {
		do(t, d, onDay(i+1, "05-21", ""))
	}
	foresees(t, d)
	for i, test := range tests {
		do(t, d, fmt.Sprintf(`UPDATE nms.delivery SET %s WHERE id = %d`, test.set, i+1))
	}
	foresees(t, d)
	for i, test := range tests {
		got := one(t, d, fmt.Sprintf(`SELECT concat_ws(' ', forecasted, forecast_count, (SELECT min(address) FROM nms.forecast_log WHERE delivery_id = d.id))
			FROM nms.delivery d WHERE id = %d`, i+1))
		if got != test.forecasted {
			t.Errorf("%s: got %s, want %s", test.set, got, test.forecasted)
		}
	}
}

// TestForecastOtherTargets: there is no rule for people who are not recipients.
func TestForecastOtherTargets(t *testing.T) {
	t.Parallel()
	d := planned(t, onDay(1, "05-21", `mapping_id = (SELECT id FROM nms.delivery_mapping WHERE internal_name = 'mapVisitor')`), onDay(2, "05-21", ""))
	tells(t, foresees(t, d), "1 deliveries in the provisional calendar, 1 to other targets than recipients left out")
	want(t, d, [2]string{`SELECT string_agg(DISTINCT delivery_id::text, ' ') FROM nms.forecast_log`, "2"})
}

// TestForecastWeights: the delivery's own weight, else the option's formula, else 5.
func TestForecastWeights(t *testing.T) {
	t.Parallel()
	d := planned(t, onDay(1, "05-21", "weight = 7"), onDay(2, "05-22", ""),
		`INSERT INTO xtk.option (name, data_type, string_value) VALUES ('NmsForecast_MsgWeightFormula', 'string', 'CASE r.id WHEN 1 THEN 8.6 WHEN 2 THEN NULL ELSE d.id END')`)
	foresees(t, d)
	const weights = `SELECT string_agg(weight::text, ' ' ORDER BY delivery_id, recipient_id) FROM nms.forecast_log`
	want(t, d, [2]string{weights, "7 7 7 9 5 2"})
	for formula, why := range map[string]string{"1 / 0": "division by zero", "nothing": "does not exist"} {
		do(t, d, `UPDATE xtk.option SET string_value = '`+formula+`' WHERE name = 'NmsForecast_MsgWeightFormula'`)
		failsOf(t, d, "NmsForecast_MsgWeightFormula: ")
		tells(t, failsOf(t, d, why), "a weight of 5 is taken")
		want(t, d, [2]string{weights, "7 7 7 5 5 5"})
	}
}
