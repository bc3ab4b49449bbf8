package delivery

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxBounce is how many bytes of a bounce are read.
const maxBounce = 4000

// oneLine is a text as one line of printable characters, at most maxBounce bytes of it.
func oneLine(text string) string {
	if len(text) > maxBounce {
		text = text[:maxBounce]
		for len(text) > 0 && !utf8.RuneStart(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
		if last, _ := utf8.DecodeLastRuneInString(text); last == utf8.RuneError {
			text = text[:max(len(text)-1, 0)]
		}
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case r == utf8.RuneError:
			return '?'
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// moments are the ways in which mail servers write dates and times.
var moments = regexp.MustCompile(`(?i)\b(?:` +
	`(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?(?:\d{1,2} (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d{4}|` +
	`(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d{1,2}(?:, \d{4})?)(?: \d{1,2}:\d{2}(?::\d{2})?(?: \d{4}\b)?(?: [+-]\d{4}\b)?)?` +
	`|\d{4}[-/]\d{2}[-/]\d{2}(?:[t ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:z\b| ?[+-]\d{2}:?\d{2}\b)?)?` +
	`|\d{1,2}/\d{1,2}/\d{4}` +
	`|\d{1,2}:\d{2}:\d{2}(?:\.\d+)?)\b`)

// words are the parts of a text between blanks and signs.
var words = regexp.MustCompile(`[^\s<>()\[\]{}"',;=/?&|*#]+`)

// normalize takes out of a line what differs from bounce to bounce and names people: addresses become *, dates and ids
// #xxx#. What it has written it leaves alone when it reads it again.
func normalize(line string) string {
	line = moments.ReplaceAllString(line, "#xxx#")
	return words.ReplaceAllStringFunc(line, func(word string) string {
		core := strings.TrimRight(word, ".:!")
		end := word[len(core):]
		switch {
		case strings.Contains(core, "@"), isAddress(core):
			return "*" + end
		case isID(core):
			return "#xxx#" + end
		}
		return word
	})
}

// isAddress reports an address of the network.
func isAddress(word string) bool {
	_, err := netip.ParseAddr(word)
	return err == nil && strings.ContainsAny(word, "0123456789")
}

// statusCode is an enhanced status code of mail (5.1.1), alone or in a line of several; it says what a bounce means.
var statusCode = regexp.MustCompile(`^(?:\d{3}-)?[245]\.\d{1,3}\.\d{1,3}$`)

// isID reports a word that names one message, session or account: five digits or more in a row, or a longer mixture of
// digits and letters.
func isID(word string) bool {
	digits, row, longest := 0, 0, 0
	for _, r := range word {
		row++
		if r < '0' || r > '9' {
			row = 0
			continue
		}
		digits, longest = digits+1, max(longest, row)
	}
	return longest >= 5 || digits >= 2 && len(word) >= 8 && !statusCode.MatchString(word)
}
