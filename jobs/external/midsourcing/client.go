// Package midsourcing speaks with a mid-sourcing server: the instance that sends the deliveries of others.
package midsourcing

import (
	"context"
	"time"

	"nightshift/jobs/external/instance"
)

// Client calls one server.
type Client struct{ *instance.Client }

// New checks the account's address and prepares a client; it does not connect yet. Waits are the pauses between the
// attempts of a call.
func New(account instance.Account, waits []time.Duration) (*Client, error) {
	client, err := instance.New(account, waits)
	if err != nil {
		return nil, err
	}
	return &Client{client}, nil
}

// Deliveries are deliveries that a server carries for us: their ids there, and here in the same order.
type Deliveries struct {
	RemoteIDs  []int64 `json:"remote_ids"`
	EmitterIDs []int64 `json:"emitter_ids"`
}

// CleanupDeliveries asks the server to stop and remove deliveries. Asking twice is harmless.
func (c *Client) CleanupDeliveries(ctx context.Context, ids Deliveries) error {
	return c.Post(ctx, "/api/v1/mid/deliveries/cleanup", ids, nil)
}
