package delivery

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/external/redirection"
	"nightshift/jobs/redirlog"
)

const (
	// ownPage is how many lines of the node's own log one transaction loads; servers are asked for logCountPerRequest.
	ownPage = 10_000
	// clockTolerance is how far a server's clock may be from ours before its dates are corrected.
	clockTolerance = time.Minute
)

// source is one raw log: that of this node, or of a server. Each has a pointer of its own, so ids of two may overlap.
type source struct {
	name  string // under which its pointer is kept
	count int    // lines a page
	read  func(ctx context.Context, after uint64, count int) (page, error)
}

// page is what a source gives at once.
type page struct {
	lines [][]byte
	// last is the id of the last line; without lines the position asked for or, when that is beyond the log, its end.
	last uint64
	// ahead is how far our clock is ahead of that of the server.
	ahead time.Duration
}

// sources lists the raw logs to read: the servers that are named, whichever node runs; when none is, the own log of the node
// that runs. Where NmsTracking_Available is 0 there is none.
func (t *tracker) sources(ctx context.Context) ([]source, error) {
	available, ok, err := t.Option(ctx, "NmsTracking_Available")
	if err != nil {
		return nil, err
	}
	if ok && (available == "0" || strings.EqualFold(available, "false")) {
		t.Say("nothing retrieved: NmsTracking_Available is %s", available)
		return nil, nil
	}
	var addresses []string
	for _, option := range []string{"NmsTracking_ServerUrlList", "NmsTracking_SecureServerUrl", "NmsTracking_ServerUrl"} {
		text, _, err := t.Option(ctx, option)
		if err != nil {
			return nil, err
		}
		if addresses = strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;\t\r\n", r) }); len(addresses) > 0 {
			return t.servers(ctx, addresses)
		}
	}
	own := t.RawLog()
	if own.Folder == "" {
		t.Say("no raw log: this node has none, and no server is named")
		return nil, nil
	}
	return []source{{name: own.Server, count: ownPage, read: func(_ context.Context, after uint64, count int) (page, error) {
		lines, last, err := redirlog.Read(own.Folder, after, count)
		return page{lines: lines, last: last}, err
	}}}, nil
}

// servers are asked over their API, signed on as the external account that NmsTracking_ExtAccount names.
func (t *tracker) servers(ctx context.Context, addresses []string) ([]source, error) {
	count, err := t.parameter(ctx, "NmsTracking_LogCountPerRequest", 1000)
	if err != nil {
		return nil, err
	}
	if count < 1 || count > redirection.MaxCount {
		t.Warn("NmsTracking_LogCountPerRequest is %d, not from 1 to %d: 1000 is taken", count, redirection.MaxCount)
		count = 1000
	}
	account, refused, err := t.account(ctx)
	if err != nil {
		return nil, err
	}
	var all []source
	for _, address := range addresses {
		account.URL = address
		s := source{name: hostOf(address), count: int(count)}
		client, failure := redirection.New(account, t.Waits())
		if refused != nil {
			failure = refused
		}
		s.read = func(ctx context.Context, after uint64, count int) (page, error) {
			if failure != nil {
				return page{}, failure
			}
			return t.ask(ctx, client, s.name, after, count)
		}
		all = append(all, s)
	}
	return all, nil
}

// hostOf is how a server is called: the host and port of its address.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return strings.ToLower(u.Host)
	}
	return address
}

// account reads whom to sign on as. Without an account no server can be read, which is refused and not an error of ours.
func (t *tracker) account(ctx context.Context) (account redirection.Account, refused, err error) {
	name, _, err := t.Option(ctx, "NmsTracking_ExtAccount")
	if err != nil {
		return account, nil, err
	}
	if name == "" {
		name = "defaultTrackingServer"
	}
	if account.Database, _, err = t.Option(ctx, "XtkInstanceName"); err != nil {
		return account, nil, err
	}
	var sealed []byte
	found := false
	err = t.Query(ctx, func(row pgx.Rows) error {
		found = true
		return row.Scan(&account.Instance, &sealed, &account.Authority)
	}, `
		SELECT coalesce(account, ''), coalesce(secret, ''), coalesce(params ->> 'authority', '')
		FROM nms.ext_account
		WHERE internal_name = $1
		  AND active`, name)
	if err != nil {
		return account, nil, fmt.Errorf("external account %s: %w", name, err)
	}
	if !found {
		return account, fmt.Errorf("there is no active external account %s (NmsTracking_ExtAccount)", name), nil
	}
	if account.Password, err = t.Unseal(name, sealed); err != nil {
		return account, fmt.Errorf("the secret of external account %s cannot be read with this instance's key", name), nil
	}
	return account, nil, nil
}

// ask fetches a page. A simulation asks nobody: what it would load is not known. A server whose clock differs from ours
// gets the dates of its lines corrected.
func (t *tracker) ask(ctx context.Context, client *redirection.Client, server string, after uint64, count int) (page, error) {
	if t.Simulated() {
		t.Log("would: ask %s for the lines after 0x%016X", server, after)
		return page{last: after}, nil
	}
	answer, err := client.Logs(ctx, after, count)
	if err != nil {
		return page{}, err
	}
	p := page{lines: answer.Lines, last: answer.Pointer}
	if ahead := t.now().Sub(answer.ServerDate); ahead.Abs() > clockTolerance {
		p.ahead = ahead
		if !t.corrected[server] {
			t.corrected[server] = true
			t.Warn("%s: its clock differs by %s, the dates of its lines are corrected", server, ahead.Abs().Round(time.Second))
		}
	}
	return p, nil
}

// readClock notes how far the database's clock is ahead of that of this process.
func (t *tracker) readClock(ctx context.Context) error {
	err := t.Query(ctx, func(row pgx.Rows) error {
		var at time.Time
		err := row.Scan(&at)
		t.clock = time.Until(at)
		return err
	}, `SELECT clock_timestamp()`)
	if err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	return nil
}

// now is the database's time.
func (t *tracker) now() time.Time { return time.Now().Add(t.clock) }
