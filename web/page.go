package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
	"nightshift/views/locale"
)

// page is what stands around a page of who is signed in. The masthead's facts cost no page its answer: without them it
// shows an empty tape.
func (s *Server) page(c echo.Context, section views.Section, title string) views.Page {
	page := s.frame(c, section, title)
	page.Flash = s.takeFlash(c.Request().Context(), page)
	return page
}

// frame is page without the message of the last order, for what may not become a page: the message is shown once.
func (s *Server) frame(c echo.Context, section views.Section, title string) views.Page {
	now, err := s.night.now(c.Request().Context())
	page := s.plainPage(c)
	page.Section, page.Title = section, title
	if title != "" {
		page.Crumbs = []views.Crumb{{Text: title}}
	}
	if err == nil {
		page.Instance, page.Nodes, page.TickAge, page.Needs = now.Instance, now.Nodes, now.Tick, now.Needs
		page.Tape.Marks, page.Tape.Drawn = now.Marks, now.Drawn
		page.Frozen = frozenOf(now.Freeze, page.Now)
	}
	page.Hindered = s.hindered(page.Operator)
	return page
}

// plainPage knows the visitor's language, theme and zone, and asks the database nothing.
func (s *Server) plainPage(c echo.Context) views.Page {
	page := views.Page{Now: time.Now(), Zone: s.zone(), Path: c.Request().URL.RequestURI(), Version: s.config.Build,
		Lang: locale.Parse(c.Request().Header.Get("Accept-Language"))}
	if c.Request().Method != http.MethodGet {
		page.Path = "/"
	}
	if cookie, err := c.Cookie(languageCookie); err == nil {
		page.Lang = locale.Parse(cookie.Value)
	}
	if cookie, err := c.Cookie(themeCookie); err == nil {
		page.Theme = themeOf(cookie.Value)
	}
	if o := s.visit(c).Operator; o != nil {
		page.Lang, page.Theme = locale.Parse(o.Language), themeOf(o.Theme)
		if zone := s.zoneNamed(o.Timezone); zone != nil {
			page.Zone = zone
		}
		page.Operator = &views.Operator{Login: o.Login, Name: o.Name(), Admin: o.Has(db.Administration)}
		page.Operator.Right = highest(page, *o)
	}
	return page
}

// zoneNamed is the zone of a name, read from the system's files once; nil when the name is empty or unknown.
func (s *Server) zoneNamed(name string) *time.Location {
	if zone, known := s.zones.Load(name); known {
		return zone.(*time.Location)
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" {
		return nil
	}
	s.zones.Store(name, zone)
	return zone
}

// highest is the right that says most about an operator.
func highest(page views.Page, o db.Operator) string {
	for _, right := range append([]string{db.Administration, db.PrivacyData, db.WorkflowRight}, o.Rights...) {
		if o.Has(right) {
			return rightName(page, right)
		}
	}
	return page.T("operator.no_right")
}

// rightName is a named right in the page's language; its own name when it has no text.
func rightName(page views.Page, right string) string {
	if key := "right." + right; locale.Has(key) {
		return page.T(key)
	}
	return right
}

func themeOf(name string) views.Theme {
	if theme := views.Theme(name); theme == views.Light || theme == views.Dark {
		return theme
	}
	return views.FollowSystem
}

// render answers with a page or a part of one.
func (s *Server) render(c echo.Context, status int, component templ.Component) error {
	body := &markup{Buffer: s.buffer()}
	defer s.buffers.Put(body.Buffer)
	if err := component.Render(c.Request().Context(), body); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	return s.packed(c, status, "text/html; charset=utf-8", body.Bytes(), body.pictures...)
}

// write renders where an error can no longer be answered with another page: also when the time of the request is over,
// as it is where PostgreSQL hangs.
func (s *Server) write(c echo.Context, status int, component templ.Component) {
	c.SetRequest(c.Request().WithContext(context.WithoutCancel(c.Request().Context())))
	if err := s.render(c, status, component); err != nil {
		s.logger.Error("answer", "request", traceOf(c.Request().Context()).id, "error", err.Error())
		if !c.Response().Committed {
			_ = c.String(http.StatusInternalServerError, "Nightshift could not answer.\n")
		}
	}
}

// done answers a form that has changed something: the message stands on the page it leads to.
func (s *Server) done(c echo.Context, to string, message views.Flash) error {
	if message.Text != "" {
		text, err := json.Marshal(message)
		if err != nil {
			return fmt.Errorf("message: %w", err)
		}
		s.sessions.Put(c.Request().Context(), "flash", string(text))
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// takeFlash takes the message of the last order out of the session, to be shown once.
func (s *Server) takeFlash(ctx context.Context, page views.Page) []views.Flash {
	if page.Operator == nil {
		return nil
	}
	text := s.sessions.PopString(ctx, "flash")
	var message views.Flash
	if text == "" || json.Unmarshal([]byte(text), &message) != nil {
		return nil
	}
	return []views.Flash{message}
}
