package redirlog

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closed(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func hit(agent string) Line {
	return Line{Date: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), BroadLog: 1, Delivery: 2, URL: 3, Flag: "h", Agent: agent, Address: "192.0.2.1"}
}

// all reads a folder as the workflow does, a few lines at a time, and fails on an id that does not increase.
func all(t *testing.T, dir string, limit int) []Line {
	t.Helper()
	var found []Line
	after := uint64(0)
	for {
		lines, last, err := Read(dir, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			if last != after {
				t.Errorf("nothing left: got last %d, want %d", last, after)
			}
			return found
		}
		for _, raw := range lines {
			line, err := Parse(raw)
			if err != nil || line.ID <= after {
				t.Fatalf("got %q, %v after id %d, want a line with a greater id", raw, err, after)
			}
			after = line.ID
			found = append(found, line)
		}
		if last != after {
			t.Fatalf("got last %d, want %d", last, after)
		}
	}
}

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "redir", "log")
	if lines, last, err := Read(dir, 5, 10); len(lines) != 0 || last != 0 || err != nil {
		t.Errorf("no folder: got %d lines, last %d, %v, want nothing", len(lines), last, err)
	}
	l := open(t, dir, Options{Lines: 10})
	for i := range 95 {
		if !l.Write(hit(fmt.Sprint(i))) {
			t.Fatal("a line was dropped")
		}
	}
	closed(t, l)
	for _, limit := range []int{1, 7, 1000} {
		lines := all(t, dir, limit)
		if len(lines) != 95 || lines[0].Agent != "0" || lines[94].Agent != "94" {
			t.Errorf("%d at a time: got %d lines, want 95 in the order written", limit, len(lines))
		}
	}
	newest := all(t, dir, 1000)[94].ID
	if lines, last, err := Read(dir, newest+7, 10); len(lines) != 0 || last != newest || err != nil {
		t.Errorf("after an id of the future: got %d lines, last %d, %v, want none and the newest id %d", len(lines), last, err, newest)
	}
	if written, dropped, _ := l.Counts(); written != 95 || dropped != 0 {
		t.Errorf("counted %d written, %d dropped, want 95 and 0", written, dropped)
	}
}

// Every place in a long file is found, the first and the last included.
func TestReadFromAnywhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, Options{})
	for i := range 3000 {
		l.Write(hit(strings.Repeat("a", i%200)))
	}
	closed(t, l)
	ids := all(t, dir, 10_000)
	for i := 0; i < len(ids); i += 7 {
		lines, last, err := Read(dir, ids[i].ID-1, 1)
		if err != nil || len(lines) != 1 || last != ids[i].ID {
			t.Fatalf("after the line before number %d: got %d lines, last %d, %v, want that line %d", i, len(lines), last, err, ids[i].ID)
		}
	}
}

// Ids go on over restarts, and over a clock that was set back.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	future := Line{ID: uint64(time.Now().Add(24 * time.Hour).UnixMicro())}
	if err := os.WriteFile(filepath.Join(dir, fileName(future.ID)), future.Append(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		l := open(t, dir, Options{})
		l.Write(hit("again"))
		closed(t, l)
	}
	lines := all(t, dir, 10)
	if len(lines) != 4 || lines[3].ID != future.ID+3 {
		t.Errorf("got %d lines, want 4 with ids one after the other", len(lines))
	}
}

func TestOneWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrHeld) {
		t.Errorf("a second writer: got %v, want ErrHeld", err)
	}
	closed(t, l)
	closed(t, open(t, dir, Options{}))
}

// What a crash leaves at the end of a file, half a line or zeros, is passed over and breaks nothing that follows.
func TestHalfLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tail := range []string{sample[:60], strings.Repeat("\x00", 5000), "\n\n", "50x000000000000", strings.Repeat("y", 100_000)} {
		l := open(t, dir, Options{})
		l.Write(hit("whole"))
		closed(t, l)
		files, err := list(dir)
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(filepath.Join(dir, fileName(files[len(files)-1].first)), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(tail); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if lines := all(t, dir, 2); len(lines) != 5 {
		t.Errorf("got %d lines, want the 5 whole ones", len(lines))
	}
}

// A writer that is killed in the middle loses nothing that another process has read, and its ids are never given again.
func TestKilled(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("REDIRLOG_DIR"); dir != "" {
		writeForEver(dir)
	}
	dir := t.TempDir()
	seen := 0
	for range 3 {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
		command.Env = append(os.Environ(), "REDIRLOG_DIR="+dir)
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		_, _ = bufio.NewReader(out).ReadString('\n') // it has written some
		lines, _, err := Read(dir, 0, 1_000_000)
		if err != nil {
			t.Error(err)
		}
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = command.Wait()
		after := all(t, dir, 1000)
		if len(lines) <= seen || len(after) < len(lines) {
			t.Errorf("got %d lines, %d while it wrote, %d before, want more each time", len(after), len(lines), seen)
		}
		for i, line := range lines {
			if again := string(after[i].Append(nil)); again != string(line)+"\n" {
				t.Fatalf("line %d: got %q, want what was read while it wrote, %q", i, again, line)
			}
		}
		seen = len(after)
	}
}

// writeForEver is the process that is killed.
func writeForEver(dir string) {
	l, err := Open(dir, Options{Lines: 500})
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		l.Write(hit("of a process that will be killed"))
		if written, _, _ := l.Counts(); i%50 == 0 {
			time.Sleep(time.Millisecond) // the reader is to catch up
			if written > 1000 {
				fmt.Println("written")
			}
		}
	}
}

