package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"nightshift/jobs/redirlog"
)

const (
	// tagMax and contactMax are how long a tag and the contact that it names may be.
	tagMax, contactMax = 100, 150
)

// hitTag answers the image of a web tag: a page was seen, or something bought. Who did it is the contact that the page
// names or else, by the session cookie, who clicked; the delivery is that of the click or else the one that the page names.
func (s *Server) hitTag(c echo.Context) error {
	query := c.QueryParams()
	tag := query.Get("tagid")
	if tag == "" || len(tag) > tagMax || !readable(tag) {
		return errNoLink
	}
	if !s.targets.knownTag(tag) {
		if err := s.miss(c.Request()); err != nil {
			return err
		}
	}
	target, err := s.targets.findTag(c.Request().Context(), tag)
	if err != nil {
		return err
	}
	line := redirlog.Line{URL: target.id, Flag: "t", Params: tagParams(query)}
	line.BroadLog, line.Delivery = hitSession(c)
	if line.Delivery == 0 {
		if named, wrong := hexID(query.Get("jobid")); !wrong {
			line.Delivery = named
		}
	}
	if query.Get("rcpid") != "" {
		line.BroadLog = 0
	}
	s.record(c, line, false)
	return c.Blob(http.StatusOK, "image/gif", pixel)
}

// tagParams are the values of a web hit as the raw log has them: the contact first, then amount and article, then the
// rest by name, each whole or not at all, 64 bytes of them besides the contact.
func tagParams(query url.Values) string {
	var params []string
	if contact := "rcpid=" + url.QueryEscape(query.Get("rcpid")); query.Get("rcpid") != "" && len(contact) <= contactMax {
		params = append(params, contact)
	}
	names := make([]string, 0, len(query))
	for name := range query {
		if !slices.Contains([]string{"tagid", "jobid", "rcpid", "amount", "article"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	room := redirlog.ParamSize
	for _, name := range append([]string{"amount", "article"}, names...) {
		if !query.Has(name) {
			continue
		}
		pair := url.QueryEscape(name) + "=" + url.QueryEscape(query.Get(name))
		if len(pair) <= room {
			params = append(params, pair)
			room -= len(pair) + 1
		}
	}
	return strings.Join(params, "&")
}
