package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shutdown is what a node may take to end after SIGTERM.
const shutdown = 25 * time.Second

// instanceKey seals the audit trail; all nodes of a test and the test itself have the same.
const instanceKey = "a key of 32 bytes, for tests only"

// node is one process of Nightshift.
type node struct {
	t       testing.TB
	process *exec.Cmd
	base    string // http://localhost:port
	setup   string // one-time link for the first administrator, empty when there is one already
	log     *safeBuffer
	ended   chan struct{}
	err     error // of the process; read it when ended is closed
}

// start runs a node on the database until the test ends. Variables are added to its environment.
func start(t testing.TB, url string, variables ...string) *node {
	t.Helper()
	n := launch(t, url, variables...)
	n.waitReady()
	return n
}

// launch starts the process and does not wait for it.
func launch(t testing.TB, url string, variables ...string) *node {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	n := &node{t: t, base: "http://localhost:" + port, log: &safeBuffer{}, ended: make(chan struct{})}
	n.process = exec.Command(path, "serve")
	n.process.Env = append(os.Environ(), append([]string{"DATABASE_URL=" + url, "NIGHTSHIFT_DATA=" + t.TempDir(),
		"NIGHTSHIFT_LISTEN=127.0.0.1:" + port, "NIGHTSHIFT_URL=" + n.base,
		"NIGHTSHIFT_KEY=" + base64.StdEncoding.EncodeToString([]byte(instanceKey))}, variables...)...)
	n.process.Stderr = n.log
	n.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := n.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.process.Start(); err != nil {
		t.Fatalf("start: %s", err)
	}
	go n.read(out)
	t.Cleanup(n.stop)
	return n
}

var setupLink = regexp.MustCompile(`https?://\S*/set-up\S*`)

// read copies what the process prints, keeps the set-up link, and waits for its end.
func (n *node) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n.log.line(lines.Text())
	}
	n.err = n.process.Wait()
	close(n.ended)
}

// waitReady waits until the node answers that it is ready, and picks up the set-up link it has printed.
func (n *node) waitReady() {
	n.t.Helper()
	n.until(patience, "/readyz answers 200", func() bool { return n.status("/readyz") == http.StatusOK })
	n.setup = setupLink.FindString(n.log.String())
}

// until waits for a condition, or fails with what the process said when time is over or the process has ended.
func (n *node) until(limit time.Duration, what string, holds func() bool) {
	n.t.Helper()
	deadline := time.After(limit)
	for !holds() {
		select {
		case <-n.ended:
			n.t.Fatalf("waiting until %s: the process ended (%v):\n%s", what, n.err, n.log)
		case <-deadline:
			n.t.Fatalf("waiting until %s: not within %s:\n%s", what, limit, n.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// status asks one path and returns the code, 0 when nobody answers.
func (n *node) status(path string) int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.base+path, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// kill ends the process as a power cut would.
func (n *node) kill() {
	_ = n.process.Process.Signal(syscall.SIGKILL)
	<-n.ended
}

// stop asks the process to end and holds it to its promise: no error, within 25 s.
func (n *node) stop() {
	select {
	case <-n.ended:
		return
	default:
	}
	_ = n.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.ended:
		if n.err != nil {
			n.t.Errorf("after SIGTERM: got %s, want exit code 0:\n%s", n.err, n.log)
		}
	case <-time.After(shutdown):
		_ = n.process.Process.Kill()
		n.t.Errorf("after SIGTERM: still running after %s:\n%s", shutdown, n.log)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// safeBuffer is written by the process's two outputs and read by the test.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes the standard error of the process.
func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) line(text string) { _, _ = b.Write([]byte(text + "\n")) }

// String is what the process has said, cut to its last part.
func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.text.String()
	return strings.TrimSpace(text[max(0, len(text)-8000):])
}
