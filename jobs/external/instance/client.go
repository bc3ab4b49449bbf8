// Package instance speaks with another instance of Nightshift through its API: it signs on as an operator of that
// instance and shows the token. What is asked for where is the business of the packages that use it.
package instance

import (
	"context"
	"net/http"
	"time"

	"nightshift/jobs/external/outbound"
)

const logonPath = "/api/v1/logon"

// Account is how an instance is reached: its address (https, or http on this machine), who signs its certificate when the
// machine does not know (in PEM; else empty), and the operator to act as.
type Account struct{ URL, Authority, Login, Password string }

// Client calls one instance.
type Client struct {
	caller  *outbound.Caller
	account Account
	token   string
}

// New checks the account's address and prepares a client; it does not connect yet. Waits are the pauses between the
// attempts of a call.
func New(account Account, waits []time.Duration) (*Client, error) {
	caller, err := outbound.New(account.URL, account.Authority, waits)
	if err != nil {
		return nil, err
	}
	return &Client{caller: caller, account: account}, nil
}

// Post sends in to a path of the API and reads the answer into out; nil when none is expected. It may reach the instance
// more than once.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	answer, err := c.Do(ctx, outbound.Call{Method: http.MethodPost, Path: path, Body: in})
	if err != nil || out == nil {
		return err
	}
	return answer.Decode(out)
}

// Do makes a call with the token. It signs on where needed, and once more when the instance no longer knows the token.
func (c *Client) Do(ctx context.Context, call outbound.Call) (outbound.Answer, error) {
	return c.caller.DoSigned(ctx, call, &c.token, c.LogOn)
}

// LogOn asks for the token that the calls show. A wrong login or password is an error at once.
func (c *Client) LogOn(ctx context.Context) error {
	answer, err := c.caller.Do(ctx, outbound.Call{Method: http.MethodPost, Path: logonPath,
		Body: map[string]string{"login": c.account.Login, "password": c.account.Password}})
	if err != nil {
		return err
	}
	var granted struct {
		Token string `json:"token"`
	}
	if err := answer.Decode(&granted); err != nil {
		return err
	}
	if granted.Token == "" {
		return &outbound.UnfitError{Path: logonPath, Why: "no token"}
	}
	c.token = granted.Token
	return nil
}
