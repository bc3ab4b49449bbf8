package web

import (
	"context"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
	"nightshift/views/locale"
)

const (
	runPage     = 50
	exportLimit = 10_000
)

// listRuns shows all runs, newest first. The filter and the place stand in the address.
func (s *Server) listRuns(c echo.Context) error {
	page := s.page(c, views.SectionRuns, "")
	page.Title = page.T("rail.runs")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	page.Refresh, page.Updated = listRefresh, true
	list := views.Runs{Page: page, Workflow: c.QueryParam("workflow"), State: c.QueryParam("state"), Mode: c.QueryParam("mode"), Node: c.QueryParam("node"),
		From: c.QueryParam("from"), To: c.QueryParam("to"), Warnings: c.QueryParam("warnings") != ""}
	if list.State == "running" {
		list.Section = views.SectionRunning
	}
	workflows := s.night.known().Names
	filter, err := runFilter(c, page.Zone, workflows)
	if err != nil {
		return err
	}
	read, err := s.readRuns(c.Request().Context(), page, filter)
	if err != nil {
		return err
	}
	list.Names, list.Count, list.Rows, list.Drawn = read.names, capped(read.count), read.rows, read.drawn
	list.Paging = runPaging(c, filter, read.runs, read.more)
	return s.render(c, http.StatusOK, views.RunsPage(list))
}

// runsAsked is what a page of the list depends on: all operators may see all runs.
type runsAsked struct {
	filter        db.RunFilter // without its places, which are these
	before, after db.RunCursor
	lang          locale.Lang
	zone          string
}

// runsRead is a page of the list as everybody sees it who reads it in one language and zone.
type runsRead struct {
	runs  []db.RunRow
	more  bool
	count int
	rows  []views.RunRow
	names []views.Option // of all workflows, to choose from
	drawn *views.Drawings
}

// readRuns reads a page of the list once for all who ask for it within a second. A run that begins, says something or ends
// rings the bell, which has the list read anew.
func (s *Server) readRuns(ctx context.Context, page views.Page, filter db.RunFilter) (*runsRead, error) {
	asked := runsAsked{filter: filter, lang: page.Lang, zone: page.Zone.String()}
	if filter.Before != nil {
		asked.before = *filter.Before
	}
	if filter.After != nil {
		asked.after = *filter.After
	}
	asked.filter.Before, asked.filter.After, asked.filter.From, asked.filter.To = nil, nil, filter.From.UTC(), filter.To.UTC()
	return s.lists.get(ctx, asked, func(ctx context.Context) (*runsRead, error) {
		var err error
		read := &runsRead{drawn: new(views.Drawings)}
		if read.runs, read.more, err = s.db.Runs(ctx, filter); err != nil {
			return nil, err
		}
		read.count = len(read.runs)
		if read.more || filter.Before != nil || filter.After != nil {
			// Counting up to the cap can cost more than the page: it is asked once for all places of the filter.
			read.count, err = s.counts.get(ctx, asked.filter, func(ctx context.Context) (int, error) { return s.db.CountRuns(ctx, filter) })
			if err != nil {
				return nil, err
			}
		}
		read.rows = make([]views.RunRow, len(read.runs))
		for i, run := range read.runs {
			read.rows[i] = runRow(page, run)
		}
		for _, w := range s.night.known().Names {
			read.names = append(read.names, views.Option{Value: w.Name, Text: labelOf(page.Lang, w.Name, w.Label)})
		}
		return read, s.addCauses(ctx, read.runs, read.rows)
	})
}

// runFilter reads the filter of the address; what does not exist is refused by name.
func runFilter(c echo.Context, zone *time.Location, workflows []db.WorkflowName) (db.RunFilter, error) {
	filter := db.RunFilter{Limit: runPage, Status: c.QueryParam("state"), Mode: c.QueryParam("mode"), Node: c.QueryParam("node"), Warned: c.QueryParam("warnings") != ""}
	if filter.Status != "" && !slices.Contains([]string{"running", "completed", "failed", "stopped", "interrupted"}, filter.Status) {
		return filter, badInput("state=" + filter.Status)
	}
	if filter.Mode != "" && filter.Mode != "normal" && filter.Mode != "simulation" {
		return filter, badInput("mode=" + filter.Mode)
	}
	if name := c.QueryParam("workflow"); name != "" {
		at := slices.IndexFunc(workflows, func(w db.WorkflowName) bool { return w.Name == name })
		if at < 0 {
			return filter, badInput("workflow=" + name)
		}
		filter.WorkflowID = workflows[at].ID
	}
	var err error
	if filter.From, err = dateParam(c, "from", zone, 0); err != nil {
		return filter, err
	}
	// The last day is meant whole.
	if filter.To, err = dateParam(c, "to", zone, 1); err != nil {
		return filter, err
	}
	if filter.Before, err = cursorParam(c, "before"); err != nil {
		return filter, err
	}
	filter.After, err = cursorParam(c, "after")
	return filter, err
}

