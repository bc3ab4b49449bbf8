package jobtest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// A wire is the connection of a run session, watched at the level of PostgreSQL's protocol, so that it can be cut
// before a statement reaches the server, or after the server has executed it and before the answer is read.
type wire struct {
	net.Conn
	mu       sync.Mutex
	armed    bool
	seen     int
	cutAt    int  // 0: never
	after    bool // the statement is executed, its answer lost
	onReach  func()
	swallow  bool
	incoming []byte
}

var errCut = errors.New("the test has cut the connection")

// openWire opens a run session whose connection can be cut.
func openWire(t testing.TB, d *db.DB, name string) (*pgx.Conn, *wire) {
	t.Helper()
	model := OpenSession(t, d, name)
	config := model.Config()
	_ = model.Close(context.Background())
	var w *wire
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil || w != nil { // the second connection carries a cancel request
			return conn, err
		}
		w = &wire{Conn: conn}
		return w, nil
	}
	session, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatalf("open a run session: %v", err)
	}
	return session, w
}

// arm begins to count the statements, from a moment when none is under way.
func (w *wire) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = true
}

// count is the number of statements, or pipelines of them, seen since arm.
func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// Write counts the messages that make the server act: a query, or the end of a pipeline.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	reached := false
	if w.armed {
		for rest := p; len(rest) >= 5; {
			if rest[0] == 'Q' || rest[0] == 'S' {
				w.seen++
				reached = reached || w.seen == w.cutAt
			}
			size := 1 + int(binary.BigEndian.Uint32(rest[1:5]))
			rest = rest[min(size, len(rest)):]
		}
	}
	after, reach := w.after, w.onReach
	w.swallow = w.swallow || reached && after && reach == nil
	w.mu.Unlock()
	if reached && reach != nil {
		reach()
	} else if reached && !after {
		_ = w.Conn.Close()
		return 0, errCut
	}
	return w.Conn.Write(p)
}

// Read hands on what the server says, unless its answer is to be lost: then it waits for the answer's end and closes.
func (w *wire) Read(p []byte) (int, error) {
	for {
		n, err := w.Conn.Read(p)
		w.mu.Lock()
		swallow := w.swallow
		w.mu.Unlock()
		if !swallow || err != nil {
			return n, err
		}
		w.incoming = append(w.incoming, p[:n]...)
		for len(w.incoming) >= 5 {
			size := 1 + int(binary.BigEndian.Uint32(w.incoming[1:5]))
			if len(w.incoming) < size {
				break
			}
			kind := w.incoming[0]
			w.incoming = w.incoming[size:]
			if kind == 'Z' {
				_ = w.Conn.Close()
				return 0, io.ErrUnexpectedEOF
			}
		}
	}
}
