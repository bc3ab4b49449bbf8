package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
	"nightshift/views/locale"
)

const (
	letterDeadline = 5 * time.Second
	// mirrorPolicy shows a stored message as it is, in an origin of its own: its images and styles, and nothing that runs,
	// submits or frames.
	mirrorPolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src http: https: data:; " +
		"style-src 'unsafe-inline' https:; font-src https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// letter reads which message a page is about. Only this instance can have signed it: ids can be guessed, signatures not.
func (s *Server) letter(c echo.Context, url int64) (db.MessageLink, error) {
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	if err := s.miss(c.Request()); err != nil {
		return db.MessageLink{}, err
	}
	link, ok := db.ParseMessageLink(c.QueryParam("id"))
	if !ok || link.URL != url || !s.db.LinkSigned(link, c.QueryParam("s")) {
		return db.MessageLink{}, errNoLink
	}
	return link, nil
}

// mirrorPage shows a message as it was stored when it was sent. It is somebody else's HTML, so it gets nothing of ours:
// no cookie, no script, no origin.
func (s *Server) mirrorPage(c echo.Context) error {
	link, err := s.letter(c, db.MirrorURL)
	if err != nil {
		return s.answerLetter(c, err)
	}
	ctx, done := context.WithTimeout(c.Request().Context(), letterDeadline)
	defer done()
	page, err := s.db.MirrorPage(ctx, link.Delivery, link.BroadLog)
	if errors.Is(err, db.ErrNotFound) {
		return s.writeLetter(c, http.StatusNotFound, func(p views.Page) views.Letter {
			return views.Letter{Fact: p.T("letter.no_page_title"), Why: p.T("letter.no_page")}
		})
	}
	if err != nil {
		return s.answerLetter(c, err)
	}
	c.Response().Header().Set("Content-Security-Policy", mirrorPolicy)
	return c.Blob(http.StatusOK, "text/html; charset=utf-8", page)
}

// optOutPage asks whether somebody wants no more messages. Programs that follow links to check them change nothing.
func (s *Server) optOutPage(c echo.Context) error { return s.optOutLetter(c, false) }

// optOut records the wish. Mail programs post the same address by themselves when their user asks for it (RFC 8058).
func (s *Server) optOut(c echo.Context) error { return s.optOutLetter(c, true) }

func (s *Server) optOutLetter(c echo.Context, wanted bool) error {
	link, err := s.letter(c, db.OptOutURL)
	if err != nil {
		return s.answerLetter(c, err)
	}
	ctx, done := context.WithTimeout(c.Request().Context(), letterDeadline)
	defer done()
	who, err := s.db.Addressee(ctx, link.Delivery, link.BroadLog)
	if err == nil && wanted {
		err = s.db.OptOut(ctx, who)
	}
	if err != nil {
		return s.answerLetter(c, err)
	}
	return s.writeLetter(c, http.StatusOK, func(p views.Page) views.Letter {
		if who.Language != "" {
			p.Lang = locale.Parse(who.Language)
		}
		letter := optOutQuestion(p, who)
		letter.Ask.Action = c.Request().URL.RequestURI()
		if wanted {
			letter.Fact, letter.Why, letter.Ask = p.T("letter.stopped_title"), p.T("letter.stopped"), views.Ask{}
			if who.Service != 0 {
				letter.Fact = p.T("letter.stopped_service_title")
			}
		}
		return letter
	})
}

func optOutQuestion(p views.Page, who db.Addressee) views.Letter {
	to := veiled(who.Address)
	if to == "" {
		to = p.T("letter.you")
	}
	letter := views.Letter{Page: p, Fact: p.T("letter.stop_title"), Why: p.T("letter.stop_email", to),
		Ask: views.Ask{Button: p.T("letter.stop"), Note: p.T("letter.note")}}
	switch {
	case who.Service != 0:
		letter.Fact, letter.Why = p.T("letter.stop_service_title", who.ServiceLabel), p.T("letter.stop_service", who.ServiceLabel, to)
		letter.Ask.Button = p.T("letter.unsubscribe")
	case who.Channel != 0:
		letter.Why = p.T("letter.stop_mobile", to)
	}
	return letter
}

// veiled shows enough of an address for its owner to know it: k…@example.com.
func veiled(address string) string {
	name, domain, mail := strings.Cut(address, "@")
	letters := []rune(name)
	switch {
	case len(letters) == 0:
		return ""
	case mail:
		return string(letters[:1]) + "…@" + domain
	}
	return "…" + string(letters[max(0, len(letters)-3):])
}

// answerLetter is failHit for the pages: to a reader of mail every refusal is a letter.
func (s *Server) answerLetter(c echo.Context, err error) error {
	traceOf(c.Request().Context()).err = err
	s.failHit(c, err)
	return nil
}

func (s *Server) writeLetter(c echo.Context, status int, say func(views.Page) views.Letter) error {
	page := s.plainPage(c)
	letter := say(page)
	if letter.Lang == "" {
		letter.Page = page
	}
	return s.render(c, status, views.LetterPage(letter))
}
