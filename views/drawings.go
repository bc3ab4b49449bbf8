package views

import (
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/a-h/templ"
	templruntime "github.com/a-h/templ/runtime"

	"nightshift/views/locale"
)

// Drawings keeps what was drawn of the same facts: the masthead, whose drawing takes as long as a list of fifty rows, or
// such a list. Whoever reads new facts begins a new one; the zero value is empty, and a nil one keeps nothing.
type Drawings struct {
	mu   sync.Mutex
	kept map[drawing]*Picture
}

// drawing says in what one picture differs from another.
type drawing struct {
	picture string
	lang    locale.Lang
	zone    string
	own     string
}

// Picture is a part of a page that was kept for the next page that shows the same.
type Picture struct {
	Text string

	shown  atomic.Bool
	once   sync.Once
	packed []byte
	size   atomic.Int64 // of packed
}

// PictureWriter takes a page and wants to know where a picture that was kept stands in it.
type PictureWriter interface {
	io.Writer
	WritePicture(*Picture) error
}

// Packed is what pack makes of the picture, made once for all pages that show it. A picture that is shown for the first
// time gives nil: often there is no second time.
func (p *Picture) Packed(pack func(text string) []byte) []byte {
	if !p.shown.Swap(true) {
		return nil
	}
	p.once.Do(func() {
		p.packed = pack(p.Text)
		p.size.Store(int64(len(p.packed)))
	})
	return p.packed
}

// write puts the picture into a page. What the template has written before it must have arrived for its place to be known.
func (p *Picture) write(w io.Writer) error {
	buffer, ok := w.(*templruntime.Buffer)
	if !ok {
		_, err := io.WriteString(w, p.Text)
		return err
	}
	page, ok := buffer.Underlying.(PictureWriter)
	if !ok {
		_, err := buffer.WriteString(p.Text)
		return err
	}
	if err := buffer.Flush(); err != nil {
		return err
	}
	return page.WritePicture(p)
}

// Size is how many bytes the pictures have that were drawn by now, compressed ones included.
func (d *Drawings) Size() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	size := 0
	for _, picture := range d.kept {
		size += len(picture.Text) + int(picture.size.Load())
	}
	return size
}

// drawn is a part of the masthead, kept for the next page that shows the same.
func (p Page) drawn(picture string, draw templ.Component) templ.Component {
	return p.Tape.Drawn.keep(drawing{picture, p.Lang, p.Zone.String(), p.Tape.Own}, draw)
}

// keep draws a picture at its first use, and gives what came of it at others.
func (d *Drawings) keep(key drawing, draw templ.Component) templ.Component {
	if d == nil {
		return draw
	}
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		d.mu.Lock()
		picture := d.kept[key]
		d.mu.Unlock()
		if picture == nil {
			var b strings.Builder
			if err := draw.Render(ctx, &b); err != nil {
				return err
			}
			picture = &Picture{Text: b.String()}
			d.mu.Lock()
			if d.kept == nil {
				d.kept = map[drawing]*Picture{}
			}
			d.kept[key] = picture
			d.mu.Unlock()
		}
		return picture.write(w)
	})
}
