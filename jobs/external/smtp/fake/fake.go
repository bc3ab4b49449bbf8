// Package fake is a mail server for tests: it speaks SMTP with STARTTLS and AUTH over a real socket and keeps what it
// was given.
package fake

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Server is a running mail server. It answers by the receiver's name: soft… 451 for now, hard… 550 for good, gone… ends
// the connection without an answer to the last dot, closing… 421.
type Server struct {
	Host     string
	Port     int
	Login    string // empty: nobody signs on
	Password string
	Roots    *x509.CertPool // who trusts its certificate
	PEM      []byte         // the same as a file

	mu       sync.Mutex
	received []Received
	onData   func(to string)
}

// Received is a mail as it came.
type Received struct{ From, To, Text string }

// Settings choose what the server offers. Name is that of its certificate.
type Settings struct {
	Name            string // empty: localhost
	Login, Password string
	NoTLS, Implicit bool
}

// Start runs a server on this machine until the test ends.
func Start(t testing.TB, settings Settings) *Server {
	t.Helper()
	name := settings.Name
	if name == "" {
		name = "localhost"
	}
	certificate, raw, err := selfSigned(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Host: "localhost", Login: settings.Login, Password: settings.Password, Roots: x509.NewCertPool(), PEM: raw}
	s.Roots.AppendCertsFromPEM(raw)
	served := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: c}, nil }))
	served.Domain, served.ReadTimeout, served.WriteTimeout = "mail.test", time.Minute, time.Minute
	served.ErrorLog = silent{}
	if !settings.NoTLS {
		served.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Port = listener.Addr().(*net.TCPAddr).Port
	if settings.Implicit {
		listener = tls.NewListener(listener, served.TLSConfig)
	}
	go func() { _ = served.Serve(listener) }()
	t.Cleanup(func() { _ = served.Close() })
	return s
}

// Received lists the mails in the order in which they came.
func (s *Server) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Received(nil), s.received...)
}

// OnData calls a function with the receiver of each mail that has come whole, before it is answered.
func (s *Server) OnData(do func(to string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onData = do
}

// session is one connection.
type session struct {
	server   *Server
	conn     *smtp.Conn
	signedOn bool
	from, to string
}

func (s *session) AuthMechanisms() []string {
	if s.server.Login == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, login, password string) error {
		if login != s.server.Login || password != s.server.Password {
			return smtp.ErrAuthFailed
		}
		s.signedOn = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.Login != "" && !s.signedOn {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch name, _, _ := strings.Cut(to, "@"); {
	case strings.HasPrefix(name, "soft"):
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Greylisted, try again later"}
	case strings.HasPrefix(name, "hard"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<" + to + "> no such user"}
	case strings.HasPrefix(name, "closing"):
		return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "Closing the connection"}
	}
	s.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	s.server.received = append(s.server.received, Received{s.from, s.to, string(raw)})
	onData := s.server.onData
	s.server.mu.Unlock()
	if onData != nil {
		onData(s.to)
	}
	if strings.HasPrefix(s.to, "gone") {
		_ = s.conn.Conn().Close()
	}
	return nil
}

func (s *session) Reset()        { s.from, s.to = "", "" }
func (s *session) Logout() error { return nil }

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// selfSigned makes a certificate for one name that is its own authority.
func selfSigned(name string) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pemOf(der), nil
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
