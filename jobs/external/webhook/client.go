// Package webhook hands messages to endpoints of other people: one JSON text a message, signed, over HTTPS. An endpoint
// is never an address of our own network unless its account says so.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Limits of a call.
const (
	connectTimeout = 5 * time.Second
	callTimeout    = 15 * time.Second
	maxAnswer      = 4 << 10
	maxWait        = 6 * time.Hour // an endpoint that asks to wait longer is asked again then
)

// Endpoint is where messages go. Secret signs them; empty: they are not signed. Private allows addresses of our own
// network, and http. Authority is a certificate in PEM to trust; empty: those of the system.
type Endpoint struct {
	URL, Secret, Authority string
	Private                bool
}

// Failure says why a message was not taken. Refused ones are not worth another try; After is how long the endpoint asks
// to wait.
type Failure struct {
	Refused bool
	After   time.Duration
	Code    int // 0: there was no answer
	Err     error
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Client sends to one endpoint. It follows no redirect and uses no proxy.
type Client struct {
	endpoint Endpoint
	http     *http.Client
}

// New checks the endpoint's address; it does not connect yet.
func New(endpoint Endpoint) (*Client, error) {
	u, err := url.Parse(endpoint.URL)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, errors.New("the address is not one like https://chat.example.com/hook")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !endpoint.Private) {
		return nil, errors.New("the address must begin with https")
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if endpoint.Authority != "" {
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM([]byte(endpoint.Authority)) {
			return nil, errors.New("the authority is not a certificate in PEM")
		}
	}
	// The address that is really dialled is checked, after the name was looked up, at every attempt.
	dialer := &net.Dialer{Timeout: connectTimeout, Control: guard(endpoint.Private)}
	return &Client{endpoint, &http.Client{
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: connectTimeout, TLSClientConfig: trust,
			DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
	}}, nil
}

// Send posts a message. ID is the same in every try of one message, so that the endpoint can drop what it has. Any
// error is a *Failure, and names neither the address nor what was sent.
func (c *Client) Send(ctx context.Context, id string, body []byte) (answer string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint.URL, bytes.NewReader(body))
	if err != nil {
		return "", &Failure{Refused: true, Err: errors.New("the address cannot be used")}
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "Nightshift")
	request.Header.Set("Nightshift-Delivery", id)
	request.Header.Set("Nightshift-Timestamp", now)
	if c.endpoint.Secret != "" {
		request.Header.Set("Nightshift-Signature", "v1="+Sign(c.endpoint.Secret, now, body))
	}
	began := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		return "", unanswered(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	said := fmt.Sprintf("HTTP %d", response.StatusCode)
	if response.StatusCode/100 == 2 {
		return fmt.Sprintf("%s in %d ms", said, time.Since(began).Milliseconds()), nil
	}
	f := &Failure{Refused: true, Code: response.StatusCode, Err: errors.New(said)}
	switch {
	case response.StatusCode >= 500, response.StatusCode == http.StatusTooManyRequests, response.StatusCode == http.StatusRequestTimeout:
		f.Refused, f.After = false, retryAfter(response.Header.Get("Retry-After"))
	case response.StatusCode/100 == 3:
		f.Err = errors.New(said + ", a redirect, which is not followed")
	}
	return "", f
}

// Sign is the signature of a message: HMAC-SHA256 over the timestamp, a dot and the body, in hex.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(timestamp + "."))
	_, _ = mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// unanswered takes the address out of an error: that of a chat program is a secret.
func unanswered(err error) *Failure {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		err = quoting.Err
	}
	return &Failure{Refused: errors.Is(err, ErrPrivate), Err: err}
}

// retryAfter reads how long the endpoint asks to wait, in seconds or as a date.
func retryAfter(text string) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if until, err := http.ParseTime(text); err == nil {
		wait = time.Until(until)
	}
	return min(max(wait, 0), maxWait)
}
