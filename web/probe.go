package web

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"nightshift/views"
)

// Bounds of the executables that a host's operator adds.
const (
	probeEvery  = time.Minute
	probeWithin = 10 * time.Second
	probeBytes  = 64 << 10
	probeMany   = 20 // executables of the folder, and lines of each
)

// probes are the indicators of a host's operator: every executable of a folder is asked once a minute at most, all at once
// and never twice at a time, and what each says is kept for who asks meanwhile. They run as the user of this process,
// without a shell and with nothing of its environment.
type probes struct {
	dir    string
	logger *slog.Logger
	within time.Duration

	mu   sync.Mutex
	at   time.Time
	last []views.Indicator
}

// read returns what the executables say, at most a minute old. It waits for them, and gives up on each after ten seconds.
func (p *probes) read(ctx context.Context) []views.Indicator {
	if p.dir == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at.IsZero() || time.Since(p.at) >= probeEvery {
		p.last, p.at = p.ask(context.WithoutCancel(ctx)), time.Now()
	}
	return p.last
}

// ask runs all at once.
func (p *probes) ask(ctx context.Context) []views.Indicator {
	entries, err := os.ReadDir(p.dir)
	if err == nil {
		var folder os.FileInfo
		if folder, err = os.Stat(p.dir); err == nil && !ours(folder) {
			return []views.Indicator{unknown(p.dir, "probe_writable")}
		}
	}
	if err != nil {
		p.logger.WarnContext(ctx, "the folder of indicators cannot be read", "error", err.Error())
		return []views.Indicator{unknown(p.dir, "probe_folder")}
	}
	var names []string
	for _, entry := range entries {
		info, err := os.Stat(filepath.Join(p.dir, entry.Name()))
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && entry.Name()[0] != '.' {
			names = append(names, entry.Name())
		}
	}
	said := make([][]views.Indicator, min(len(names), probeMany)+1)
	if len(names) > probeMany {
		said[probeMany] = []views.Indicator{unknown(p.dir, "probe_many", probeMany)}
	}
	var all sync.WaitGroup
	for i, name := range names[:min(len(names), probeMany)] {
		all.Go(func() { said[i] = p.one(ctx, name) })
	}
	all.Wait()
	return slices.Concat(said...)
}

// ours reports whether only root and the user of this process can change the file.
func ours(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && (stat.Uid == 0 || int(stat.Uid) == os.Geteuid()) && info.Mode().Perm()&0o022 == 0
}

// one runs an executable and reads what it says. Whatever goes wrong is an indicator too: nobody knows how its matter stands.
func (p *probes) one(ctx context.Context, name string) []views.Indicator {
	path := filepath.Join(p.dir, name)
	if info, err := os.Stat(path); err != nil || !ours(info) {
		return []views.Indicator{unknown(name, "probe_writable")}
	}
	ctx, done := context.WithTimeout(ctx, p.within)
	defer done()
	out, complaint := &bounded{most: probeBytes, beyond: done}, &bounded{most: 4 << 10, beyond: func() {}}
	command := exec.CommandContext(ctx, path)
	command.Dir, command.Env = p.dir, []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	command.Stdout, command.Stderr = out, complaint
	// It leads a group of its own, so that its children end with it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second
	err := command.Run()
	var ended *exec.ExitError
	var wrong views.Indicator
	switch {
	case out.over:
		wrong = unknown(name, "probe_long", probeBytes>>10)
	case ctx.Err() != nil || errors.Is(err, exec.ErrWaitDelay):
		wrong = unknown(name, "probe_timeout", int(p.within.Seconds()))
	case errors.As(err, &ended):
		wrong = unknown(name, "probe_exit", ended.ExitCode())
	case err != nil:
		wrong = unknown(name, "probe_start")
	default:
		return readings(name, string(out.text))
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	}
	p.logger.WarnContext(ctx, "an indicator gives no answer", "file", name, "error", err, "said", strings.ToValidUTF8(string(complaint.text), "?"))
	return []views.Indicator{wrong}
}

// bounded keeps the beginning of what is written; the first byte beyond it is told of, and the rest forgotten.
type bounded struct {
	text   []byte
	most   int
	over   bool
	beyond func()
}

// Write never refuses: who writes is ended, not blocked.
func (b *bounded) Write(p []byte) (int, error) {
	room := min(len(p), b.most-len(b.text))
	b.text = append(b.text, p[:room]...)
	if room < len(p) && !b.over {
		b.over = true
		b.beyond()
	}
	return len(p), nil
}
