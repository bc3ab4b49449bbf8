package smtp

import (
	"errors"
	"net"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// Kind is what a failure means for the mail.
type Kind string

// What became of a mail that was not taken.
const (
	Later   Kind = "later"   // not handed over; it may be tried again
	Refused Kind = "refused" // the server will not take it, however often it is asked
	Unknown Kind = "unknown" // handed over to the last byte, and no answer came
)

// Failure says why a mail was not taken. Broken ones need a new connection for the next mail. It names no receiver.
type Failure struct {
	Kind   Kind
	Code   int // of the server's answer; 0: there was none
	Text   string
	Broken bool
}

func (f *Failure) Error() string { return f.Text }

// failure reads the library's error. Only an end of the connection after the last byte of a mail leaves its fate open.
func failure(err error, to string) *Failure {
	f := &Failure{Kind: Later, Text: "the connection was lost", Broken: true}
	var sending *gomail.SendError
	if !errors.As(err, &sending) {
		return f
	}
	f.Code = sending.ErrorCode()
	said := saidBy(sending, to)
	switch {
	case f.Code == 0 && sending.Reason == gomail.ErrSMTPDataClose:
		f.Kind, f.Text = Unknown, "the connection was lost before the server answered: "+said
		return f
	case f.Code == 0:
		f.Text += ": " + said
		return f
	case f.Code >= 500:
		f.Kind = Refused
	}
	// 421: the server closes the connection.
	f.Text, f.Broken = said, f.Code == 421
	return f
}

// saidBy is what the server said, without what the library says around it and without the receiver's address. The
// library keeps the error it wraps to itself.
func saidBy(err *gomail.SendError, to string) string {
	text := strings.TrimPrefix(err.Error(), err.Reason.String()+": ")
	text, _, _ = strings.Cut(text, ", affected recipient(s): ")
	text, _, _ = strings.Cut(text, ", affected message ID: ")
	if code, quoted, ok := strings.Cut(text, " "); ok {
		if said, err := strconv.Unquote(quoted); err == nil {
			text = code + " " + said
		}
	}
	text = oneLine(strings.ReplaceAll(text, to, "…"))
	return strings.ToValidUTF8(text[:min(len(text), 400)], "")
}

// line is a connection that takes only so much between two writes of ours: an endless greeting is not an answer.
type line struct {
	net.Conn
	left int
}

var errFlood = errors.New("the server sends more than an answer")

func (l *line) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errFlood
	}
	n, err := l.Conn.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

func (l *line) Write(p []byte) (int, error) {
	l.left = maxReply
	return l.Conn.Write(p)
}
