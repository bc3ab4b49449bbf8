package outbox

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"

	"nightshift/db"
	"nightshift/jobs/external/smtp"
)

// mailCourier carries mails over one connection.
type mailCourier struct {
	conn *smtp.Conn
	host string // of the sender's address
}

// dialMail connects to the mail server and signs on.
func (o *Outbox) dialMail(ctx context.Context, account db.ExtAccount) (courier, error) {
	password, err := o.config.DB.Secret(account)
	if err != nil {
		return nil, err
	}
	from := account.Params["from"]
	var roots *x509.CertPool
	if authority := account.Params["authority"]; authority != "" {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(authority)) {
			return nil, settings(errors.New("the authority is not a certificate in PEM"))
		}
	}
	conn, err := smtp.Dial(ctx, smtp.Account{Server: account.Server, Port: account.Port, Login: account.Login, Password: password,
		Encryption: account.Encryption, From: from, Roots: roots})
	if err != nil {
		return nil, err
	}
	_, host, _ := strings.Cut(strings.TrimRight(from, "> "), "@")
	return &mailCourier{conn, host}, nil
}

func (c *mailCourier) send(ctx context.Context, m message) (string, error) {
	answer, err := c.conn.Send(ctx, smtp.Mail{ID: messageID(m.key) + "@" + c.host, To: m.to, Subject: m.subject, Text: m.text,
		HTML: m.html, FileName: m.fileName, FileType: m.fileType, File: m.file})
	var f *smtp.Failure
	if errors.As(err, &f) {
		return "", &failure{refused: f.Kind == smtp.Refused, unknown: f.Kind == smtp.Unknown, broken: f.Broken, text: f.Text}
	}
	return answer, err
}

func (c *mailCourier) close() { c.conn.Close() }

// messageID is the same for every try of one message, and tells nothing of it.
func messageID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:12])
}
