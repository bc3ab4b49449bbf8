package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

const (
	offersPageSize = 50
	offersDays     = 7 // that the title speaks of
)

// offersPage lists the packages of offers that other instances have sent.
func (s *Server) offersPage(c echo.Context) error {
	ctx := c.Request().Context()
	below, err := placeParam(c, "before", 64)
	if err != nil {
		return err
	}
	received, more, err := s.db.OffersReceived(ctx, below, offersPageSize)
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionAccounts, "")
	page.Title = page.T("offers.received")
	page.Crumbs = []views.Crumb{{Text: page.T("rail.accounts"), Href: "/accounts"}, {Text: page.Title}}
	view := views.Offers{Page: page, Days: offersDays}
	if view.Recent, view.Refused, err = s.db.CountOffersReceived(ctx, page.Now.AddDate(0, 0, -offersDays)); err != nil {
		return err
	}
	for _, one := range received {
		view.Rows = append(view.Rows, offersRow(page, one))
	}
	if below > 0 {
		view.Paging.Newer = "/offers"
	}
	if more {
		view.Paging.Older = "/offers?before=" + strconv.FormatInt(received[len(received)-1].ID, 10)
	}
	return s.render(c, http.StatusOK, views.OffersPage(view))
}

// offersRow says what became of a package. Names in it begin with the sender's account, which is told apart.
func offersRow(page views.Page, o db.OffersReceived) views.OffersRow {
	row := views.OffersRow{At: o.Received, Login: o.Login, From: o.IP, Account: strings.TrimSuffix(o.Prefix, "_"), Environment: strings.TrimPrefix(o.Environment, o.Prefix),
		Offers: int64(o.Offers), Categories: int64(o.Categories), Spaces: int64(o.Spaces), State: views.Finished, Word: page.T("offers.taken")}
	if o.Refusal != "" {
		row.State, row.Word, row.Note = views.Failed, page.T("offers.refused"), o.Refusal
		return row
	}
	row.Note = page.T("offers.changes", views.Number(int64(o.Created)), views.Number(int64(o.Updated)), views.Number(int64(o.Unchanged)))
	if o.Created+o.Updated > 0 {
		row.Audit = "/audit?" + url.Values{"kind": {"offer"}, "entity": {o.Environment}}.Encode()
	}
	return row
}
