package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Patience is how long a call waits in all for a server that asks to come back later. One that asks for more is not
// waited for.
const Patience = 15 * time.Minute

// StatusError is an answer other than success. Its text never quotes the answer, which may repeat what was sent.
type StatusError struct {
	Code  int
	Path  string
	After time.Duration // how long the server asks to wait; 0: it does not say
	// Detail is what a problem document (RFC 9457) says is wrong. Only who sent no secret may show it.
	Detail string
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s answered %d", e.Path, e.Code)
	switch {
	case e.Code/100 == 3:
		text += ", a redirect, which is not followed"
	case e.After > 0:
		text += fmt.Sprintf(" and asks to wait %s", e.After.Round(time.Second))
	}
	return text
}

// Busy reports a server that asks to come back later.
func Busy(err error) bool {
	var refused *StatusError
	return errors.As(err, &refused) && refused.Code == http.StatusTooManyRequests
}

// Refused reports a server that does not know the account (any more), or denies it what was asked.
func Refused(err error) bool {
	var refused *StatusError
	return errors.As(err, &refused) && (refused.Code == http.StatusUnauthorized || refused.Code == http.StatusForbidden)
}

// Kind names what went wrong with a call, as the console words the problem of an account: name, certificate, encryption,
// refused, logon, timeout, or other. It is empty for an error in which the other side has no part.
func Kind(err error) string {
	var name *net.DNSError
	var record tls.RecordHeaderError
	var distrusted *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var network net.Error
	var status *StatusError
	var unfit *UnfitError
	isNetwork := errors.As(err, &network)
	switch {
	case errors.As(err, &name):
		return "name"
	case errors.As(err, &distrusted), errors.As(err, &unknown):
		return "certificate"
	case errors.As(err, &record):
		return "encryption"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case Refused(err):
		return "logon"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), isNetwork && network.Timeout():
		return "timeout"
	case isNetwork, errors.As(err, &status), errors.As(err, &unfit), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "other"
	}
	return ""
}

// UnfitError is an answer that cannot be used: not JSON, not of the agreed form, too large. Nothing of it is taken.
type UnfitError struct{ Path, Why string }

func (e *UnfitError) Error() string { return fmt.Sprintf("%s: unfit answer: %s", e.Path, e.Why) }

// Decode reads the whole answer as one JSON value. What it does not know is ignored.
func (a Answer) Decode(into any) error {
	if kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type")); kind != "application/json" {
		return &UnfitError{a.path, fmt.Sprintf("%q instead of JSON", kind)}
	}
	if err := json.Unmarshal(a.Body, into); err != nil {
		return &UnfitError{a.path, err.Error()}
	}
	return nil
}

// pause says how long to wait before a call is tried again, and whether it is.
func (c *Caller) pause(err error, attempt int, waited time.Duration) (time.Duration, bool) {
	var refused *StatusError
	var unfit *UnfitError
	var distrusted *tls.CertificateVerificationError
	isStatus := errors.As(err, &refused)
	final := isStatus && refused.Code < 500 && refused.Code != http.StatusTooManyRequests
	if final || attempt >= len(c.waits) || errors.As(err, &unfit) || errors.As(err, &distrusted) {
		return 0, false
	}
	if isStatus && refused.After > 0 {
		return refused.After, waited+refused.After <= Patience
	}
	// A little less than the pause, so that many do not come back at the same moment.
	return c.waits[attempt] - rand.N(c.waits[attempt]/4+1), true
}

// retryAfter reads how long a server asks to wait, in seconds or as a date, which is compared with the server's own clock.
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(until.Sub(now), 0)
}

// detail reads what a problem document says is wrong, on one line; empty: the answer is none.
func detail(answer *http.Response) string {
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind != "application/problem+json" {
		return ""
	}
	var problem struct{ Detail string }
	if json.NewDecoder(io.LimitReader(answer.Body, 8<<10)).Decode(&problem) != nil {
		return ""
	}
	return fmt.Sprintf("%.300s", strings.Join(strings.FieldsFunc(problem.Detail, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " "))
}

// discreet takes the address out of an error, whose query may tell whose account it is.
func discreet(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return quoting.Err
	}
	return err
}
