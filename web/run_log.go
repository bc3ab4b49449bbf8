package web

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

const (
	logPage     = 60     // lines shown at once
	logDownload = 10_000 // lines read at once while a log is downloaded
)

// logAsked is the stretch of a run's log that the address asks for: its last lines, those before a line, or those around a
// line that somebody linked to.
func logAsked(c echo.Context) (views.Log, db.LogFilter, error) {
	shown := views.Log{Level: c.QueryParam("level"), Query: strings.TrimSpace(c.QueryParam("q"))}
	step, badStep := placeParam(c, "step", 16)
	before, badBefore := placeParam(c, "before", 64)
	line, badLine := placeParam(c, "line", 63)
	if err := cmp.Or(badStep, badBefore, badLine); err != nil {
		return shown, db.LogFilter{}, err
	}
	shown.Step = int(step)
	filter := db.LogFilter{Step: shown.Step, Search: shown.Query, Limit: logPage}
	switch shown.Level {
	case "":
	case "warning", "error", "sql":
		filter.Levels = []string{shown.Level}
	default:
		return shown, filter, badInput("level=" + shown.Level)
	}
	if len(shown.Query) > 100 {
		return shown, filter, badInput("q")
	}
	shown.Following = shown.Level == "" && shown.Query == "" && shown.Step == 0
	if before > 0 {
		filter.Before, shown.Following = before, false
	}
	if line > 0 {
		// Half a page behind the line, so that what led to it is there, too.
		filter.Before, shown.Marked = line+logPage/2, line
	}
	return shown, filter, nil
}

// logShown fills in what was read. Only the log of a run that is on is followed.
func logShown(c echo.Context, shown views.Log, run db.Run, journal db.Journal) views.Log {
	shown.Run, shown.Following = run.ID, shown.Following && run.Status == "running"
	shown.Lines, shown.Total = logLines(journal.Lines), int64(journal.Count.All)
	shown.Warnings, shown.Errors = int64(journal.Count.Warnings), int64(journal.Count.Errors)
	if journal.More && len(journal.Lines) > 0 {
		shown.Earlier = max(shown.Total-int64(len(journal.Lines)), 1)
		query := c.Request().URL.Query()
		query.Del("line")
		query.Set("before", strconv.FormatInt(journal.Lines[0].ID, 10))
		shown.EarlierAt = fmt.Sprintf("/runs/%d?%s#log", run.ID, query.Encode())
	}
	return shown
}

func logLines(lines []db.LogLine) []views.LogLine {
	shown := make([]views.LogLine, len(lines))
	for i, line := range lines {
		shown[i] = views.LogLine{ID: line.ID, At: line.At, Step: line.Step, Level: line.Level, Message: line.Message}
	}
	return shown
}

// downloadLog sends the whole log of a run as text, read in stretches, so that its size does not matter.
func (s *Server) downloadLog(c echo.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	run, err := s.db.RunRow(c.Request().Context(), id)
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "text/plain; charset=utf-8")
	header.Set(echo.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="%s-%d.log"`, fileName(run.Workflow), run.ID))
	c.Response().WriteHeader(http.StatusOK)
	filter := db.LogFilter{TaskID: id, After: -1, Levels: []string{"info", "warning", "error", "sql"}, Limit: logDownload}
	for {
		lines, more, err := s.db.Log(c.Request().Context(), filter)
		if err != nil {
			return err
		}
		for _, line := range lines {
			text := strings.NewReplacer("\n", "␊", "\r", "␍", "\x1b", "␛").Replace(line.Message)
			if _, err := fmt.Fprintf(c.Response(), "%s %-7s %3d %s\n",
				line.At.UTC().Format("2006-01-02T15:04:05.000Z"), line.Level, line.Step, text); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		filter.After = lines[len(lines)-1].ID
	}
}

// fileName keeps of a name what is safe in a file's name.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, name)
}
