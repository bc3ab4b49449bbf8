package views

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"nightshift/static"
)

const hour = time.Hour

// glyph is the address of a symbol of the sprite.
func glyph(name string) string { return static.Path("glyphs.svg") + "#" + name }

// pixels writes a length of an SVG.
func pixels(v float64) string { return strconv.FormatFloat(max(v, 0), 'f', 1, 64) }

// piece is a stretch of a rich text: plain, strong (*) or code (`).
type piece struct {
	mark byte
	text string
}

// pieces cuts a rich text at its marks. A mark without its partner is text.
func (r Rich) pieces() []piece {
	var cut []piece
	rest := string(r)
	for rest != "" {
		at := strings.IndexAny(rest, "*`")
		if at < 0 {
			break
		}
		mark := rest[at : at+1]
		if mark == "*" {
			mark = "**"
		}
		body, after, closed := strings.Cut(strings.TrimPrefix(rest[at:], mark), mark)
		if !strings.HasPrefix(rest[at:], mark) || !closed || body == "" {
			cut = append(cut, piece{0, rest[:at+1]})
			rest = rest[at+1:]
			continue
		}
		if at > 0 {
			cut = append(cut, piece{0, rest[:at]})
		}
		cut = append(cut, piece{mark[0], body})
		rest = after
	}
	if rest != "" {
		cut = append(cut, piece{0, rest})
	}
	return cut
}

// Plain is a rich text without its marks, for titles and attributes.
func (r Rich) Plain() string {
	var b strings.Builder
	for _, piece := range r.pieces() {
		b.WriteString(piece.text)
	}
	return b.String()
}

// Kind is the weight of a button. A view has at most one that is filled.
type Kind string

// The kinds of buttons.
const (
	Plain       Kind = ""
	Filled      Kind = "filled"
	Destructive Kind = "destructive" // simulation plans and last-resort dialogs only
)

func (k Kind) class() string {
	if k == Plain {
		return "plain"
	}
	return string(k)
}

// Value is a field that a form sends without showing it.
type Value struct{ Name, Value string }

// Action is something that can be done here, with a verb and its object; … when a question follows.
type Action struct {
	Text     string
	Href     string
	Post     bool // true: the button posts at once, else it leads to the page that asks
	Values   []Value
	Kind     Kind
	Disabled bool
	Why      string // why it cannot be done now
}

// Option is one entry of a choice.
type Option struct{ Value, Text string }

// Field is one input of a form.
type Field struct {
	Name, Label, Value string
	Note               string // muted, beside the label
	Help               string // option name, unit, default, range and effect
	Error              string // the fact and the range; empty: right
	Type               string // of the input; empty: text
	Placeholder        string
	Inputmode          string
	Autocomplete       string
	Required, Mono     bool
	Autofocus          bool
	Typed              string // text that must be typed before the form can be sent
	For                string // choices of the form that the field counts for, with spaces; empty: all
	Options            []Option
}

func (f Field) id() string {
	return "f-" + strings.NewReplacer(".", "-", "[", "-", "]", "").Replace(f.Name)
}

func (f Field) kind() string {
	if f.Type == "" {
		return "text"
	}
	return f.Type
}

func (f Field) autocomplete() string {
	if f.Autocomplete == "" {
		return "off"
	}
	return f.Autocomplete
}

// counted names the choices that the field counts for, so that script can hide it under others.
func (f Field) counted() templ.Attributes {
	if f.For == "" {
		return nil
	}
	return templ.Attributes{"data-for": f.For}
}

// described ties the input to its help and its error, and to the text that must be typed.
func (f Field) described() templ.Attributes {
	var ids []string
	if f.Error != "" {
		ids = append(ids, f.id()+"-error")
	}
	if f.Help != "" {
		ids = append(ids, f.id()+"-help")
	}
	attributes := templ.Attributes{}
	if len(ids) > 0 {
		attributes["aria-describedby"] = strings.Join(ids, " ")
	}
	if f.Error != "" {
		attributes["aria-invalid"] = "true"
	}
	if f.Typed != "" {
		attributes["data-typed"] = f.Typed
	}
	return attributes
}

// Paging leads to the rows before and behind those shown, by keyset.
type Paging struct {
	Newer, Older string // addresses; empty: none
	Note         string
}

// Progress is a bar: parts of 1.
type Progress struct {
	Done  float64
	Usual float64 // where it usually is by now; 0: not known
	Width float64 // pixels; 0: 200
	Label string
	Tone  string // running (empty) or late, mid
}

func (b Progress) width() float64 {
	if b.Width == 0 {
		return 200
	}
	return b.Width
}

func (t Theme) value() string {
	if t == FollowSystem {
		return "system"
	}
	return string(t)
}

// tabTitle is the title of the browser's tab: the page, then the instance.
func (p Page) tabTitle() string {
	parts := []string{}
	for _, part := range []string{p.Title, p.Instance} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if p.Needs > 0 {
		return fmt.Sprintf("(%d) %s · Nightshift", p.Needs, strings.Join(parts, " · "))
	}
	return strings.Join(append(parts, "Nightshift"), " · ")
}

// tick says how long ago the engine looked at its clock.
func (p Page) tick() string {
	if p.TickAge < 10*time.Second {
		return p.T("unit.s", fmt.Sprintf("%.1f", p.TickAge.Seconds()))
	}
	return p.About(p.TickAge)
}

// readAt says when the page was read, and whether it renews itself.
func (p Page) readAt() string {
	switch {
	case p.Live:
		return p.T("layout.live", p.Second(p.Now))
	case p.Refresh > 0:
		return p.T("layout.updated_every", p.Second(p.Now), p.Lasted(p.Refresh))
	case p.Updated:
		return p.T("layout.updated", p.Second(p.Now))
	}
	return p.DayYear(p.Now) + ", " + p.When(p.Now)
}
