package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

func TestMarkupIsPackedForThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	page := strings.Repeat("<p>one row of many</p>", 400)
	for accepts, packed := range map[string]bool{"gzip, br": true, "": false, "br": false} {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set("Accept-Encoding", accepts)
		answer := httptest.NewRecorder()
		if err := new(Server).markup(echo.New().NewContext(request, answer), http.StatusOK, []byte(page)); err != nil {
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
