package jobs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// lineLimit is the length of a log line, in characters.
const lineLimit = 512

// number writes a count with commas between the thousands.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// counted writes a count with its noun: 1 row, 5,000 rows.
func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// duration writes how long something took, as precisely as people need: 12 ms, 3.7 s, 5 m 02 s, 1 h 04 m.
func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d m %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d m", int(d.Hours()), int(d.Minutes())%60)
}

// plain makes a text fit to be shown in one line: no line breaks, no control characters (a terminal that shows a
// downloaded log obeys them), none that turn the direction of writing, nothing that PostgreSQL cannot store.
func plain(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\r' || c == '\t':
			return ' '
		case unicode.IsControl(c), c >= '\u202A' && c <= '\u202E', c >= '\u2066' && c <= '\u2069':
			return '\uFFFD'
		}
		return c
	}, text)
}

// cut shortens a text to a number of characters, the last being … when anything was left out.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}
