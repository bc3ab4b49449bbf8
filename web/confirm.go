package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// confirmedFor is how long a password, once given, stands for what needs it given again.
const confirmedFor = 10 * time.Minute

// unconfirmed stands for a form whose password has to be given again; nothing was done with it. Trouble says what was
// wrong with the password that came along.
type unconfirmed struct {
	status  int
	wait    time.Duration
	trouble string
}

func (u *unconfirmed) Error() string { return "the password has to be given again" }

func (s *Server) confirmedLately(ctx context.Context) bool {
	return time.Since(time.Unix(s.sessions.GetInt64(ctx, "confirmed"), 0)) < confirmedFor
}

// confirm takes the password that came along with a form. Without one, or with a wrong one, it is asked for.
func (s *Server) confirm(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	if !fields.Has("confirm_password") {
		return &unconfirmed{status: http.StatusForbidden}
	}
	ctx, page, throttled := c.Request().Context(), s.plainPage(c), new(db.Throttled)
	err = s.db.ConfirmPassword(ctx, s.actor(c), fields.Get("confirm_password"))
	switch {
	case errors.Is(err, db.ErrSignIn):
		return &unconfirmed{status: http.StatusUnprocessableEntity, trouble: page.T("operator.password_wrong")}
	case errors.As(err, &throttled):
		return &unconfirmed{status: http.StatusTooManyRequests, wait: throttled.Wait, trouble: page.T("sign_in.throttled", page.About(throttled.Wait))}
	case err != nil:
		return err
	}
	s.sessions.Put(ctx, "confirmed", time.Now().Unix())
	return nil
}

// askAgain asks for the password, with the form to be sent on.
func (s *Server) askAgain(c echo.Context, why *unconfirmed) {
	if why.wait > 0 {
		c.Response().Header().Set("Retry-After", retryAfter(why.wait))
	}
	view := views.Confirm{Page: s.page(c, "", ""), Action: c.Request().URL.RequestURI(), Trouble: why.trouble}
	view.Title = view.T("confirm.title")
	view.Crumbs = []views.Crumb{{Text: view.Title}}
	fields := c.Request().PostForm
	view.Sent, view.Secret = carried(fields), fields.Get("secret") != ""
	view.Back = local(fields.Get("confirm_back"))
	if from, err := url.Parse(c.Request().Referer()); !fields.Has("confirm_back") && err == nil && from.Host == c.Request().Host {
		view.Back = local(from.RequestURI())
	}
	s.write(c, why.status, views.ConfirmPage(view))
}

// carried are the fields of a form that its confirmation carries on: all but secrets and what is the confirmation's own.
func carried(fields url.Values) (sent []views.Sent) {
	for name, values := range fields {
		if oneOf(name, "secret", "username", "confirm_password", "confirm_back") {
			continue
		}
		for _, value := range values {
			sent = append(sent, views.Sent{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(sent, func(a, b views.Sent) int { return strings.Compare(a.Name, b.Name) })
	return sent
}
