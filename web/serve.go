package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// drain is how long requests may take to end once the process stops; then their connections are cut.
const drain = 5 * time.Second

// finish is how long requests may go on once the process stops, before their contexts end.
const finish = 2 * time.Second

// What a connection may take: to send the head of a request and the whole of it, to take the answer (an event stream has
// a limit for each write instead), and between two requests. A head is largeHead bytes at most.
const (
	headWithin  = 5 * time.Second
	readWithin  = 30 * time.Second
	writeWithin = time.Minute
	idleWithin  = 2 * time.Minute
	largeHead   = 32 << 10
)

// tailEvery is how often the end of the audit trail goes to the process log.
const tailEvery = time.Hour

// Serve answers requests on a listener until ctx ends, then lets those that run come to their end.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	s.warnWithoutTLS()
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := s.httpServer()
	server.BaseContext = func(net.Listener) context.Context { return requests }
	go s.bell.listen(requests)
	go s.noteTail(ctx)
	go s.targets.keep(ctx)
	go s.listenToItself(ctx, listener.Addr())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve the console: %w", err)
	case <-ctx.Done():
	}
	// Requests have a moment to answer. Then what still runs is cut: event streams, whose browsers ask another node.
	late := time.AfterFunc(finish, cut)
	defer late.Stop()
	end, done := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer done()
	if err := server.Shutdown(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop the console: %w", err)
	}
	return server.Close()
}

// warnWithoutTLS says in the process log that whoever listens on the way reads along, unless the way stays on this machine.
func (s *Server) warnWithoutTLS() {
	if s.secure() || s.config.URL == nil {
		return
	}
	name := s.config.URL.Hostname()
	if ip, err := netip.ParseAddr(name); name == "localhost" || err == nil && ip.IsLoopback() {
		return
	}
	s.logger.Warn("passwords and sessions cross the network in the clear: give NIGHTSHIFT_URL an https address", "url", s.config.URL.String())
}

// httpServer is the server with its limits.
func (s *Server) httpServer() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headWithin,
		ReadTimeout:       readWithin,
		WriteTimeout:      writeWithin,
		IdleTimeout:       idleWithin,
		MaxHeaderBytes:    largeHead,
	}
}

// noteTail writes the end of the audit trail to the process log from time to time: outside the database, it shows later
// that nothing was cut off.
func (s *Server) noteTail(ctx context.Context) {
	ticks := time.NewTicker(tailEvery)
	defer ticks.Stop()
	for {
		if seq, hash, err := s.db.AuditTail(ctx); err == nil && seq > 0 {
			s.logger.Info("audit trail", "seq", seq, "hash", hexText(hash))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}