// dateParam reads a date of the page's zone and adds days to it; none is zero.
func dateParam(c echo.Context, name string, zone *time.Location, days int) (time.Time, error) {
	text := c.QueryParam(name)
	if text == "" {
		return time.Time{}, nil
	}
	date, err := time.ParseInLocation(time.DateOnly, text, zone)
	if err != nil || date.Year() < 1970 || date.Year() > 9998 {
		return time.Time{}, badInput(name + "=" + text)
	}
	return date.AddDate(0, 0, days), nil
}

// cursorParam reads a place in the list; none is nil.
func cursorParam(c echo.Context, name string) (*db.RunCursor, error) {
	text := c.QueryParam(name)
	if text == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, badInput(name)
	}
	micros, id, found := strings.Cut(string(raw), ".")
	start, err1 := strconv.ParseInt(micros, 10, 64)
	number, err2 := strconv.ParseInt(id, 10, 64)
	const farthest = 253_370_764_800_000_000 // the year 9999
	if !found || err1 != nil || err2 != nil || start < -farthest || start > farthest {
		return nil, badInput(name)
	}
	return &db.RunCursor{Start: time.UnixMicro(start), ID: number}, nil
}

func cursorText(at db.RunCursor) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d", at.Start.UnixMicro(), at.ID))
}

// runPaging leads to the rows before and behind those shown, under the same filter.
func runPaging(c echo.Context, filter db.RunFilter, runs []db.RunRow, more bool) views.Paging {
	var paging views.Paging
	if len(runs) == 0 {
		return paging
	}
	address := func(name string, at db.RunCursor) string {
		next := url.Values{name: {cursorText(at)}}
		for _, part := range []string{"workflow", "state", "mode", "node", "from", "to", "warnings"} {
			if value := c.QueryParam(part); value != "" {
				next.Set(part, value)
			}
		}
		return "/runs?" + next.Encode()
	}
	if filter.After != nil || more {
		paging.Older = address("before", runs[len(runs)-1].Cursor())
	}
	if filter.Before != nil || filter.After != nil && more {
		paging.Newer = address("after", runs[0].Cursor())
	}
	return paging
}

// runRow turns a run into its line of a list.
func runRow(page views.Page, run db.RunRow) views.RunRow {
	row := views.RunRow{
		ID: run.ID, Workflow: run.Workflow, Label: labelOf(page.Lang, run.Workflow, run.Label),
		State: runState(run.Status, run.Warnings), Simulated: run.Mode == "simulation", Begun: run.Start,
		Took: run.Duration(page.Now), Trigger: run.Trigger, By: run.StartedBy,
		Rows: run.RowsChanged, StepsDone: run.StepsDone, Steps: run.Steps,
	}
	switch {
	case run.Status == "failed" && run.ErrorStep != "":
		row.Note = page.T("runs.note_step", brief(views.BriefFailure(run.ErrorMessage)), run.ErrorStep)
	case run.Status == "failed":
		row.Note = brief(views.BriefFailure(run.ErrorMessage))
	case run.Warnings > 0:
		row.Note = page.N("runs.warnings", int64(run.Warnings))
	case run.Resumes != 0:
		row.Note = page.T("runs.resumes", strconv.FormatInt(run.Resumes, 10))
	}
	return row
}

// brief cuts off what is too long for a row of a list; the page of the run has all of it.
func brief(text string) string {
	const most = 120
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// exportRuns answers the runs of a filter as CSV, ten thousand at most.
func (s *Server) exportRuns(c echo.Context) error {
	ctx := c.Request().Context()
	now, err := s.night.now(ctx)
	if err != nil {
		return err
	}
	filter, err := runFilter(c, s.plainPage(c).Zone, now.Names)
	if err != nil {
		return err
	}
	filter.Limit = exportLimit
	runs, _, err := s.db.Runs(ctx, filter)
	if err != nil {
		return err
	}
	ids := make([]int64, len(runs))
	for i, run := range runs {
		ids[i] = run.ID
	}
	ledger, err := s.db.Ledger(ctx, ids)
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentType, "text/csv; charset=utf-8")
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="runs.csv"`)
	out := csv.NewWriter(c.Response())
	_ = out.Write([]string{"run", "workflow", "mode", "trigger", "by", "status", "started", "ended", "seconds", "deleted", "updated", "added", "warnings", "error"})
	for _, run := range runs {
		ended, did := "", ledger[run.ID]
		if run.End != nil {
			ended = run.End.UTC().Format(time.RFC3339)
		}
		_ = out.Write([]string{strconv.FormatInt(run.ID, 10), inert(run.Workflow), run.Mode, run.Trigger, inert(run.StartedBy), run.Status,
			run.Start.UTC().Format(time.RFC3339), ended, strconv.FormatFloat(run.Duration(time.Now()).Seconds(), 'f', 3, 64),
			strconv.FormatInt(did.Deleted, 10), strconv.FormatInt(did.Updated, 10), strconv.FormatInt(did.Inserted, 10),
			strconv.Itoa(run.Warnings), inert(run.ErrorMessage)})
	}
	out.Flush()
	return out.Error()
}
