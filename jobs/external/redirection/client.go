// Package redirection fetches the raw logs of a redirection server: the instance whose links and images the messages carry.
package redirection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"nightshift/jobs/external/instance"
	"nightshift/jobs/external/outbound"
)

const (
	logsPath = "/api/v1/tracking/logs"
	// MaxCount is the most lines that a server gives at a time, and limit the most bytes that its answer may have.
	MaxCount = 10_000
	limit    = 32 << 20
	version  = "1"
)

// Account is how a server is reached (NmsTracking_ServerUrlList), and the instance to sign on as (NmsTracking_Instance and
// _Password). Database is who asks: it stands in the server's log.
type Account struct {
	URL       string
	Authority string // in PEM, when the machine does not know who signs the server's certificate; else empty
	Instance  string
	Password  string
	Database  string
}

// Client calls one server.
type Client struct {
	*instance.Client
	account Account
}

// New checks the account's address, which must be https but on this machine; it does not connect yet. Waits are the
// pauses between the attempts of a call.
func New(account Account, waits []time.Duration) (*Client, error) {
	client, err := instance.New(instance.Account{URL: account.URL, Authority: account.Authority, Login: account.Instance, Password: account.Password}, waits)
	if err != nil {
		return nil, err
	}
	return &Client{client, account}, nil
}

// Answer is what a server has after a pointer.
type Answer struct {
	// Pointer is where to go on: the id of the last line. Without a line it is the pointer that was asked with, or, where the
	// server's log does not reach that far, its newest id, which is less: then the pointer is not one of this log.
	Pointer uint64
	// Lines are raw lines without their ends, in the order of their ids. Each may be malformed.
	Lines [][]byte
	// ServerDate is the server's clock at the answer.
	ServerDate time.Time
}

// question and reply are the two messages, with the names of Campaign's GetTrackingLogs.
type question struct {
	Instance   string `json:"instance"`
	DatabaseID string `json:"databaseId"`
	Version    string `json:"version"`
	Pointer    string `json:"pointer"`
	LogCount   int    `json:"logCount"`
}

type reply struct {
	Pointer    string    `json:"pointer"`
	LogCount   int       `json:"logCount"`
	Logs       string    `json:"logs"`
	ServerDate time.Time `json:"serverDate"`
}

// Logs asks for lines with ids greater than pointer, count at most; fewer than count means that there are no more now. An
// answer that contradicts itself or would lead in a circle is an *outbound.UnfitError, and nothing of it is taken.
func (c *Client) Logs(ctx context.Context, pointer uint64, count int) (Answer, error) {
	asked := question{Instance: c.account.Instance, DatabaseID: c.account.Database, Version: version, Pointer: hex(pointer), LogCount: count}
	raw, err := c.Do(ctx, outbound.Call{Method: http.MethodPost, Path: logsPath, Body: asked, Limit: limit})
	if err != nil {
		return Answer{}, err
	}
	var got reply
	if err := raw.Decode(&got); err != nil {
		return Answer{}, err
	}
	answer := Answer{ServerDate: got.ServerDate}
	if answer.Pointer, err = parse(got.Pointer); err != nil {
		return Answer{}, unfit("%q is no pointer", got.Pointer)
	}
	if got.Logs != "" {
		answer.Lines = bytes.Split([]byte(strings.TrimSuffix(got.Logs, "\n")), []byte("\n"))
	}
	switch n := len(answer.Lines); {
	case n != got.LogCount:
		return Answer{}, unfit("%d lines, said to be %d", n, got.LogCount)
	case n > count:
		return Answer{}, unfit("%d lines, asked for %d", n, count)
	case n > 0 && answer.Pointer <= pointer:
		return Answer{}, unfit("lines up to %s, asked for those after %s", hex(answer.Pointer), hex(pointer))
	case n == 0 && answer.Pointer > pointer:
		return Answer{}, unfit("no line, yet the pointer goes on to %s", hex(answer.Pointer))
	case got.ServerDate.IsZero():
		return Answer{}, unfit("no date of the server")
	}
	return answer, nil
}

func unfit(format string, args ...any) error {
	return &outbound.UnfitError{Path: logsPath, Why: fmt.Sprintf(format, args...)}
}

// hex writes a pointer as raw lines and NmsTracking_Pointer do.
func hex(pointer uint64) string { return fmt.Sprintf("0x%016X", pointer) }

func parse(pointer string) (uint64, error) {
	digits, ok := strings.CutPrefix(pointer, "0x")
	if !ok {
		return 0, errors.New("no pointer")
	}
	return strconv.ParseUint(digits, 16, 64)
}
