// Package outbound calls other systems over HTTP, for the clients of all of them: with limits on what a server that
// hangs, drips or floods can cost, with certificates that are always checked, and with patience for what passes by
// itself. It follows no redirect and uses no proxy, so a secret goes to the account's own host only.
package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of a call.
const (
	connectTimeout = 5 * time.Second
	headerTimeout  = 15 * time.Second
	callTimeout    = 60 * time.Second
	defaultLimit   = 16 << 20
)

// Caller calls one server.
type Caller struct {
	base  *url.URL
	http  *http.Client
	waits []time.Duration
}

// New checks a server's address (https, or http on this machine); it does not connect yet. The authority is the
// certificate of whoever signs the server's, in PEM; empty: the authorities that this machine trusts. Waits are the
// pauses before a call that failed for a passing reason is tried again.
func New(address, authority string, waits []time.Duration) (*Caller, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" {
		return nil, errors.New("the account's server is not an address like https://service.example.com")
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !local(base.Hostname())) {
		return nil, errors.New("the account's server must be reached by https")
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if authority != "" {
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM([]byte(authority)) {
			return nil, errors.New("the account's authority is not a certificate in PEM")
		}
	}
	return &Caller{base: base, waits: waits, http: &http.Client{
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSHandshakeTimeout:   connectTimeout,
			TLSClientConfig:       trust,
			ResponseHeaderTimeout: headerTimeout,
			DisableKeepAlives:     true,
		},
	}}, nil
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Call is one request. It may reach the server more than once, so it must be one that can be repeated.
type Call struct {
	Method, Path string
	Query        url.Values
	Header       map[string]string
	Body         any   // sent as JSON, url.Values as a form; nil: none
	Limit        int64 // the most bytes of the answer, unpacked; 0: 16 MiB
}

// Answer is what a server said: success (2xx), or that nothing has changed (304), and always the whole of it.
type Answer struct {
	Code   int
	Header http.Header
	Body   []byte
	path   string
}

// Do makes a call. What may pass by itself (no connection, half an answer, 429, 5xx) is tried again; a server that asks
// to wait is waited for. Any other refusal is a *StatusError at once.
func (c *Caller) Do(ctx context.Context, call Call) (Answer, error) {
	var waited time.Duration
	for attempt := 0; ; attempt++ {
		answer, err := c.once(ctx, call)
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return Answer{}, context.Cause(ctx)
		}
		pause, again := c.pause(err, attempt, waited)
		if !again {
			return Answer{}, err
		}
		waited += pause
		select {
		case <-ctx.Done():
			return Answer{}, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// DoSigned makes a call with the bearer token. It signs on, which sets the token, where there is none, and once more when
// the other side no longer knows it.
func (c *Caller) DoSigned(ctx context.Context, call Call, token *string, signOn func(context.Context) error) (Answer, error) {
	header := maps.Clone(call.Header)
	if header == nil {
		header = map[string]string{}
	}
	call.Header = header
	for again := false; ; again = true {
		if *token == "" {
			if err := signOn(ctx); err != nil {
				return Answer{}, err
			}
		}
		header["Authorization"] = "Bearer " + *token
		answer, err := c.Do(ctx, call)
		var refused *StatusError
		if again || !errors.As(err, &refused) || refused.Code != http.StatusUnauthorized {
			return answer, err
		}
		*token = ""
	}
}

func (c *Caller) once(ctx context.Context, call Call) (Answer, error) {
	request, err := c.request(ctx, call)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", call.Path, err)
	}
	begin := time.Now()
	answer, err := c.http.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", call.Path, discreet(err))
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode/100 != 2 && answer.StatusCode != http.StatusNotModified {
		return Answer{}, &StatusError{Code: answer.StatusCode, Path: call.Path, After: retryAfter(answer.Header), Detail: detail(answer)}
	}
	limit := call.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if err != nil {
		return Answer{}, fmt.Errorf("%s: read the answer: %w", call.Path, discreet(err))
	}
	// A server that sees us give up may end half an answer as if it were whole, and be read before we hang up.
	if ctx.Err() != nil || time.Since(begin) >= c.http.Timeout {
		return Answer{}, fmt.Errorf("%s: read the answer: %w", call.Path, context.DeadlineExceeded)
	}
	if int64(len(body)) > limit {
		return Answer{}, &UnfitError{Path: call.Path, Why: fmt.Sprintf("more than %d MB", limit>>20)}
	}
	return Answer{Code: answer.StatusCode, Header: answer.Header, Body: body, path: call.Path}, nil
}

func (c *Caller) request(ctx context.Context, call Call) (*http.Request, error) {
	var body io.Reader
	kind := "application/json"
	switch content := call.Body.(type) {
	case nil:
	case url.Values:
		kind, body = "application/x-www-form-urlencoded", strings.NewReader(content.Encode())
	default:
		encoded, err := json.Marshal(content)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(encoded)
	}
	address := c.base.JoinPath(call.Path)
	address.RawQuery = call.Query.Encode()
	request, err := http.NewRequestWithContext(ctx, call.Method, address.String(), body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", kind)
	}
	for name, value := range call.Header {
		request.Header.Set(name, value)
	}
	return request, nil
}
