// Package redirlog is the raw log of the redirection: one line a hit, written by the web server without waiting for disk
// or database, read by the tracking workflow and by other instances. Both sides use this one definition of a line.
package redirlog

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Line is one hit: a click, an open, a hit of a web tag.
type Line struct {
	ID                      uint64
	Date                    time.Time // UTC, to a hundredth of a second
	BroadLog, Delivery, URL int64     // 0: of none
	Flag                    string    // h: a link, t: a web tag
	UUID                    string    // the permanent cookie uuid230 of the browser
	Source                  string    // empty: an e-mail
	Params                  string    // amount=12.50&article=3, encoded as in an address
	Agent                   string
	Address                 string // IPv4 or IPv6; empty: not known
}

// The most bytes that a field may have. Params holds ParamSize bytes of web parameters (webTrackingParamSize) and, before
// them, the contact that a web tag names.
const (
	flagSize   = 8
	uuidSize   = 48
	sourceSize = 16
	paramsSize = 255
	agentSize  = 255
	// ParamSize is the documented length of a hit's web parameters.
	ParamSize = 64
	// MaxLine is longer than any line.
	MaxLine = 1024
)

const (
	version = '5'
	fields  = 11
	idForm  = len("50x000000000FD7EC86")
	date    = "2006-01-02T15:04:05.00"
)

// Append writes the line with its 11 fields and its end. What would break a line (tabs, control characters, bytes that are
// no UTF-8) becomes a space, and what is too long is cut, so that Parse reads every line that Append wrote.
func (l Line) Append(b []byte) []byte {
	b = append(b, version)
	b = append(b, fileName(l.ID)...)
	b = append(b, '\t')
	b = l.Date.UTC().AppendFormat(b, date)
	for _, id := range [...]int64{l.BroadLog, l.Delivery, l.URL} {
		b = append(b, '\t')
		b = strconv.AppendInt(b, max(0, id), 16)
	}
	b = appendText(b, l.Flag, flagSize)
	b = appendText(b, l.UUID, uuidSize)
	b = appendText(b, l.Source, sourceSize)
	b = appendText(b, l.Params, paramsSize)
	b = appendText(b, l.Agent, agentSize)
	b = appendText(b, l.Address, agentSize)
	return append(b, '\n')
}

func appendText(b []byte, text string, size int) []byte {
	b = append(b, '\t')
	end := len(b) + size
	for _, r := range text {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			r = ' '
		}
		if len(b)+utf8.RuneLen(r) > end {
			break
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

var (
	errFields = errors.New("a line has 11 fields")
	errDate   = errors.New("field 2 is no date")
)

// Parse reads a line, with or without its end. Whatever the bytes are, the answer is a line whose texts are printable and
// within their lengths, or an error that names the field.
func Parse(b []byte) (Line, error) {
	if len(b) > MaxLine {
		return Line{}, fmt.Errorf("a line of %d bytes", len(b))
	}
	rest := strings.TrimSuffix(string(b), "\n")
	var f [fields]string
	for i := range f {
		field, after, more := strings.Cut(rest, "\t")
		if more != (i < fields-1) {
			return Line{}, errFields
		}
		f[i], rest = field, after
	}
	l := Line{Flag: f[5], UUID: f[6], Source: f[7], Params: f[8], Agent: f[9], Address: f[10]}
	var err error
	if l.ID, err = parseID(f[0]); err != nil {
		return Line{}, err
	}
	if l.Date, err = parseDate(f[1]); err != nil {
		return Line{}, err
	}
	for i, to := range [...]*int64{&l.BroadLog, &l.Delivery, &l.URL} {
		if *to, err = strconv.ParseInt(f[2+i], 16, 64); err != nil || *to < 0 || f[2+i][0] == '+' {
			return Line{}, fmt.Errorf("field %d is no hexadecimal id", 3+i)
		}
	}
	return l, l.check()
}

func (l Line) check() error {
	for i, text := range [...]struct {
		text string
		size int
	}{{l.Flag, flagSize}, {l.UUID, uuidSize}, {l.Source, sourceSize}, {l.Params, paramsSize}, {l.Agent, agentSize}, {l.Address, agentSize}} {
		if len(text.text) > text.size || !printable(text.text) {
			return fmt.Errorf("field %d is too long or not printable", 6+i)
		}
	}
	for i := range len(l.Flag) {
		if c := l.Flag[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			return errors.New("field 6 is not alphanumeric")
		}
	}
	if l.Address != "" {
		if _, err := netip.ParseAddr(l.Address); err != nil {
			return errors.New("field 11 is no IP address")
		}
	}
	return nil
}

// printable reports whether a text is UTF-8 without control characters: PostgreSQL takes it and a terminal shows it.
func printable(text string) bool {
	ascii := true
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c == 0x7f {
			return false
		}
		ascii = ascii && c < 0x80
	}
	if ascii {
		return true
	}
	for _, r := range text {
		if r == utf8.RuneError || r >= 0x80 && r < 0xa0 {
			return false
		}
	}
	return true
}

// parseID reads a version digit and an id of exactly 16 hexadecimal digits.
func parseID(field string) (uint64, error) {
	if len(field) != idForm || field[0] < '0' || field[0] > '9' || field[1] != '0' || field[2] != 'x' {
		return 0, errors.New("field 1 is no log id")
	}
	id, err := strconv.ParseUint(field[3:], 16, 64)
	if err != nil {
		return 0, errors.New("field 1 is no log id")
	}
	return id, nil
}

// parseDate reads a date by its places, several times faster than a layout does.
func parseDate(field string) (time.Time, error) {
	if len(field) != len(date) || field[4] != '-' || field[7] != '-' || field[10] != 'T' || field[13] != ':' || field[16] != ':' || field[19] != '.' {
		return time.Time{}, errDate
	}
	var part [7]int
	for i, at := range [...]int{0, 2, 5, 8, 11, 14, 17} {
		high, low := field[at]-'0', field[at+1]-'0'
		if high > 9 || low > 9 {
			return time.Time{}, errDate
		}
		part[i] = int(high)*10 + int(low)
	}
	high, low := field[20]-'0', field[21]-'0'
	if high > 9 || low > 9 || part[4] > 23 || part[5] > 59 || part[6] > 59 {
		return time.Time{}, errDate
	}
	day := time.Date(part[0]*100+part[1], time.Month(part[2]), part[3], part[4], part[5], part[6], (int(high)*10+int(low))*10_000_000, time.UTC)
	if int(day.Month()) != part[2] || day.Day() != part[3] {
		return time.Time{}, errDate
	}
	return day, nil
}

// fileName is the name of the raw file whose first line has that id.
func fileName(id uint64) string {
	const digits = "0123456789ABCDEF"
	name := [18]byte{0: '0', 1: 'x'}
	for i := 17; i > 1; i-- {
		name[i] = digits[id&15]
		id >>= 4
	}
	return string(name[:])
}
