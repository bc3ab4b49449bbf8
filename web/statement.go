package web

import (
	"cmp"
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

const (
	monthForm     = "2006-01"
	statementRows = 200 // slots on a page of a workflow's statement
)

// skipReasons are why a slot is skipped, in the order of a statement.
var skipReasons = []string{"already_running", "paused", db.ReasonFreeze, "not_configured"}

// month reads the month of a statement from the address; its days are those of the instance's zone, for every reader.
func (s *Server) month(c echo.Context, now time.Time) (from, to time.Time, err error) {
	local := now.In(s.zone())
	from = time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, s.zone())
	if text := c.QueryParam("month"); text != "" {
		if from, err = time.ParseInLocation(monthForm, text, s.zone()); err != nil || from.Year() < 2000 || from.After(now) {
			return from, to, badInput("month=" + text)
		}
	}
	return from, from.AddDate(0, 1, 0), nil
}

// showStatement accounts for the slots of a month, of all workflows or of the one in the path.
func (s *Server) showStatement(c echo.Context) error {
	view, err := s.statement(c)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, views.StatementPage(view))
}

// statement reads the account of the month, and for one workflow the slots that did not run.
func (s *Server) statement(c echo.Context) (views.Statement, error) {
	page := s.page(c, views.SectionStatement, "")
	page.Zone = s.zone()
	from, to, err := s.month(c, page.Now)
	if err != nil {
		return views.Statement{}, err
	}
	page.Title = page.T("statement.title", page.Month(from))
	view := views.Statement{Page: page, Base: "/statement", Month: from, Open: to.After(page.Now), Reasons: skipReasons}
	var id int64
	if name := c.Param("name"); name != "" {
		w, err := s.db.WorkflowByName(c.Request().Context(), name)
		if err != nil {
			return view, err
		}
		id, view.Workflow, view.Label = w.ID, w.Name, labelOf(page.Lang, w.Name, w.Label)
		view.Base, view.Page.Section, view.Page.Tape.Own = "/workflows/"+name+"/statement", views.SectionWorkflows, name
		view.Page.Crumbs = []views.Crumb{{Text: page.T("rail.workflows"), Href: "/workflows"}, {Text: view.Label, Href: "/workflows/" + name},
			{Text: page.T("rail.statement")}}
	} else {
		view.Page.Crumbs = []views.Crumb{{Text: page.T("rail.statement")}}
	}
	lines, err := s.db.Statement(c.Request().Context(), id, from, to)
	if err != nil {
		return view, err
	}
	for _, line := range lines {
		row := statementLine(page, line)
		view.Rows, view.Total = append(view.Rows, row), view.Total.Plus(row)
	}
	slices.SortStableFunc(view.Rows, func(a, b views.StatementRow) int { return cmp.Compare(b.NotRun(), a.NotRun()) })
	if id != 0 {
		return view, s.addNotRun(c, &view, id, from, to)
	}
	return view, nil
}

func statementLine(page views.Page, line db.StatementLine) views.StatementRow {
	return views.StatementRow{Workflow: line.Workflow, Label: labelOf(page.Lang, line.Workflow, line.Label), Due: line.Due,
		Ran: line.Ran, Late: line.RanLate, CaughtUp: line.CaughtUp, Failed: line.Failed, Stopped: line.Stopped + line.Cancelled,
		Missed: line.Missed, Open: line.Running + line.Waiting, Skipped: line.Skipped, Reasons: line.Reasons}
}

// addNotRun lists the slots of one workflow that did not run, newest first, a page at a time.
func (s *Server) addNotRun(c echo.Context, view *views.Statement, id int64, from, to time.Time) error {
	before, err := cursorParam(c, "before")
	if err != nil {
		return err
	}
	slots, more, err := s.db.Slots(c.Request().Context(), db.SlotFilter{WorkflowID: id, From: from, To: to, NotRun: true, Before: before, Limit: statementRows})
	if err != nil {
		return err
	}
	for _, slot := range slots {
		line := slotLine(slot, view.Now)
		line.Note = slot.FrozenBy
		view.Slots = append(view.Slots, line)
	}
	address := func(values url.Values) string {
		values.Set("month", from.Format(monthForm))
		return view.Base + "?" + values.Encode()
	}
	if before != nil {
		view.Paging.Newer = address(url.Values{})
	}
	if more {
		last := slots[len(slots)-1]
		view.Paging.Older = address(url.Values{"before": {cursorText(db.RunCursor{Start: last.Due, ID: last.ID})}})
	}
	return nil
}

// exportStatement answers the statement of a month as CSV: a line a workflow, the last one the sum.
func (s *Server) exportStatement(c echo.Context) error {
	view, err := s.statement(c)
	if err != nil {
		return err
	}
	head := []string{"month", "zone", "workflow", "due", "ran on time", "ran late", "caught up", "failed", "stopped", "missed", "not answered yet"}
	for _, reason := range skipReasons {
		head = append(head, "skipped: "+reason)
	}
	name := "statement-" + view.Month.Format(monthForm)
	if view.Workflow != "" {
		name = view.Workflow + "-" + name
	}
	c.Response().Header().Set(echo.HeaderContentType, "text/csv; charset=utf-8")
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="`+name+`.csv"`)
	out := csv.NewWriter(c.Response())
	_ = out.Write(head)
	for _, row := range append(view.Rows, view.Total) {
		line := []string{view.Month.Format(monthForm), s.zone().String(), inert(row.Workflow)}
		for _, n := range []int{row.Due, row.Ran, row.Late, row.CaughtUp, row.Failed, row.Stopped, row.Missed, row.Open} {
			line = append(line, strconv.Itoa(n))
		}
		for _, reason := range skipReasons {
			line = append(line, strconv.Itoa(row.Reasons[reason]))
		}
		_ = out.Write(line)
	}
	out.Flush()
	return out.Error()
}
