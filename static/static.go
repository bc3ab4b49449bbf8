// Package static holds what the browser loads besides pages: one style sheet, one script, the glyphs and the icon. Only the
// heat map, which few look at, brings a sheet and a script of its own.
// Nothing is built for it; the style sheet and the script are put together from their files when first asked for.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
)

//go:embed app *.css *.js *.svg VENDOR.md
var files embed.FS

// Prefix is the path under which the web serves the files.
const Prefix = "/static/"

// File is one file to serve. A name carries the hash of its content, so it may be kept for ever.
type File struct {
	Name    string // with its hash: app.3f2a91c04d5e.css
	Type    string // media type
	Content []byte
	Gzip    []byte // Content, compressed once
	Brotli  []byte // the same, a twentieth smaller
}

var all = sync.OnceValue(func() map[string]File {
	files, err := assemble()
	if err != nil {
		panic(err)
	}
	return files
})

// remarks are what our sheets and scripts have for those who read their source: comments, indentation, empty lines, and in
// a sheet the blanks around braces and semicolons, and behind colons and commas.
var (
	remarks       = regexp.MustCompile(`(?m)/\*[^*]*\*/|^\s+`)
	blanks        = regexp.MustCompile(`\s*([{};])\s*|([:,])\s+`)
	scriptRemarks = regexp.MustCompile(`(?m)^\s*//.*\n|^\s+`)
)

// plain is a file's content without its remarks; what others wrote stays as it is.
func plain(name string, content []byte) []byte {
	switch {
	case path.Ext(name) == ".css":
		return blanks.ReplaceAll(remarks.ReplaceAll(content, nil), []byte("$1$2"))
	case path.Ext(name) == ".js" && !strings.HasSuffix(name, ".min.js"):
		return scriptRemarks.ReplaceAll(content, nil)
	}
	return content
}

// assemble reads the embedded files, by the name that pages know them by.
func assemble() (map[string]File, error) {
	sheets, err := fs.Glob(files, "app/*.css")
	if err != nil {
		return nil, fmt.Errorf("list style sheets: %w", err)
	}
	parts := map[string][]string{
		"app.css": sheets, "app.js": {"htmx.min.js", "app.js"}, "heat.css": {"heat.css"}, "heat.js": {"heat.js"},
		"glyphs.svg": {"glyphs.svg"}, "favicon.svg": {"favicon.svg"},
	}
	found := map[string]File{}
	for name, from := range parts {
		var content []byte
		for _, part := range from {
			piece, err := files.ReadFile(part)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", part, err)
			}
			content = append(append(content, plain(part, piece)...), '\n')
		}
		if found[name], err = hashed(name, content); err != nil {
			return nil, fmt.Errorf("compress %s: %w", name, err)
		}
	}
	return found, nil
}

func hashed(name string, content []byte) (File, error) {
	types := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	sum := sha256.Sum256(content)
	suffix := path.Ext(name)
	packed, err := compress(content, gzipped)
	if err != nil {
		return File{}, err
	}
	smaller, err := compress(content, brotlied)
	return File{
		Name:    strings.TrimSuffix(name, suffix) + "." + hex.EncodeToString(sum[:6]) + suffix,
		Type:    types[suffix],
		Content: content,
		Gzip:    packed,
		Brotli:  smaller,
	}, err
}

func gzipped(to io.Writer) (io.WriteCloser, error) {
	return gzip.NewWriterLevel(to, gzip.BestCompression)
}

// brotlied looks back 64 kB, which is all that our files have. One level more would take twenty times as long.
func brotlied(to io.Writer) (io.WriteCloser, error) {
	return brotli.NewWriterOptions(to, brotli.WriterOptions{Quality: 9, LGWin: 16}), nil
}

func compress(content []byte, with func(io.Writer) (io.WriteCloser, error)) ([]byte, error) {
	var packed bytes.Buffer
	w, err := with(&packed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// Path is the URL path of a file (app.css, app.js, glyphs.svg, favicon.svg; heat.css and heat.js beside them on the heat
// map), its hash included.
// It panics on a name that does not exist: names are written in templates only.
func Path(name string) string {
	file, ok := all()[name]
	if !ok {
		panic("static: no file " + name)
	}
	return Prefix + file.Name
}

// Find returns the file that a hashed name stands for; ok is false when there is none, or an older one of that name.
func Find(hashedName string) (file File, ok bool) {
	for _, file := range all() {
		if file.Name == hashedName {
			return file, true
		}
	}
	return File{}, false
}