// The files together never take more than their room; the newest lines stay.
func TestBound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const room = 256 << 10
	l := open(t, dir, Options{MaxBytes: room, Lines: 100})
	sent := 0
	for i := range 10_000 {
		for !l.Write(hit(fmt.Sprint(i))) {
			time.Sleep(time.Millisecond) // the disk is behind
		}
		sent++
		if i%500 == 0 {
			checkRoom(t, dir, room)
		}
	}
	closed(t, l)
	checkRoom(t, dir, room)
	lines := all(t, dir, 1000)
	if last := lines[len(lines)-1]; last.Agent != "9999" || len(lines) == sent {
		t.Errorf("got %d lines up to %s, want fewer than %d, the newest kept", len(lines), last.Agent, sent)
	}
	if _, _, purged := l.Counts(); purged == 0 {
		t.Error("got no purged file, want them counted")
	}
}

func checkRoom(t *testing.T, dir string, room int64) {
	t.Helper()
	files, err := list(dir)
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, f := range files {
		total += f.size
	}
	if total > room {
		t.Fatalf("got %d bytes on disk, want at most %d", total, room)
	}
}

// While the disk refuses, nothing waits: lines are kept as long as the buffer lasts, then dropped and counted. What was
// kept is written once the disk is back.
func TestDiskRefuses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, dir, Options{MaxBytes: 256 << 10})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	kept, dropped := 0, int64(0)
	for range 5000 {
		if l.Write(hit("kept")) {
			kept++
		} else {
			dropped++
		}
	}
	if _, counted, _ := l.Counts(); counted != dropped || dropped == 0 {
		t.Errorf("got %d dropped, %d counted, want both the same and some", dropped, counted)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	if lines := all(t, dir, 1000); len(lines) != kept {
		t.Errorf("got %d lines, want the %d that were kept", len(lines), kept)
	}
}

// A file that takes nothing and cannot be cut is left; the batch goes whole into a new one.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	l := &Log{dir: dir, o: Options{MaxBytes: maxBytes, Lines: purgeLines}, file: null}
	line := hit("kept")
	line.ID = 7
	b := batch{first: line.ID, bytes: line.Append(nil), lines: 1}
	if err := l.write(b); err == nil || l.file != nil {
		t.Errorf("a file that takes nothing: got %v, want an error and no file", err)
	}
	if err := l.write(b); err != nil {
		t.Error(err)
	}
	l.end()
	if lines := all(t, dir, 10); len(lines) != 1 {
		t.Errorf("got %d lines, want the one", len(lines))
	}
}

func TestManyWriters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, Options{Lines: 300})
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for range 500 {
				if !l.Write(hit(fmt.Sprint(i))) {
					t.Error("a line was dropped")
				}
			}
		})
	}
	wait.Wait()
	closed(t, l)
	count := map[string]int{}
	for _, line := range all(t, dir, 999) {
		count[line.Agent]++
	}
	for i := range 8 {
		if got := count[fmt.Sprint(i)]; got != 500 {
			t.Errorf("writer %d: got %d lines, want 500", i, got)
		}
	}
}

// BenchmarkWrite is what a hit waits for the log, beside the same line written to a file at once.
func BenchmarkWrite(b *testing.B) {
	const lines = 10_000
	l, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	file, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	var took, floor time.Duration
	for b.Loop() {
		began := time.Now()
		for range lines {
			l.Write(hit("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"))
		}
		took += time.Since(began)
		began = time.Now()
		for range lines {
			if _, err := file.Write(hit("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36").Append(nil)); err != nil {
				b.Fatal(err)
			}
		}
		floor += time.Since(began)
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*lines), "ns/line")
	b.ReportMetric(float64(floor.Nanoseconds())/float64(b.N*lines), "floor-ns/line")
	b.ReportMetric(took.Seconds()/floor.Seconds(), "ratio")
	if err := errors.Join(l.Close(), file.Close()); err != nil {
		b.Fatal(err)
	}
}
