// Package deliverability speaks with the deliverability service, which knows how the mail servers of the world want to
// be written to and what they mean by their answers.
package deliverability

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"nightshift/jobs/external/outbound"
)

// DefaultURL is where the service is unless the account says otherwise.
const DefaultURL = "https://deliverability-service.adobe.io"

const (
	// maxRules is the most that the rules may be, 20 MB.
	maxRules = 20 << 20
	// BatchSize is how many qualifications the service takes, and is asked for, at a time.
	BatchSize = 1000
)

// Account is how the service is reached, and which customer asks.
type Account struct {
	URL       string
	Authority string // in PEM, when the machine does not know who signs the service's certificate; else empty
	ID        string
	Secret    string
	Customer  string
}

// Client calls the service as one account.
type Client struct {
	caller  *outbound.Caller
	account Account
	token   string
}

// New checks the account's address, which must be https but on this machine; it does not connect yet. Waits are the
// pauses between the attempts of a call.
func New(account Account, waits []time.Duration) (*Client, error) {
	if account.URL == "" {
		account.URL = DefaultURL
	}
	caller, err := outbound.New(account.URL, account.Authority, waits)
	if err != nil {
		return nil, err
	}
	return &Client{caller: caller, account: account}, nil
}

// LogOn asks for the token that the other calls show. A wrong id or secret is an error at once.
func (c *Client) LogOn(ctx context.Context) error {
	c.token = ""
	answer, err := c.caller.Do(ctx, outbound.Call{Method: http.MethodPost, Path: "/v1/token", Body: url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.account.ID}, "client_secret": {c.account.Secret}}})
	if err != nil {
		return err
	}
	var granted struct {
		Token string `json:"access_token"`
	}
	if err := answer.Decode(&granted); err != nil {
		return err
	}
	if granted.Token == "" {
		return &outbound.UnfitError{Path: "/v1/token", Why: "no token"}
	}
	c.token = granted.Token
	return nil
}

// Rules fetches the rules, all of them or an error; nil when they are still those of the version known (empty: none is).
func (c *Client) Rules(ctx context.Context, known string) (*Rules, error) {
	call := outbound.Call{Method: http.MethodGet, Path: "/v1/rules", Limit: maxRules, Header: map[string]string{}}
	if known != "" {
		call.Header["If-None-Match"] = strconv.Quote(known)
	}
	answer, err := c.do(ctx, call)
	if err != nil {
		return nil, err
	}
	if answer.Code == http.StatusNotModified {
		if known == "" {
			return nil, &outbound.UnfitError{Path: call.Path, Why: "304 to a question without a version"}
		}
		return nil, nil
	}
	var rules Rules
	if err := answer.Decode(&rules); err != nil {
		return nil, err
	}
	if err := rules.Check(); err != nil {
		return nil, &outbound.UnfitError{Path: call.Path, Why: err.Error()}
	}
	if tag := answer.Header.Get("ETag"); tag != "" && tag != strconv.Quote(rules.Version) {
		return nil, &outbound.UnfitError{Path: call.Path, Why: fmt.Sprintf("it is version %q under the tag %s", rules.Version, tag)}
	}
	return &rules, nil
}

// Send hands over up to BatchSize qualifications. Those sent before are overwritten, so sending twice is harmless.
func (c *Client) Send(ctx context.Context, messages []Message) error {
	_, err := c.do(ctx, outbound.Call{Method: http.MethodPost, Path: messagesPath, Body: map[string]any{"messages": messages}})
	return err
}

const messagesPath = "/v1/broad-log-msgs"

// Messages asks for the qualifications that changed after a moment of the service's clock, oldest first: about BatchSize
// of them, all of one moment together. None: there are no more.
func (c *Client) Messages(ctx context.Context, since time.Time) ([]Message, error) {
	answer, err := c.do(ctx, outbound.Call{Method: http.MethodGet, Path: messagesPath, Query: url.Values{
		"since": {since.UTC().Format(time.RFC3339Nano)}, "limit": {strconv.Itoa(BatchSize)}}})
	if err != nil {
		return nil, err
	}
	var page struct {
		Messages *[]Message `json:"messages"`
	}
	if err := answer.Decode(&page); err != nil {
		return nil, err
	}
	if page.Messages == nil {
		return nil, &outbound.UnfitError{Path: messagesPath, Why: "no list of messages"}
	}
	last := since
	for _, message := range *page.Messages {
		if err := message.check(); err != nil {
			return nil, &outbound.UnfitError{Path: messagesPath, Why: err.Error()}
		}
		if message.Modified.Before(last) || !message.Modified.After(since) {
			return nil, &outbound.UnfitError{Path: messagesPath, Why: "messages out of order or from before the moment asked for"}
		}
		last = message.Modified
	}
	return *page.Messages, nil
}

// do calls for the customer. It signs on where needed, and once more when the service no longer knows the token.
func (c *Client) do(ctx context.Context, call outbound.Call) (outbound.Answer, error) {
	if call.Query == nil {
		call.Query = url.Values{}
	}
	call.Query.Set("cuid", c.account.Customer)
	return c.caller.DoSigned(ctx, call, &c.token, c.LogOn)
}
