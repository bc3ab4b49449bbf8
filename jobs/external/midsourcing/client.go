// Package midsourcing speaks with a mid-sourcing server: the instance that sends the deliveries of others.
package midsourcing

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Limits of a call: what a server that hangs, drips or floods can cost us.
const (
	connectTimeout = 5 * time.Second
	headerTimeout  = 15 * time.Second
	callTimeout    = 60 * time.Second
	maxAnswer      = 16 << 20
)

// Account is how a server is reached: its address (https, or http on this machine), and the operator to act as.
type Account struct{ URL, Login, Password string }

// Client calls one server. It follows no redirect and uses no proxy, so the password goes to the account's own host only.
type Client struct {
	base    *url.URL
	account Account
	http    *http.Client
	waits   []time.Duration // between attempts
	token   string
}

// New checks the account's address and prepares a client; it does not connect yet.
func New(account Account) (*Client, error) {
	base, err := url.Parse(account.URL)
	if err != nil || base.Host == "" || base.User != nil {
		return nil, errors.New("the account's server is not an address like https://mid.example.com")
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !local(base.Hostname())) {
		return nil, errors.New("the account's server must be reached by https")
	}
	return &Client{
		base:    base,
		account: account,
		waits:   []time.Duration{time.Second, 4 * time.Second},
		http: &http.Client{
			Timeout:       callTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
				TLSHandshakeTimeout:   connectTimeout,
				TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
				ResponseHeaderTimeout: headerTimeout,
				DisableKeepAlives:     true,
			},
		},
	}, nil
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Deliveries are deliveries that a server carries for us: their ids there, and here in the same order.
type Deliveries struct {
	RemoteIDs  []int64 `json:"remote_ids"`
	EmitterIDs []int64 `json:"emitter_ids"`
}

// CleanupDeliveries asks the server to stop and remove deliveries. Asking twice is harmless. What may pass by itself
// (no connection, 429, 5xx) is tried three times; any other refusal is an error at once.
func (c *Client) CleanupDeliveries(ctx context.Context, ids Deliveries) error {
	return c.call(ctx, "/api/v1/mid/deliveries/cleanup", ids, nil)
}

// call signs on where needed, posts, and signs on once more when the server no longer knows the token.
func (c *Client) call(ctx context.Context, path string, in, out any) error {
	if c.token == "" {
		if err := c.logon(ctx); err != nil {
			return err
		}
	}
	err := c.patiently(ctx, path, in, out)
	var refused *StatusError
	if errors.As(err, &refused) && refused.Code == http.StatusUnauthorized {
		if err := c.logon(ctx); err != nil {
			return err
		}
		err = c.patiently(ctx, path, in, out)
	}
	return err
}

func (c *Client) logon(ctx context.Context) error {
	c.token = ""
	var answer struct {
		Token string `json:"token"`
	}
	in := map[string]string{"login": c.account.Login, "password": c.account.Password}
	if err := c.patiently(ctx, "/api/v1/logon", in, &answer); err != nil {
		return fmt.Errorf("log on: %w", err)
	}
	if answer.Token == "" {
		return errors.New("log on: the server gave no token")
	}
	c.token = answer.Token
	return nil
}

func (c *Client) patiently(ctx context.Context, path string, in, out any) error {
	for attempt := 0; ; attempt++ {
		err := c.post(ctx, path, in, out)
		var refused *StatusError
		final := errors.As(err, &refused) && refused.Code < 500 && refused.Code != http.StatusTooManyRequests
		if err == nil || final || attempt == len(c.waits) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(c.waits[attempt]):
		}
	}
}

// StatusError is an answer other than success.
type StatusError struct {
	Code int
	Path string
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s answered %d", e.Path, e.Code) }

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode/100 != 2 {
		return &StatusError{Code: answer.StatusCode, Path: path}
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("%s: read the answer: %w", path, err)
	}
	return nil
}
