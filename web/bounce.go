package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// bounceHitsMost is where the counting of a text's bounces ends.
const bounceHitsMost = 100_000

// bounceRow says what a text means, and who says so.
func bounceRow(page views.Page, text db.BounceText) views.BounceRow {
	row := views.BounceRow{ID: text.ID, Text: text.Text, Rule: text.Rule, Hits: int64(text.Hits), Capped: text.Hits >= bounceHitsMost,
		Waits: text.Status == "to_qualify", Meaning: page.T("bounce.type_"+text.Type) + " · " + page.T("bounce.reason_"+strconv.Itoa(int(text.Reason)))}
	switch {
	case text.Origin == "service":
		row.Why = page.T("bounce.by_service")
	case !row.Waits:
		row.Why = page.T("bounce.by_person")
	case text.Rule != "":
		row.Why = page.T("bounce.by_rule", text.Rule)
	default:
		row.Why = page.T("bounce.by_nobody")
	}
	return row
}

// bounceText finds the text that the address names.
func (s *Server) bounceText(c echo.Context) (db.BounceText, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return db.BounceText{}, db.ErrNotFound
	}
	return s.db.BounceText(c.Request().Context(), id)
}

// bouncePage shows a text of bounces and asks what it means.
func (s *Server) bouncePage(c echo.Context) error {
	text, err := s.bounceText(c)
	if err != nil {
		return err
	}
	proposed := db.BounceDecision{Status: text.Status, Type: text.Type, Reason: text.Reason}
	if text.Status == "to_qualify" {
		proposed.Status = "keep"
	}
	return s.showBounce(c, http.StatusOK, text, proposed, nil, "")
}

func (s *Server) showBounce(c echo.Context, status int, text db.BounceText, b db.BounceDecision, wrong *db.Invalid, trouble string) error {
	page := s.page(c, views.SectionSending, "")
	page.Title = page.T("bounce.title")
	page.Crumbs = []views.Crumb{{Text: page.T("rail.deliverability"), Href: "/deliverability"}, {Text: page.T("bounce.texts"), Href: "/deliverability#texts"}}
	entries, _, err := s.db.AuditRows(c.Request().Context(), db.AuditFilter{EntityType: "bounce", Entity: strconv.FormatInt(text.ID, 10), Limit: 10})
	if err != nil {
		return err
	}
	view := views.BounceForm{Page: page, BounceRow: bounceRow(page, text), First: text.First, Word: page.T("bounce.status_" + text.Status),
		State: views.Finished, Seen: text.Status, Trouble: trouble, Created: text.Created, Log: auditLines(page, entries)}
	if view.Waits {
		view.State = views.Waiting
	}
	field := fielder(page, wrong)
	view.Decision = field("status", "bounce.decision", b.Status)
	view.Decision.Help = page.T("bounce.decision_help")
	for value := range strings.FieldsSeq("keep ignore to_qualify") {
		view.Decision.Options = append(view.Decision.Options, views.Option{Value: value, Text: page.T("bounce.status_" + value)})
	}
	view.Type = field("type", "bounce.type", b.Type)
	view.Type.Help = page.T("bounce.type_help")
	if !oneOf(b.Type, strings.Fields(db.FailureTypes)...) {
		view.Type.Value = "soft"
	}
	for value := range strings.FieldsSeq(db.FailureTypes) {
		view.Type.Options = append(view.Type.Options, views.Option{Value: value, Text: page.T("bounce.type_" + value)})
	}
	view.Reason = field("reason", "bounce.reason", strconv.Itoa(int(b.Reason)))
	for _, code := range db.FailureReasons() {
		value := strconv.Itoa(int(code))
		view.Reason.Options = append(view.Reason.Options, views.Option{Value: value, Text: page.T("bounce.reason_" + value)})
	}
	return s.render(c, status, views.BouncePage(view))
}

// decideBounce stores a person's decision on a text. When somebody else was quicker, the text is shown as it stands now.
func (s *Server) decideBounce(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	text, err := s.bounceText(c)
	if err != nil {
		return err
	}
	page := s.plainPage(c)
	b := db.BounceDecision{Seen: fields.Get("seen"), Status: fields.Get("status"), Type: fields.Get("type"), Reason: -1}
	if reason, err := strconv.ParseInt(fields.Get("reason"), 10, 16); err == nil {
		b.Reason = int16(reason)
	}
	err = s.db.DecideBounce(c.Request().Context(), s.actor(c), text.ID, b)
	if wrong := new(db.Invalid); errors.As(err, &wrong) {
		return s.showBounce(c, http.StatusUnprocessableEntity, text, b, wrong, "")
	}
	if errors.Is(err, db.ErrConflict) {
		if text, err = s.bounceText(c); err != nil {
			return err
		}
		return s.showBounce(c, http.StatusConflict, text, b, nil, page.T("bounce.conflict"))
	}
	if err != nil {
		return err
	}
	return s.done(c, "/deliverability", views.Flash{State: views.Finished, Text: page.R("bounce.decided", page.T("bounce.status_"+b.Status),
		page.T("bounce.type_"+b.Type)+" · "+page.T("bounce.reason_"+strconv.Itoa(int(b.Reason))))})
}
