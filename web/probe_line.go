package web

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"nightshift/views"
)

const (
	probeLabel = 60 // characters of a label
	probeUnit  = 12 // and of a unit
)

// unknown is an indicator that could not be read, and why.
func unknown(file, trouble string, args ...any) views.Indicator {
	return views.Indicator{Key: "custom", Name: printable(file), File: printable(file), Trouble: trouble, TroubleArgs: args}
}

// readings are the lines that an executable prints: label, value, warning and alert with tabs between, and a unit when there
// is one. Higher is worse; lower where the alert is below the warning. A line that says something else is unknown.
func readings(file, text string) []views.Indicator {
	var all []views.Indicator
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if len(all) == probeMany {
			return append(all, unknown(file, "probe_lines", probeMany))
		}
		reading, ok := readingOf(strings.Split(line, "\t"))
		if !ok {
			reading = unknown(file, "probe_line", number)
		}
		reading.File = printable(file)
		all = append(all, reading)
	}
	if len(all) == 0 {
		all = append(all, unknown(file, "probe_empty"))
	}
	return all
}

func readingOf(fields []string) (views.Indicator, bool) {
	if len(fields) < 4 || len(fields) > 5 {
		return views.Indicator{}, false
	}
	i := views.Indicator{Key: "custom", Name: strings.TrimSpace(fields[0])}
	if i.Name == "" || !shown(i.Name, probeLabel) {
		return i, false
	}
	for at, to := range []*float64{&i.Current, &i.Warning, &i.Alert} {
		value, err := strconv.ParseFloat(strings.TrimSpace(fields[at+1]), 64)
		if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
			return i, false
		}
		*to = value
	}
	if len(fields) == 5 {
		unit := strings.TrimSpace(fields[4])
		i.Unit = views.Unit(unit)
		return i, shown(unit, probeUnit)
	}
	return i, true
}

// shown reports whether a text can stand on a page as it is.
func shown(text string, most int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= most && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// printable is the name of a file without what would not be seen.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
}
