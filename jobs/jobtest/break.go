package jobtest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// A wire is the connection of a run session, watched at the level of PostgreSQL's protocol, so that it can be cut
// before a statement reaches the server, or after the server has executed it and before the answer is read. Of statements
// that travel together each is cut on its own: the server executes those before it, and then gets no more.
type wire struct {
	net.Conn
	mu       sync.Mutex
	armed    bool
	seen     int
	bare     bool // no statement since the last end of a pipeline: what it ends is counted, a preparation
	cutAt    int  // 0: never
	after    bool // the statement is executed, its answer lost
	onReach  func()
	swallow  bool
	answers  int // to statements, after which it is cut while swallowing; 0: when the server is ready for more
	complete int // answers swallowed
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
		w = &wire{Conn: conn, bare: true}
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

// count is the number of statements seen since arm.
func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// Write passes on what the session sends, up to the statement at which it is to be cut. The cut itself comes when the
// server has answered: the driver would have it cancel at once what it still works on.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	found := w.find(p)
	if !found.reached || w.onReach != nil {
		w.mu.Unlock()
		if found.reached {
			w.onReach()
		}
		return w.Conn.Write(p)
	}
	sent, answers := p[:found.from], found.before
	if w.after {
		sent, answers = p[:found.to], found.before+1
		if rest := p[found.to:]; len(rest) == 0 || len(rest) == 5 && rest[0] == syncMessage {
			sent, answers = p, 0
		}
	}
	w.swallow, w.answers = true, answers
	w.mu.Unlock()
	if len(sent) == 0 {
		_ = w.Conn.Close()
		return 0, errCut
	}
	if answers > 0 {
		sent = append(slices.Clone(sent), flushMessage, 0, 0, 0, 4)
	}
	if _, err := w.Conn.Write(sent); err != nil {
		return 0, err
	}
	return len(p), nil
}

// The messages of the protocol that matter: a query in one, the execution of one that was sent in parts, the end of a
// pipeline, a wish for the answers so far; and of the server, what ends a statement, and that it is ready for more.
const (
	queryMessage   = 'Q'
	executeMessage = 'E'
	syncMessage    = 'S'
	flushMessage   = 'H'

	completeMessage = 'C'
	errorMessage    = 'E'
	readyMessage    = 'Z'
)

// found is where the statement to cut lies in what is about to be sent, and how many are executed before it.
type found struct {
	from, to, before int
	reached          bool
}

// find counts the statements in what is about to be sent, and finds the one at which to cut.
func (w *wire) find(p []byte) (f found) {
	if !w.armed {
		return f
	}
	begin, executed := 0, 0
	for at := 0; len(p)-at >= 5; {
		kind := p[at]
		next := min(at+1+int(binary.BigEndian.Uint32(p[at+1:at+5])), len(p))
		counts := kind == queryMessage || kind == executeMessage || kind == syncMessage && w.bare
		if counts {
			w.seen++
			if w.seen == w.cutAt {
				f = found{begin, next, executed, true}
			}
			executed++
		}
		w.bare = kind == syncMessage || w.bare && !counts
		if counts || kind == syncMessage {
			begin = next
		}
		at = next
	}
	return f
}

// Read hands on what the server says, unless its answer is to be lost: then it waits for the answer's end and closes.
func (w *wire) Read(p []byte) (int, error) {
	for {
		n, err := w.Conn.Read(p)
		w.mu.Lock()
		swallow, answers := w.swallow, w.answers
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
			if kind == completeMessage {
				w.complete++
			}
			if kind == readyMessage || answers > 0 && (kind == errorMessage || w.complete == answers) {
				_ = w.Conn.Close()
				return 0, io.ErrUnexpectedEOF
			}
		}
	}
}
