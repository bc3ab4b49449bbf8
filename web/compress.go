package web

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/labstack/echo/v4"

	"nightshift/views"
)

// worthPacking is the size in bytes from which an answer is compressed: below, the packet costs as much.
const worthPacking = 1400

// accepted are the compressions that the browser reads. It says to caches that answers differ by them.
func accepted(c echo.Context) string {
	c.Response().Header().Add("Vary", "Accept-Encoding")
	return c.Request().Header.Get("Accept-Encoding")
}

// markup is HTML in the making, and where in it stand the pictures that were kept.
type markup struct {
	*bytes.Buffer
	pictures []placed
}

type placed struct {
	at      int
	picture *views.Picture
}

// WritePicture implements views.PictureWriter.
func (m *markup) WritePicture(p *views.Picture) error {
	m.pictures = append(m.pictures, placed{m.Len(), p})
	m.WriteString(p.Text)
	return nil
}

// packed answers with a text of some kind, compressed where the browser takes it and it is worth it: a list of workflows
// shrinks to an eighth. No answer carries a secret together with a text of the request, so its length tells nothing.
func (s *Server) packed(c echo.Context, status int, kind string, body []byte, pictures ...placed) error {
	if len(body) < worthPacking || !strings.Contains(accepted(c), "gzip") || c.Request().Method == http.MethodHead {
		return c.Blob(status, kind, body)
	}
	packed := s.buffer()
	defer s.buffers.Put(packed)
	if err := s.pack(packed, body, pictures); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return encoded(c, "gzip", status, kind, packed.Bytes())
}

func encoded(c echo.Context, encoding string, status int, kind string, packed []byte) error {
	c.Response().Header().Set("Content-Encoding", encoding)
	return c.Blob(status, kind, packed)
}

// gzipHead begins a gzip file (RFC 1952) that names neither itself nor its time.
const gzipHead = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// pack writes a gzip file. The pictures in it are not compressed again: whatever is deflated up to a whole byte and looks
// back at nothing before itself may stand anywhere in such a file.
func (s *Server) pack(to *bytes.Buffer, body []byte, pictures []placed) error {
	w, err := writer(&s.packers, to, flate.BestSpeed)
	if err != nil {
		return err
	}
	defer s.packers.Put(w)
	to.WriteString(gzipHead)
	done := 0
	for _, p := range pictures {
		packed := p.picture.Packed(s.deflated)
		if packed == nil {
			continue
		}
		if err := deflate(w, body[done:p.at], w.Flush); err != nil {
			return err
		}
		to.Write(packed)
		w.Reset(to)
		done = p.at + len(p.picture.Text)
	}
	if err := deflate(w, body[done:], w.Close); err != nil {
		return err
	}
	return binary.Write(to, binary.LittleEndian, []uint32{crc32.ChecksumIEEE(body), uint32(len(body))})
}

func deflate(w io.Writer, text []byte, end func() error) error {
	if _, err := w.Write(text); err != nil {
		return err
	}
	return end()
}

// deflated is a picture as it stands in gzip files. It serves many answers and takes its time; nil when it cannot be made.
func (s *Server) deflated(text string) []byte {
	var packed bytes.Buffer
	w, err := writer(&s.deflater, &packed, flate.BestCompression)
	if err != nil {
		return nil
	}
	defer s.deflater.Put(w)
	if deflate(w, []byte(text), w.Flush) != nil {
		return nil
	}
	return packed.Bytes()
}

// writer takes a writer that has served before: a new one costs more than the page that it packs.
func writer(used *sync.Pool, to *bytes.Buffer, level int) (*flate.Writer, error) {
	if w, ok := used.Get().(*flate.Writer); ok {
		w.Reset(to)
		return w, nil
	}
	return flate.NewWriter(to, level)
}

// buffer takes an empty buffer that has served before: one that grows anew copies a page three times.
func (s *Server) buffer() *bytes.Buffer {
	if used, ok := s.buffers.Get().(*bytes.Buffer); ok {
		used.Reset()
		return used
	}
	return &bytes.Buffer{}
}
