package web

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

const (
	// personCookie stays and tells a browser from others; hitCookie ends with the browser and holds the last click.
	personCookie, hitCookie = "uuid230", "id"
	// personFor is 400 days, the longest that browsers keep a cookie.
	personFor = 400 * 24 * 60 * 60
	personMax = 48
)

// person is the browser's uuid230: what it shows, or a new one, which a browser that refuses cookies gets at every hit.
func (s *Server) person(c echo.Context) string {
	if cookie, err := c.Cookie(personCookie); err == nil && isPerson(cookie.Value) {
		return cookie.Value
	}
	uuid := rand.Text()
	s.giveCookie(c, personCookie, uuid, personFor)
	return uuid
}

func isPerson(text string) bool {
	return text != "" && len(text) <= personMax && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}

// beginHitSession remembers the message and the delivery of a click for the web tags of the pages that follow.
func (s *Server) beginHitSession(c echo.Context, broadLog, delivery int64) {
	s.giveCookie(c, hitCookie, strconv.FormatInt(broadLog, 16)+"-"+strconv.FormatInt(delivery, 16), 0)
}

// hitSession reads the message and the delivery of the last click; zeros without one.
func hitSession(c echo.Context) (broadLog, delivery int64) {
	cookie, err := c.Cookie(hitCookie)
	if err != nil {
		return 0, 0
	}
	first, second, _ := strings.Cut(cookie.Value, "-")
	broadLog, wrong := hexID(first)
	delivery, alsoWrong := hexID(second)
	if wrong || alsoWrong {
		return 0, 0
	}
	return broadLog, delivery
}

func hexID(text string) (id int64, wrong bool) {
	id, err := strconv.ParseInt(text, 16, 64)
	return id, err != nil || id < 0 || text[0] == '+'
}

// giveCookie sets a cookie of the redirection. Web tags stand on pages of other sites: there browsers show cookies only
// when these say None, which needs TLS.
func (s *Server) giveCookie(c echo.Context, name, value string, seconds int) {
	cookie := &http.Cookie{Name: name, Value: value, Path: "/r/", MaxAge: seconds, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if s.secure() {
		cookie.Secure, cookie.SameSite = true, http.SameSiteNoneMode
	}
	c.SetCookie(cookie)
}
