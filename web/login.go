package web

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

const (
	languageCookie = "lang"
	themeCookie    = "theme"
	fieldsAtMost   = 200
)

// sessionManager keeps only a pointer in the browser. The store decides whether a session still counts, and scs has no
// idle limit of its own, because that would write ended sessions anew.
func (s *Server) sessionManager() *scs.SessionManager {
	m := scs.New()
	m.Store = s.db.Sessions()
	m.Codec = sessionCodec{}
	m.HashTokenInStore = true
	m.Lifetime = db.SessionLifetime
	m.Cookie.Name = "sid"
	m.Cookie.Persist = false
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.HttpOnly = true
	if s.secure() {
		m.Cookie.Name, m.Cookie.Secure = "__Host-sid", true
	}
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) { s.fail(err, echo.New().NewContext(r, w)) }
	return m
}

// beginSession gives the browser a new token for an operator. Whatever it had before ends.
func (s *Server) beginSession(c echo.Context, operatorID int64) error {
	ctx := c.Request().Context()
	if err := s.sessions.Clear(ctx); err != nil {
		return err
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.visit(c).SignsIn = operatorID
	s.sessions.Put(ctx, "confirmed", time.Now().Unix())
	// Written now, so that a database that fails is an answer and not a broken redirection.
	_, _, err := s.sessions.Commit(ctx)
	return err
}

// formType is how browsers send the forms of the console; in another way come none of its fields.
const formType = "application/x-www-form-urlencoded"

// form reads the fields of a form; each handler takes those it knows and no others.
func form(c echo.Context) (url.Values, error) {
	if kind, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType)); c.Request().ContentLength != 0 && (err != nil || kind != formType) {
		return nil, &problem{status: http.StatusUnsupportedMediaType, key: "error.not_a_form"}
	}
	if c.Request().ContentLength > bodyLimit {
		return nil, &http.MaxBytesError{Limit: bodyLimit} // before any of it is asked for
	}
	if err := c.Request().ParseForm(); err != nil {
		return nil, unread(err, badInput("form"))
	}
	fields := c.Request().PostForm
	if len(fields) > fieldsAtMost || !cleanValues(fields) {
		return nil, badInput("form")
	}
	return fields, nil
}

// unread says why the body of a request could not be read: too large, not sent in time, or otherwise bad.
func unread(err, bad error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &problem{status: http.StatusRequestTimeout, key: "error.not_sent", args: []any{int(readWithin.Seconds())}}
	}
	return bad
}

func signInPath(back string) string {
	if back = local(back); back != "/" {
		return "/sign-in?" + url.Values{"back": {back}}.Encode()
	}
	return "/sign-in"
}

// passwordSet is where somebody signs in with the password that was just chosen.
const passwordSet = "/sign-in?set=password"

func (s *Server) signInPage(c echo.Context) error {
	if s.visit(c).Operator != nil {
		return c.Redirect(http.StatusSeeOther, local(c.QueryParam("back")))
	}
	needed, err := s.needsSetUp(c.Request().Context())
	if err != nil {
		return err
	}
	if needed {
		return c.Redirect(http.StatusSeeOther, "/set-up")
	}
	return s.showSignIn(c, http.StatusOK, views.SignIn{Back: local(c.QueryParam("back")), PasswordSet: c.QueryParam("set") == "password"})
}

func (s *Server) showSignIn(c echo.Context, status int, sign views.SignIn) error {
	now, err := s.night.now(c.Request().Context())
	if err != nil {
		return err
	}
	idle, err := s.db.Option(c.Request().Context(), "XtkSession_IdleTimeoutSec")
	if err != nil {
		return err
	}
	if seconds, err := strconv.Atoi(idle); err == nil {
		sign.Idle = time.Duration(seconds) * time.Second
	}
	sign.Page = s.plainPage(c)
	sign.Title, sign.Instance, sign.Path = sign.T("sign_in.title"), now.Instance, signInPath(sign.Back)
	return s.render(c, status, views.SignInPage(sign))
}

func (s *Server) signIn(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	login, back := fields.Get("login"), local(fields.Get("back"))
	if len(login) > 200 || len(fields.Get("password")) > 1000 {
		return badInput("form")
	}
	actor := s.actor(c)
	o, err := s.db.SignIn(c.Request().Context(), db.Attempt{Login: login, Password: fields.Get("password"), IP: actor.IP, Route: actor.Route})
	page, wait := s.plainPage(c), new(db.Throttled)
	switch {
	case errors.Is(err, db.ErrSignIn):
		return s.showSignIn(c, http.StatusUnauthorized, views.SignIn{Login: login, Back: back, Trouble: page.T("sign_in.wrong")})
	case errors.As(err, &wait):
		c.Response().Header().Set("Retry-After", retryAfter(wait.Wait))
		return s.showSignIn(c, http.StatusTooManyRequests, views.SignIn{Login: login, Back: back,
			Trouble: page.T("sign_in.throttled", page.About(wait.Wait))})
	case err != nil:
		return err
	}
	if err := s.beginSession(c, o.ID); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, back)
}

func (s *Server) signOut(c echo.Context) error {
	if err := s.db.SignedOut(c.Request().Context(), s.actor(c)); err != nil {
		return err
	}
	if err := s.sessions.Destroy(c.Request().Context()); err != nil {
		return err
	}
	c.Response().Header().Set("Clear-Site-Data", `"cache", "storage"`)
	return c.Redirect(http.StatusSeeOther, "/sign-in")
}

// setPreferences keeps language and theme: with the operator, or in a cookie of who is not signed in.
func (s *Server) setPreferences(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	lang, theme := fields.Get("lang"), fields.Get("theme")
	if !oneOf(lang, "", "en", "ko") || !oneOf(theme, "", "system", "light", "dark") {
		return badInput("preference")
	}
	back := local(fields.Get("back"))
	o := s.visit(c).Operator
	if o == nil {
		for name, value := range map[string]string{languageCookie: lang, themeCookie: theme} {
			if value != "" {
				c.SetCookie(&http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: s.secure(),
					SameSite: http.SameSiteLaxMode, MaxAge: int((365 * 24 * time.Hour).Seconds())})
			}
		}
		return c.Redirect(http.StatusSeeOther, back)
	}
	edit := db.OperatorEdit{Label: o.Label, Email: o.Email, Language: orElse(lang, o.Language), Timezone: o.Timezone}
	if err := s.db.EditAccount(c.Request().Context(), s.actor(c), edit, orElse(theme, o.Theme)); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, back)
}
