package delivery

import (
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"nightshift/jobs/redirlog"
)

// openURL is the URL of which every open is a hit.
const openURL = 1

// hitRow is a line that is worth a log, as it is copied to the database.
type hitRow struct {
	redirlog.Line
	at    time.Time // corrected by the server's clock, never of the future
	table int       // its place among the run's tables
	agent int64     // 0: not recognised
	// contact is whom the message went to; 0: not known.
	contact int64
	values  *webValues
}

// web reports a hit of a web tag, which may have to be told who it was.
func (h *hitRow) web() bool { return h.Flag == "t" }

// raw tells the hit from every other: the id that its server gave, and what it was. A line that is loaded again, from
// whatever address, is the same.
func (h *hitRow) raw() string {
	b := make([]byte, 0, 48)
	b = strconv.AppendUint(b, h.ID, 16)
	b = append(b, '-')
	if h.BroadLog != 0 {
		b = strconv.AppendInt(b, h.BroadLog, 16)
	} else {
		b = append(b, h.UUID...)
	}
	b = append(b, '-')
	return string(strconv.AppendInt(b, h.URL, 16))
}

// webValues are the parameters of a web hit.
type webValues struct {
	amount       pgtype.Numeric
	article      int32
	field, value string // the contact that the tag names
	others       map[string]string
}

// readValues reads the parameters of a web hit: amount, article, the contact (rcpid=<field>=<value>), and whatever else it
// carries. What is no amount or no count stays among the others, as it came.
func readValues(params string) *webValues {
	v := &webValues{amount: pgtype.Numeric{Int: new(big.Int), Valid: true}, others: map[string]string{}}
	for pair := range strings.SplitSeq(params, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescape(name), unescape(value)
		switch name {
		case "":
			continue
		case "amount":
			if cents, ok := readCents(value); ok {
				v.amount = pgtype.Numeric{Int: big.NewInt(cents), Exp: -2, Valid: true}
				continue
			}
		case "article":
			if n, err := strconv.ParseInt(value, 10, 32); err == nil && n >= 0 {
				v.article = int32(n)
				continue
			}
		case "rcpid":
			if field, contact, ok := strings.Cut(value, "="); ok && contact != "" {
				v.field, v.value = field, contact
				continue
			}
		}
		v.others[name] = value
	}
	return v
}

// unescape reads a part of an address; one that is not well formed is taken as it is. PostgreSQL takes neither zero bytes
// nor what is no UTF-8.
func unescape(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		text = plain
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, " "), "\x00", " ")
}

// highestCents is the largest amount that numeric(15, 2) holds.
const highestCents = 999_999_999_999_999

// readCents reads an amount like 12.50, 7 or -3.999, rounded to the cent.
func readCents(text string) (cents int64, ok bool) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 13 || len(fraction) > 20 || !isDigits(whole) || !isDigits(fraction) {
		return 0, false
	}
	units, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, false
	}
	fraction = (fraction + "000")[:max(3, len(fraction))]
	cents = units*100 + int64(fraction[0]-'0')*10 + int64(fraction[1]-'0')
	if fraction[2] >= '5' {
		cents++
	}
	if negative {
		cents = -cents
	}
	return cents, cents <= highestCents && cents >= -highestCents
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// lineCounts counts what became of lines.
type lineCounts struct {
	requests, lines, stored, repeated, known                 int64
	malformed, unknownLink, unknownTag, nobody, robots, late int64
}

func (a *lineCounts) add(b lineCounts) {
	a.requests, a.lines, a.stored, a.repeated, a.known = a.requests+b.requests, a.lines+b.lines, a.stored+b.stored, a.repeated+b.repeated, a.known+b.known
	a.malformed, a.unknownLink, a.unknownTag = a.malformed+b.malformed, a.unknownLink+b.unknownLink, a.unknownTag+b.unknownTag
	a.nobody, a.robots, a.late = a.nobody+b.nobody, a.robots+b.robots, a.late+b.late
}

// String says what became of the lines, naming only what there was.
func (a lineCounts) String() string {
	discarded := a.malformed + a.unknownLink + a.unknownTag + a.nobody + a.robots
	text := fmt.Sprintf("%s lines in %d requests, %s logs, %s repeated opens, %s discarded",
		commas(a.lines), a.requests, commas(a.stored), commas(a.repeated), commas(discarded))
	var reasons []string
	for _, reason := range []struct {
		n    int64
		word string
	}{{a.malformed, "malformed"}, {a.unknownLink, "unknown link"}, {a.unknownTag, "unknown tag"}, {a.nobody, "of nobody known"}, {a.robots, "of robots"}} {
		if reason.n > 0 {
			reasons = append(reasons, commas(reason.n)+" "+reason.word)
		}
	}
	if len(reasons) > 0 {
		text += " (" + strings.Join(reasons, ", ") + ")"
	}
	if a.known > 0 {
		text += fmt.Sprintf(", %s loaded before", commas(a.known))
	}
	return text
}
