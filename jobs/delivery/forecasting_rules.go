package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// rule is an active typology rule that may exclude messages.
type rule struct {
	id             int64
	label, kind    string // kind: filtering, pressure or capacity
	typologies     []int64
	messageType    *int16 // nil: all channels
	frequency      time.Duration
	validFrom, end *time.Time
	ruleParams
	// wrong is why the rule is left out tonight: what it excluded the last time stays excluded.
	wrong error
}

// ruleParams are the parameters of a rule of any kind. Those that end in formula, and the filters, are SQL expressions
// over the recipient r; with r and the delivery d where it says so.
type ruleParams struct {
	// Filter excludes the recipients for which it holds (filtering; r, d).
	Filter string `json:"filter"`

	// Threshold, or else ThresholdFormula, is the number of messages from which on no more are allowed (pressure).
	Threshold        *int   `json:"threshold"`
	ThresholdFormula string `json:"threshold_formula"`
	// WeightFormula gives the weight of a message whose delivery has none of its own (r, d).
	WeightFormula   string `json:"weight_formula"`
	PeriodDays      int    `json:"period_days"`
	Grouping        string `json:"grouping"`
	UseCalendar     bool   `json:"use_calendar"`
	RecipientFilter string `json:"recipient_filter"`
	// MessageFilter says which deliveries count (d).
	MessageFilter string `json:"message_filter"`
	// Dimension is what messages are counted for, a household for instance; empty: the recipient.
	Dimension string `json:"dimension"`

	// The lines of a capacity rule, and whether what exceeds them is excluded: first comes the lowest value of
	// OrderFormula (r, d), then the weight decides. Spread lets a delivery use the lines after its contact date as well.
	Schedule      capacityHours `json:"schedule"`
	Quantity      float64       `json:"quantity"`
	ExcludeExcess bool          `json:"exclude_excess"`
	Spread        bool          `json:"spread"`
	OrderFormula  string        `json:"order_formula"`
}

// readRules lists the active rules in their order, each with its parameters checked.
func (f *forecast) readRules(ctx context.Context) error {
	var raw [][]byte
	err := f.Query(ctx, func(rows pgx.Rows) error {
		r := &rule{}
		var seconds int64
		var params []byte
		err := rows.Scan(&r.id, &r.label, &r.kind, &r.messageType, &seconds, &params, &r.validFrom, &r.end, &r.typologies)
		r.frequency = time.Duration(seconds) * time.Second
		f.rules, raw = append(f.rules, r), append(raw, params)
		return err
	}, `
		SELECT r.id, r.label, r.rule_type, r.message_type, r.frequency_seconds, r.params, r.validity_from, r.validity_to,
		       ARRAY(SELECT l.typology_id FROM nms.typology_rule_rel l WHERE l.rule_id = r.id)
		FROM nms.typology_rule r
		WHERE r.active
		  AND r.rule_type IN ('filtering', 'pressure', 'capacity')
		ORDER BY r.rule_order, r.id`)
	if err != nil {
		return fmt.Errorf("read the typology rules: %w", err)
	}
	return f.Tx(ctx, func(tx pgx.Tx) error {
		for i, r := range f.rules {
			wrong, err := f.checkRule(ctx, tx, r, raw[i])
			if err != nil {
				return fmt.Errorf("check rule %d: %w", r.id, err)
			}
			if wrong != nil {
				f.leaveOut(r, wrong)
			}
		}
		return nil
	})
}

// leaveOut goes on without a rule.
func (f *forecast) leaveOut(r *rule, wrong error) {
	r.wrong = fmt.Errorf("rule '%s': %s", r.label, said(wrong))
	f.Warn("%s: the rule is left out", r.wrong)
}

func (f *forecast) checkRule(ctx context.Context, tx pgx.Tx, r *rule, params []byte) (wrong, err error) {
	if err := strictly(params, &r.ruleParams); err != nil {
		return fmt.Errorf("parameters: %w", err), nil
	}
	switch {
	case r.kind == "filtering" && r.Filter == "":
		return errors.New("it has no filter"), nil
	case r.kind == "pressure" && r.Threshold == nil && r.ThresholdFormula == "":
		return errors.New("it has no threshold"), nil
	case r.PeriodDays < 0 || r.PeriodDays > 3660:
		return fmt.Errorf("a period of %d days, want 0 to 3660", r.PeriodDays), nil
	case !slices.Contains([]string{"", "none", "day", "week", "month", "quarter", "year"}, r.Grouping):
		return fmt.Errorf("grouping %q, want none, day, week, month, quarter or year", r.Grouping), nil
	case r.kind == "capacity":
		if err := r.Schedule.read(); err != nil {
			return err, nil
		}
	}
	for _, formula := range []struct{ text, kind string }{
		{r.Filter, "boolean"}, {r.RecipientFilter, "boolean"}, {r.MessageFilter, "boolean"}, {r.ThresholdFormula, "numeric"},
		{r.WeightFormula, "numeric"}, {r.OrderFormula, "numeric"}, {r.Dimension, "text"},
	} {
		if formula.text == "" {
			continue
		}
		if wrong, err := f.check(ctx, tx, formula.text, formula.kind); wrong != nil || err != nil {
			return wrong, err
		}
	}
	return nil, nil
}

// strictly reads JSON and refuses what it does not know: a parameter that is overlooked is worse than a rule left out.
func strictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// formula is an expression that was checked, as part of a statement; what it is when nobody wrote one. Its outer parentheses
// are not in what was checked, so no text that passed can close them.
func formula(text, kind, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return "(CAST((" + text + "\n) AS " + kind + "))"
}

// speaksFor reports whether a rule concerns messages of a channel at a moment.
func (r *rule) speaksFor(messageType int16, at time.Time) bool {
	return (r.messageType == nil || *r.messageType == messageType) &&
		(r.validFrom == nil || !at.Before(*r.validFrom)) && (r.end == nil || at.Before(*r.end))
}

// covers reports whether a rule may exclude messages of a delivery.
func (r *rule) covers(d *scheduled) bool {
	return slices.Contains(r.typologies, d.typology) && r.speaksFor(d.messageType, d.contact)
}

// ids lists the active rules for which a condition holds.
func (f *forecast) ids(which func(*rule) bool) []int64 {
	ids := []int64{}
	for _, r := range f.rules {
		if which(r) {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// of lists the active rules of one kind, those left out among them.
func (f *forecast) of(kind string) []*rule {
	var found []*rule
	for _, r := range f.rules {
		if r.kind == kind {
			found = append(found, r)
		}
	}
	return found
}

// wrongOf joins what was wrong with the rules of some kinds.
func (f *forecast) wrongOf(kinds ...string) []error {
	var all []error
	for _, r := range f.rules {
		if r.wrong != nil && slices.Contains(kinds, r.kind) {
			all = append(all, r.wrong)
		}
	}
	return all
}
