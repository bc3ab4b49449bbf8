package web

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"nightshift/db"
	"nightshift/views"
	"nightshift/views/locale"
)

// change is one thing that an entry says has changed. An empty field is the object itself.
type change struct{ field, before, after string }

func auditLines(page views.Page, rows []db.AuditRow) []views.AuditLine {
	lines := make([]views.AuditLine, 0, len(rows))
	for _, row := range rows {
		lines = append(lines, auditLine(page, row))
	}
	return lines
}

// auditLine says in words what an entry holds: one change as before → after, several as a list.
func auditLine(page views.Page, row db.AuditRow) views.AuditLine {
	line := views.AuditLine{Seq: row.Seq, At: row.At, By: row.OperatorLogin, Action: row.Action, Object: row.Entity, Kind: row.EntityType,
		From: row.IP, Refused: !row.Allowed}
	if key := "audit.kind_" + row.EntityType; locale.Has(key) {
		line.Kind = page.T(key)
	}
	if key := "audit.action_" + strings.ToLower(strings.ReplaceAll(row.Action, " ", "_")); locale.Has(key) {
		line.Action = page.T(key)
	}
	var detail map[string]any
	if json.Unmarshal([]byte(row.Detail), &detail) != nil {
		line.Note = row.Detail
		return line
	}
	changes, notes := changesOf(page, detail)
	for i, one := range changes {
		changes[i].before, changes[i].after = stateWord(page, one.field, one.before), stateWord(page, one.field, one.after)
	}
	if row.EntityType == "option" && strings.HasSuffix(row.Entity, "PurgeDelay") {
		for i := range changes {
			changes[i].before, changes[i].after = inDays(page, changes[i].before), inDays(page, changes[i].after)
		}
	}
	if len(changes) == 1 {
		only := changes[0]
		line.Before, line.After = named(page, only.field, only.before), only.after
		if only.before == "" {
			line.After = named(page, only.field, only.after)
		}
	}
	if len(changes) > 1 {
		for _, one := range changes {
			text := named(page, one.field, one.after)
			if one.before != "" {
				text = named(page, one.field, one.before) + " → " + views.OrNone(one.after)
			}
			notes = append(notes, text)
		}
	}
	if right, ok := detail["right"].(string); ok && line.Refused {
		notes = []string{page.T("audit.needs", rightName(page, right))}
	}
	if reason, ok := detail["reason"].(string); ok && row.EntityType == "session" {
		notes = []string{reasonName(page, reason)}
	}
	line.Note = strings.Join(notes, "; ")
	return line
}

// inDays shows a purge delay as people set it: it is kept in seconds.
func inDays(page views.Page, seconds string) string {
	if n, err := strconv.ParseInt(seconds, 10, 64); err == nil && n%86400 == 0 {
		return page.T("audit.days", n/86400)
	}
	return seconds
}

func reasonName(page views.Page, reason string) string {
	if key := "audit.reason_" + strings.ReplaceAll(reason, " ", "_"); locale.Has(key) {
		return page.T(key)
	}
	return reason
}

// stateWord is a workflow's state in the page's language; other values stand as they are.
func stateWord(page views.Page, field, value string) string {
	if word, ok := map[string]string{"decision": "bounce.status_", "failure_type": "bounce.type_", "failure_reason": "bounce.reason_"}[field]; ok && locale.Has(word+value) {
		return page.T(word + value)
	}
	if strings.HasPrefix(field, "alarm_") && locale.Has("alarm.state_"+value) {
		return page.T("alarm.state_" + value)
	}
	if field != "state" || value == "" {
		return value
	}
	switch value {
	case db.BeingEdited:
		return page.T("state.edited")
	case db.Finished:
		return page.T("state.ended")
	}
	if key := "state." + value; locale.Has(key) {
		return page.T(key)
	}
	return value
}

// named puts a field's name before its value, except where the value says it all.
func named(page views.Page, field, value string) string {
	if value == "" || field == "" || field == "state" {
		return value
	}
	if key := "audit.field_" + field; locale.Has(key) {
		return page.T(key) + " " + value
	}
	// The field of a named object has blanks, and the name stands as it is.
	if strings.Contains(field, " ") {
		return field + " " + value
	}
	return strings.ReplaceAll(field, "_", " ") + " " + value
}

// changesOf reads the forms that details have: "before" and "after" of the object or of its fields, "changed" by field,
// and facts that stand alone.
func changesOf(page views.Page, detail map[string]any) (changes []change, notes []string) {
	before, after := fieldsOf(detail["before"]), fieldsOf(detail["after"])
	if _, changed := detail["after"]; !changed {
		// An order that leaves the workflow as it is says only what it found.
		before = map[string]any{}
	}
	if fields, ok := detail["changed"].(map[string]any); ok {
		for field, pair := range fields {
			if pair, ok := pair.(map[string]any); ok {
				before[field], after[field] = pair["before"], pair["after"]
			}
		}
	}
	all := map[string]bool{}
	for field := range before {
		all[field] = true
	}
	for field := range after {
		all[field] = true
	}
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if was, is := plain(before[field]), plain(after[field]); was != is && (was != "" || is != "false") {
			changes = append(changes, change{field, was, is})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(detail)) {
		if !oneOf(key, "before", "after", "changed") {
			notes = append(notes, named(page, key, plain(detail[key])))
		}
	}
	return changes, notes
}

func fieldsOf(value any) map[string]any {
	if fields, ok := value.(map[string]any); ok {
		return fields
	}
	if value == nil {
		return map[string]any{}
	}
	return map[string]any{"": value}
}

// plain writes a value of a detail as a person would.
func plain(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool, float64:
		return fmt.Sprint(v)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}

func hexText(b []byte) string { return hex.EncodeToString(b) }

func join(texts []string) string { return strings.Join(texts, ", ") }
