package web

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/labstack/echo/v4"
)

// worthPacking is the size in bytes from which an answer is compressed: below, the packet costs as much.
const worthPacking = 1400

// takesGzip reports whether the browser reads compressed answers, and says to caches that answers differ by it.
func takesGzip(c echo.Context) bool {
	c.Response().Header().Add("Vary", "Accept-Encoding")
	return strings.Contains(c.Request().Header.Get("Accept-Encoding"), "gzip")
}

// markup answers with HTML, compressed where the browser takes it: a list of workflows shrinks to an eighth. No answer
// carries a secret together with a text of the request, so its length tells nothing.
func (s *Server) markup(c echo.Context, status int, body []byte) error {
	return s.packed(c, status, "text/html; charset=utf-8", body)
}

// packed answers with a text of some kind, compressed where that is worth it.
func (s *Server) packed(c echo.Context, status int, kind string, body []byte) error {
	if len(body) < worthPacking || !takesGzip(c) || c.Request().Method == http.MethodHead {
		return c.Blob(status, kind, body)
	}
	packed := s.buffer()
	defer s.buffers.Put(packed)
	w, err := s.packer(packed)
	if err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	defer s.packers.Put(w)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	c.Response().Header().Set("Content-Encoding", "gzip")
	return c.Blob(status, kind, packed.Bytes())
}

// packer takes a writer that has served before: a new one costs more than the page that it packs.
func (s *Server) packer(to *bytes.Buffer) (*gzip.Writer, error) {
	if used, ok := s.packers.Get().(*gzip.Writer); ok {
		used.Reset(to)
		return used, nil
	}
	return gzip.NewWriterLevel(to, gzip.BestSpeed)
}

// buffer takes an empty buffer that has served before: one that grows anew copies a page three times.
func (s *Server) buffer() *bytes.Buffer {
	if used, ok := s.buffers.Get().(*bytes.Buffer); ok {
		used.Reset()
		return used
	}
	return &bytes.Buffer{}
}
