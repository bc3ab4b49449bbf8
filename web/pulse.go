package web

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"nightshift/db"
)

const (
	selfEvery  = 15 * time.Second
	selfWithin = 5 * time.Second
)

// listenToItself asks the console and the redirection over the socket on which others reach them, and notes which of them
// answer, until ctx ends. One that does not is silent, and after two minutes missing.
func (s *Server) listenToItself(ctx context.Context, address net.Addr) {
	client := &http.Client{Timeout: selfWithin, Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	for ctx.Err() == nil {
		for _, part := range []struct{ module, path string }{{db.ModuleWeb, "/healthz"}, {db.ModuleRedirection, "/r/test"}} {
			err := answers(ctx, client, "http://"+dialable(address)+part.path)
			if err == nil {
				err = s.db.Beat(ctx, part.module)
			}
			if err != nil && ctx.Err() == nil {
				s.logger.WarnContext(ctx, "a module gives no sign of life", "module", part.module, "error", err.Error())
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(selfEvery):
		}
	}
}

// dialable is a listener's address as this machine reaches it: one that listens everywhere does so at home.
func dialable(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return address.String()
}

// answers is nil when the address says 200.
func answers(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return nil
}
