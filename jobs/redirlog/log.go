package redirlog

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The documented bounds of the raw log (maxLogsSizeOnDiskMb, purgeLogsPeriod), what waits in memory for the disk, how
// long a disk that refused is left alone, and the part of the room on disk that one file may take.
const (
	maxBytes   = 500 << 20
	purgeLines = 50_000
	bufferSize = 4 << 20
	retryAfter = time.Second
	share      = 8
)

// ErrHeld says that another process writes into the folder.
var ErrHeld = errors.New("another process writes into this folder")

// Options change the bounds of a log; zero values stand for the documented ones.
type Options struct {
	MaxBytes int64 // on disk, all files together
	Lines    int   // after which a file ends and old ones are purged
	Logger   *slog.Logger
}

// Log writes the raw log of one process. Its lines have strictly increasing ids, over restarts and crashes too.
type Log struct {
	dir    string
	o      Options
	buffer int // bytes that may wait for the disk
	lock   *os.File
	wake   chan struct{}
	closed chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	next    uint64
	waiting batch

	// What only the goroutine of run touches.
	file  *os.File
	size  int64
	lines int

	written, dropped, purged atomic.Int64
}

// batch is lines that go to the disk together.
type batch struct {
	first uint64
	bytes []byte
	lines int
}

// Open makes the folder where needed and starts the writer. A new file begins with the first line, so that whatever a crash
// left at the end of an old one breaks nothing.
func Open(dir string, o Options) (*Log, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = maxBytes
	}
	if o.Lines <= 0 {
		o.Lines = purgeLines
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("raw log: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("raw log: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("raw log %s: %w", dir, ErrHeld), lock.Close())
	}
	newest, err := Newest(dir)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	// Fewer than a million hits a second: the clock is ahead of every id ever given, those included that a lost disk took along.
	next := max(newest+1, uint64(time.Now().UnixMicro()))
	l := &Log{dir: dir, o: o, buffer: int(min(bufferSize, o.MaxBytes/share)), lock: lock, next: next,
		wake: make(chan struct{}, 1), closed: make(chan struct{}), done: make(chan struct{})}
	go l.run()
	return l, nil
}

// Write gives the line its id and hands it over to the disk. It waits for nothing; false says that the line was dropped,
// because the disk has refused, or not kept up, for as long as the buffer lasts.
func (l *Log) Write(line Line) bool {
	l.mu.Lock()
	if len(l.waiting.bytes) > l.buffer-MaxLine {
		l.mu.Unlock()
		l.dropped.Add(1)
		return false
	}
	line.ID = l.next
	l.next++
	if l.waiting.lines == 0 {
		l.waiting.first = line.ID
	}
	l.waiting.bytes = line.Append(l.waiting.bytes)
	l.waiting.lines++
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// Dir is the folder of the raw files, for Read.
func (l *Log) Dir() string { return l.dir }

// Counts are the lines on disk, those that were dropped, and the files that were purged for room, since Open.
func (l *Log) Counts() (written, dropped, purged int64) {
	return l.written.Load(), l.dropped.Load(), l.purged.Load()
}

// Close writes what waits and ends the writer. Nothing may be written after it.
func (l *Log) Close() error {
	close(l.closed)
	<-l.done
	return l.lock.Close()
}

// run takes what waits, in batches, to the disk. A batch that the disk refuses is tried again, whole, until Close.
func (l *Log) run() {
	defer close(l.done)
	var taken batch
	for last := false; !last; {
		select {
		case <-l.wake:
		case <-l.closed:
			last = true
		}
		l.mu.Lock()
		taken, l.waiting = l.waiting, batch{bytes: taken.bytes[:0]}
		l.mu.Unlock()
		l.persist(taken)
	}
	l.end()
}

func (l *Log) persist(b batch) {
	for b.lines > 0 {
		err := l.write(b)
		if err == nil {
			l.written.Add(int64(b.lines))
			return
		}
		l.o.Logger.Error("raw log", "lines", b.lines, "error", err.Error())
		select {
		case <-time.After(retryAfter):
			continue
		case <-l.closed:
		}
		if l.write(b) != nil {
			l.dropped.Add(int64(b.lines))
		}
		return
	}
}

// write appends a batch to the file of now. What a refused write left of it is cut off again.
func (l *Log) write(b batch) error {
	if l.lines >= l.o.Lines || l.size+int64(len(b.bytes)) > l.o.MaxBytes/share {
		l.end()
	}
	if l.file == nil {
		if err := l.begin(b.first); err != nil {
			return err
		}
	}
	if _, err := l.file.Write(b.bytes); err != nil {
		if cut := l.file.Truncate(l.size); cut != nil {
			l.end()
		}
		return fmt.Errorf("raw log: %w", err)
	}
	l.size += int64(len(b.bytes))
	l.lines += b.lines
	return nil
}

// begin makes room and opens the file whose first line will have that id. A file of that name can only hold what a crash
// left of a line, else the id would have been given already.
func (l *Log) begin(first uint64) error {
	if err := l.purge(); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(l.dir, fileName(first)), os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("raw log: %w", err)
	}
	l.file, l.size, l.lines = file, 0, 0
	return nil
}

// end closes the file of now; the next line begins a new one.
func (l *Log) end() {
	if l.file == nil {
		return
	}
	if err := l.file.Close(); err != nil {
		l.o.Logger.Error("raw log", "error", err.Error())
	}
	l.file, l.size, l.lines = nil, 0, 0
}

// purge removes the oldest files until a whole new one has room.
func (l *Log) purge() error {
	files, err := list(l.dir)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, f := range files {
		total += f.size
	}
	for _, f := range files {
		if total <= l.o.MaxBytes-l.o.MaxBytes/share {
			return nil
		}
		if err := os.Remove(filepath.Join(l.dir, fileName(f.first))); err != nil {
			return fmt.Errorf("raw log: %w", err)
		}
		total -= f.size
		l.purged.Add(1)
		l.o.Logger.Warn("raw log: the oldest file was removed, whether its lines were fetched or not", "file", fileName(f.first), "bytes", f.size)
	}
	return nil
}
