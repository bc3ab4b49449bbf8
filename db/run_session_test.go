package db_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"nightshift/db"
	"nightshift/db/dbtest"
)

func TestRunSessionSurvivesCancel(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	session, err := d.RunSession(t.Context(), "nightshift cleanup #8841")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close(context.Background()) }()
	if _, err := session.Exec(t.Context(), `SELECT pg_advisory_lock($1, 1)`, db.LockWorkflow); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer cancel()
		for asleep := false; !asleep && ctx.Err() == nil; {
			err := d.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep')`, session.PgConn().PID()).Scan(&asleep)
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
				return
			}
		}
	}()
	var refused *pgconn.PgError
	if _, err := session.Exec(ctx, `SELECT pg_sleep(30)`); !errors.As(err, &refused) || refused.Code != "57014" {
		t.Errorf("cancelled statement: got %v, want SQLSTATE 57014", err)
	}
	var held int
	err = session.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()`).Scan(&held)
	if err != nil || held != 1 {
		t.Errorf("after the cancel: got %d locks and error %v, want the session with its 1 lock", held, err)
	}
}

// lateConn holds a statement back until a request to cancel it has been answered, so that the request comes too early.
type lateConn struct {
	net.Conn
	hold func() // called before a statement goes out; nil: at once
}

func (c *lateConn) Write(p []byte) (int, error) {
	if c.hold != nil {
		c.hold()
	}
	return c.Conn.Write(p)
}

// requestConn tells when the server has dealt with the request to cancel: it closes the connection.
type requestConn struct {
	net.Conn
	answered func()
}

func (c *requestConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.answered()
	return n, err
}

// A request to cancel that comes before the statement has begun is lost: it is repeated, and the session stays.
func TestCancelThatComesTooEarly(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	model, err := d.RunSession(t.Context(), "nightshift cleanup #8841")
	if err != nil {
		t.Fatal(err)
	}
	config := model.Config()
	_ = model.Close(context.Background())
	dial, late, answered := config.DialFunc, (*lateConn)(nil), make(chan struct{})
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if late == nil {
			late = &lateConn{Conn: conn}
			return late, nil
		}
		return &requestConn{conn, sync.OnceFunc(func() {
			select {
			case <-answered:
			default:
				close(answered)
			}
		})}, nil
	}
	session, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close(context.Background()) }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	late.hold = sync.OnceFunc(func() { cancel(); <-answered })
	var refused *pgconn.PgError
	if _, err := session.Exec(ctx, `SELECT pg_sleep(30)`); !errors.As(err, &refused) || refused.Code != "57014" {
		t.Errorf("cancelled statement: got %v, want SQLSTATE 57014", err)
	}
	for range 20 {
		if _, err := session.Exec(t.Context(), `SELECT pg_sleep(0.01)`); err != nil {
			t.Fatalf("after the cancel: got %v, want the session as it was", err)
		}
	}
}

func TestSessionSettings(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	session, err := d.RunSession(t.Context(), "nightshift x #1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close(context.Background()) }()
	for name, want := range map[string]string{
		"application_name": "nightshift x #1", "client_connection_check_interval": "1s", "lock_timeout": "2s",
		"idle_session_timeout": "1min", "idle_in_transaction_session_timeout": "1min", "statement_timeout": "0", "TimeZone": "UTC",
	} {
		var got string
		if err := session.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&got); err != nil || got != want {
			t.Errorf("%s of a run session: got %q, error %v, want %q", name, got, err, want)
		}
	}
}

// The limits that Open gives hold on both groups of connections where the URL leaves them open.
func TestPoolSettings(t *testing.T) {
	t.Parallel()
	url := dbtest.Blank(t)
	own := strings.NewReplacer("?statement_timeout=60000", "", "&statement_timeout=60000", "", " statement_timeout=60000", "").Replace(url)
	if own == url {
		t.Fatal("the tests' URL has no statement_timeout to take away")
	}
	for url, timeout := range map[string]string{url: "1min", own: "5s"} {
		d, err := db.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for readOnly, ctx := range map[string]context.Context{"off": t.Context(), "on": db.Reading(t.Context())} {
			for name, want := range map[string]string{
				"application_name": "nightshift", "client_connection_check_interval": "1s", "lock_timeout": "2s",
				"idle_in_transaction_session_timeout": "1min", "statement_timeout": timeout, "default_transaction_read_only": readOnly,
			} {
				var got string
				if err := d.Pool.QueryRow(ctx, `SELECT current_setting($1)`, name).Scan(&got); err != nil || got != want {
					t.Errorf("%s where default_transaction_read_only is %s: got %q, error %v, want %q", name, readOnly, got, err, want)
				}
			}
		}
		// PostgreSQL shows it on TCP only.
		if got := d.Pool.Config().ConnConfig.RuntimeParams["tcp_user_timeout"]; got != "15s" {
			t.Errorf("tcp_user_timeout: got %q, want 15s", got)
		}
	}
}

// Values never become part of a statement's text.
func TestSimpleProtocolIsRefused(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), withSetting(dbtest.Blank(t), "default_query_exec_mode=simple_protocol"))
	if err == nil {
		d.Close()
		t.Error("a URL with the simple protocol was taken")
	}
}

// withSetting adds a setting to a connection string, in either of its two forms.
func withSetting(url, setting string) string {
	switch {
	case !strings.Contains(url, "://"):
		return url + " " + setting
	case strings.Contains(url, "?"):
		return url + "&" + setting
	}
	return url + "?" + setting
}

// A host that takes connections and says nothing does not keep us from the next one, not even for a run's session.
func TestSilentHost(t *testing.T) {
	t.Parallel()
	url := dbtest.Blank(t)
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	var listen net.ListenConfig
	silent, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	port := silent.Addr().(*net.TCPAddr).Port
	hosts := fmt.Sprintf("host=127.0.0.1,%s port=%d,%d user=%s dbname=%s password='%s' sslmode=disable",
		config.Host, port, config.Port, config.User, config.Database, config.Password)
	ctx, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	d, err := db.Open(ctx, hosts)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	session, err := d.RunSession(ctx, "nightshift x #1")
	if err != nil {
		t.Fatal(err)
	}
	_ = session.Close(ctx)
}
