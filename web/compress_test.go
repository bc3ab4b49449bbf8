package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/labstack/echo/v4"

	"nightshift/static"
	"nightshift/views"
	"nightshift/views/locale"
)

func TestMarkupIsPackedForThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	page := strings.Repeat("<p>one row of many</p>", 400)
	for accepts, packed := range map[string]bool{"gzip, br": true, "": false, "br": false} {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set("Accept-Encoding", accepts)
		answer := httptest.NewRecorder()
		if err := new(Server).packed(echo.New().NewContext(request, answer), http.StatusOK, "text/html", []byte(page)); err != nil {
			t.Fatal(err)
		}
		if got := answer.Header().Get("Content-Encoding") == "gzip"; got != packed {
			t.Errorf("accepting %q: got packed %v, want %v", accepts, got, packed)
			continue
		}
		var body io.Reader = answer.Body
		if packed {
			reader, err := gzip.NewReader(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = reader
		}
		content, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		if string(content) != page {
			t.Errorf("accepting %q: got %d bytes, want the page's %d", accepts, len(content), len(page))
		}
	}
}

// A page whose pictures were kept is the same page, whether they are shown for the first time or were compressed before, and
// a picture is compressed at its second use.
func TestKeptPicturesAreSplicedIn(t *testing.T) {
	t.Parallel()
	s := new(Server)
	now := time.Date(2026, 11, 27, 3, 12, 0, 0, time.UTC)
	plain := views.Runs{Page: views.Page{Lang: locale.Korean, Zone: time.UTC, Now: now, Nodes: 1}, Count: "60"}
	for id := range int64(60) {
		plain.Rows = append(plain.Rows, views.RunRow{ID: id + 1, Workflow: "cleanup", Label: "Datenbank <aufräumen>", State: views.Finished, Begun: now})
	}
	kept := plain
	kept.Drawn, kept.Tape.Drawn = new(views.Drawings), new(views.Drawings)
	render := func(list views.Runs) *markup {
		t.Helper()
		page := &markup{Buffer: new(bytes.Buffer)}
		if err := views.RunsPage(list).Render(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		return page
	}
	want := render(plain)
	if len(want.pictures) != 0 {
		t.Fatalf("a page that keeps nothing: got %d pictures, want none", len(want.pictures))
	}
	var sizes []int
	for range 3 {
		page, packed := render(kept), new(bytes.Buffer)
		if len(page.pictures) != 2 {
			t.Fatalf("got %d pictures, want masthead and list", len(page.pictures))
		}
		if err := s.pack(packed, page.Bytes(), page.pictures); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, packed.Len())
		reader, err := gzip.NewReader(packed)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("got %d bytes and %v, want the %d of the page without kept pictures", len(got), err, want.Len())
		}
	}
	if sizes[0] == sizes[1] || sizes[1] != sizes[2] {
		t.Errorf("compressed: got %d bytes, want other ones from the second time on, because the pictures were compressed for themselves", sizes)
	}
}

// The sheet comes in the smallest form that the browser reads, and is the same in all of them.
func TestFilesArePackedForThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	c := bareConsole(t)
	sheet := static.Path("app.css")
	want, _ := static.Find(path.Base(sheet))
	for accepts, encoding := range map[string]string{"gzip, deflate, br, zstd": "br", "gzip": "gzip", "": ""} {
		request := httptest.NewRequest(http.MethodGet, "http://"+host+sheet, nil)
		request.Header.Set("Accept-Encoding", accepts)
		answer := httptest.NewRecorder()
		c.ServeHTTP(answer, request)
		if got := answer.Header().Get("Content-Encoding"); answer.Code != http.StatusOK || got != encoding || answer.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("accepting %q: got %d, encoding %q, Vary %q, want 200, %q, Accept-Encoding", accepts, answer.Code, got, answer.Header().Get("Vary"), encoding)
		}
		var body io.Reader = answer.Body
		switch encoding {
		case "br":
			body = brotli.NewReader(answer.Body)
		case "gzip":
			reader, err := gzip.NewReader(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = reader
		}
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, want.Content) {
			t.Errorf("accepting %q: got %d bytes and %v, want the sheet's %d", accepts, len(got), err, len(want.Content))
		}
	}
}
