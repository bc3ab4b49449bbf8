package web

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
	"nightshift/views/locale"
)

func (s *Server) groupPage(c echo.Context) error {
	group, err := s.db.Group(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	return s.showGroup(c, http.StatusOK, group, group.Rights, "")
}

func (s *Server) showGroup(c echo.Context, status int, group db.Group, rights []string, trouble string) error {
	page := s.page(c, views.SectionOperators, "")
	page.Title = groupLabel(page, group)
	page.Crumbs = []views.Crumb{{Text: page.T("rail.operators"), Href: "/operators"}, {Text: page.Title}}
	view := views.GroupForm{Page: page, Name: group.Name, Label: page.Title, Trouble: trouble}
	choices, err := s.rightChoices(c, page, rights)
	if err != nil {
		return err
	}
	view.Rights = choices
	for _, login := range group.Members {
		view.Members = append(view.Members, views.Link{Text: login, Href: "/operators/" + login})
	}
	return s.render(c, status, views.GroupPage(view))
}

// groupLabel is the name of a group in the page's language, where it is one that every installation has.
func groupLabel(page views.Page, g db.Group) string {
	if key := "group." + g.Name; locale.Has(key) {
		return page.T(key)
	}
	return g.Label
}

func (s *Server) editGroup(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	group, err := s.db.Group(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	page := s.plainPage(c)
	err = s.db.EditGroup(c.Request().Context(), s.actor(c), group.ID, fields["right"])
	if errors.Is(err, db.ErrLastAdministrator) {
		return s.showGroup(c, http.StatusConflict, group, fields["right"], page.T("error.last_administrator"))
	}
	if err != nil {
		return err
	}
	return s.done(c, "/groups/"+group.Name, views.Flash{State: views.Finished, Text: page.R("groups.saved", groupLabel(page, group))})
}
