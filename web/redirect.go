package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/jobs/redirlog"
	"nightshift/views"
)

// The redirection: what messages and web pages link to. It is asked for by strangers, millions of times, so it has its
// own way past the console's middleware: no session, no line in the process log, no database where memory knows the URL.
// Each hit is a line of the raw log instead, and the tracking workflow makes tracking logs of them.
const (
	// Hits that one address may make: so many a second, so many at once. Proxies of mail services open images for thousands.
	hitsPerSecond, hitsAtOnce = 200, 2000
	// Hits of URLs that memory does not know, for which the database is asked.
	missesPerSecond, missesAtOnce = 5, 100
	// hitQuery is how long the query of a hit may be.
	hitQuery = 4096
)

// pixel is a transparent GIF of one dot.
var pixel = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")

// isHit reports whether a path is one of links, images and web tags. What is below /r/ beside them are pages.
func isHit(path string) bool {
	name, ok := strings.CutPrefix(path, "/r/")
	return ok && !strings.Contains(name, "/") && name != "test" && name != "opt-out" && name != "mirror"
}

// enterHit is around the handlers of hits.
func (s *Server) enterHit(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		header := c.Response().Header()
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		if s.secure() {
			header.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		err := s.admitHit(c.Request())
		if err == nil {
			err = r.handle(c)
		}
		if err != nil {
			s.failHit(c, err)
		}
		s.measures.observe(r.path, c.Request().Method, c.Response().Status, time.Since(began))
		return nil
	}
}

// admitHit refuses what asks for another host, at length, or too often.
func (s *Server) admitHit(r *http.Request) error {
	switch {
	case !s.ourHost(r):
		return &problem{status: http.StatusMisdirectedRequest, key: "error.host"}
	case len(r.URL.RawQuery) > hitQuery:
		return &problem{status: http.StatusRequestURITooLong, key: "error.too_large"}
	}
	if wait := s.hits.spend(s.house(r), hitsPerSecond, hitsAtOnce); wait > 0 {
		return &problem{status: http.StatusTooManyRequests, key: "error.too_many", wait: wait}
	}
	return nil
}

// miss counts a hit that memory cannot answer: who guesses ids is stopped before the database is asked.
func (s *Server) miss(r *http.Request) error {
	if wait := s.hits.spend("miss "+s.house(r), missesPerSecond, missesAtOnce); wait > 0 {
		return &problem{status: http.StatusTooManyRequests, key: "error.too_many", wait: wait}
	}
	return nil
}

// errNoLink is a link that is not one of ours, or no longer: nobody is sent anywhere.
var errNoLink = &problem{status: http.StatusNotFound, key: "letter.no_link"}

// failHit answers with a page that tells a reader of mail, who knows nothing of the console, what is the matter.
func (s *Server) failHit(c echo.Context, err error) {
	p := classify(err)
	switch {
	case errors.Is(err, db.ErrNotFound):
		p = errNoLink
	case p.status >= http.StatusInternalServerError || errors.Is(err, errBusy):
		s.logger.Warn("redirection", "error", err.Error())
		p = &problem{status: http.StatusServiceUnavailable, key: "letter.later", wait: 5 * time.Second}
	}
	if p.wait > 0 {
		c.Response().Header().Set("Retry-After", retryAfter(p.wait))
	}
	page := s.plainPage(c)
	page.Title = page.T("letter.no_link_title")
	if p != errNoLink {
		page.Title = page.T("letter.later_title")
	}
	c.Response().Header().Set("Content-Security-Policy", policy)
	s.write(c, p.status, views.LetterPage(views.Letter{Page: page, Fact: page.Title, Why: page.T(p.key, p.args...)}))
}

// followLink answers a link or an image of a message: a line in the raw log, then the target or the image. The ids must
// exist together, else it is an unknown link, and no parameter can name a target.
func (s *Server) followLink(c echo.Context) error {
	query := c.QueryParams()
	link, ok := db.ParseMessageLink(query.Get("id"))
	if !ok || len(query["id"]) > 1 || namesTarget(query) {
		return errNoLink
	}
	if link.URL != db.OpenURL && prefetched(c.Request()) {
		// Not a click. Refused, so that the browser asks again when there is one, and not its cache.
		return c.NoContent(http.StatusServiceUnavailable)
	}
	target, err := s.targetOf(c.Request(), link)
	if err != nil {
		return err
	}
	to := ""
	switch link.URL {
	case db.OpenURL:
	case db.OptOutURL, db.MirrorURL:
		signature := query.Get("s")
		if !s.db.LinkSigned(link, signature) {
			return errNoLink
		}
		to = letterPaths[link.URL] + "?id=" + link.String() + "&s=" + signature
	default:
		if to = target.location(func(place int) string { return query.Get("p" + strconv.Itoa(place)) }); to == "" {
			return errNoLink
		}
	}
	line := redirlog.Line{BroadLog: link.BroadLog, Delivery: link.Delivery, URL: link.URL, Flag: "h"}
	s.record(c, line, to != "")
	if to == "" {
		return c.Blob(http.StatusOK, "image/gif", pixel)
	}
	c.Response().Header().Set(echo.HeaderLocation, to)
	c.Response().WriteHeader(http.StatusFound)
	return nil
}

// letterPaths are the pages behind the reserved URLs that have one.
var letterPaths = map[int64]string{db.OptOutURL: "/r/opt-out", db.MirrorURL: "/r/mirror"}

// targetOf finds where a link leads. The reserved URLs lead to ourselves, and every delivery that there is has them.
func (s *Server) targetOf(r *http.Request, link db.MessageLink) (*linkTarget, error) {
	key := urlKey{link.Delivery, link.URL}
	switch {
	case link.Delivery == 0:
		return nil, errNoLink
	case link.URL == db.OpenURL || letterPaths[link.URL] != "":
		key.url = 0
	case link.URL < db.FirstURL:
		return nil, errNoLink
	}
	if !s.targets.known(key) {
		if err := s.miss(r); err != nil {
			return nil, err
		}
	}
	return s.targets.find(r.Context(), key)
}

// namesTarget reports whether a query carries an address besides the values of places: somebody tries to be sent there.
func namesTarget(query url.Values) bool {
	for name, values := range query {
		if _, err := strconv.Atoi(strings.TrimPrefix(name, "p")); err == nil && name[0] == 'p' {
			continue
		}
		for _, value := range values {
			if strings.Contains(value, "//") || strings.Contains(value, `\\`) || name == "url" {
				return true
			}
		}
	}
	return false
}

// prefetched reports a request that a browser makes before anybody has clicked.
func prefetched(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if value := r.Header.Get(name); strings.Contains(value, "prefetch") || strings.Contains(value, "preview") {
			return true
		}
	}
	return false
}

// record writes the hit into the raw log and gives the browser its cookies; a click also opens its session. HEAD is what
// programs ask that check links: it is no hit.
func (s *Server) record(c echo.Context, line redirlog.Line, click bool) {
	if c.Request().Method != http.MethodGet {
		return
	}
	line.UUID = s.person(c)
	if click {
		s.beginHitSession(c, line.BroadLog, line.Delivery)
	}
	line.Date, line.Agent, line.Address = time.Now(), c.Request().UserAgent(), s.clientIP(c.Request()).String()
	if s.config.RawLog != nil {
		s.config.RawLog.Write(line)
	}
}
