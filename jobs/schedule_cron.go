package jobs

import (
	"strings"
)

// cronField is one of the five fields of a cron expression: its key in messages, its range and its names.
type cronField struct {
	key        string
	first, end int
	names      string // from first on, three letters each
}

var cronFields = [5]cronField{
	{"minute", 0, 59, ""},
	{"hour", 0, 23, ""},
	{"day", 1, 31, ""},
	{"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	{"weekday", 0, 7, "sunmontuewedthufrisat"},
}

// compileCron reads an expression of five fields: minute, hour, day of month, month, day of week. A field is "*"
// or a list of numbers, names (jan, mon) and ranges, each with a step if wanted ("*/15", "10-50/20", "5/10" is
// "from 5 on"). Sunday is 0 and 7. Where day of month and day of week are both restricted a day matches when
// either does; a field that begins with "*" ("*/2") restricts nothing for this rule, and then both must match.
func compileCron(expression string, c *calendar) error {
	fields := strings.Fields(expression)
	if len(fields) != 5 {
		return refuse("cron", "cron_fields", len(fields))
	}
	var sets [5]uint64
	for i, text := range fields {
		set, err := parseCronField(strings.ToLower(text), cronFields[i])
		if err != nil {
			return err
		}
		sets[i] = set
	}
	for hour := range c.minutes {
		if sets[1]>>hour&1 == 1 {
			c.minutes[hour] = sets[0]
		}
	}
	c.days = uint32(sets[2])
	c.months = uint16(sets[3])
	c.weekdays = uint8(sets[4] | sets[4]>>7&1) // 7 is Sunday, too
	c.weekdays &= 1<<7 - 1
	c.either = fields[2][0] != '*' && fields[4][0] != '*'
	c.interval = strings.ContainsAny(fields[0]+fields[1], "*/")
	return nil
}

func parseCronField(text string, field cronField) (uint64, error) {
	var set uint64
	for part := range strings.SplitSeq(text, ",") {
		bits, err := parseCronPart(part, field)
		if err != nil {
			return 0, err
		}
		set |= bits
	}
	return set, nil
}

// parseCronPart reads "*", a value or a range, with or without a step.
func parseCronPart(part string, field cronField) (uint64, error) {
	span, stepText, stepped := strings.Cut(part, "/")
	step := 1
	if stepped {
		var ok bool
		if step, ok = digits(stepText); !ok || step == 0 {
			return 0, refuse("cron", "cron_step", stepText)
		}
	}
	from, to := field.first, field.end
	if span != "*" {
		low, high, ranged := strings.Cut(span, "-")
		var err error
		if from, err = field.value(low); err != nil {
			return 0, err
		}
		switch {
		case ranged:
			if to, err = field.value(high); err != nil {
				return 0, err
			}
		case !stepped:
			to = from
		}
	}
	if field.key == "weekday" && to == 7 && (span == "*" || !strings.Contains(span, "-")) && from != 7 {
		to = 6 // "*" and "1/2" end on Saturday: Sunday is day 0
	}
	if to < from {
		return 0, refuse("cron", "cron_backwards", span)
	}
	var set uint64
	for value := from; value <= to; value += step {
		set |= 1 << value
	}
	return set, nil
}

// value reads a number or a name of the field.
func (f cronField) value(text string) (int, error) {
	if len(text) == 3 && f.names != "" {
		if i := strings.Index(f.names, text); i >= 0 && i%3 == 0 {
			return f.first + i/3, nil
		}
	}
	number, ok := digits(text)
	switch {
	case !ok && allDigits(text):
		return 0, refuse("cron", f.key, text)
	case !ok:
		return 0, refuse("cron", "cron_word", text)
	case number < f.first || number > f.end:
		return 0, refuse("cron", f.key, text)
	default:
		return number, nil
	}
}

func allDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
