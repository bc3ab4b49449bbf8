package web

import (
	"context"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
)

// listRefresh is how often a list renews itself while it is seen and untouched.
const listRefresh = 5 * time.Second

// instanceType is marketing, mid or execution, as the page's masthead has just read it.
func (s *Server) instanceType() string { return s.night.known().Kind }

// zone is the instance's time zone, in which schedules count that name none, and of who has chosen none.
func (s *Server) zone() *time.Location { return s.night.known().Zone }

// places is how many runs there may be at once.
func (s *Server) places(ctx context.Context) int {
	const byDefault = 20
	text, err := s.db.Option(ctx, "XtkWorkflow_ConcurrencyLimit")
	if n, wrong := strconv.Atoi(text); err == nil && wrong == nil && n > 0 {
		return n
	}
	return byDefault
}

// idParam reads the number of a run from the address; what cannot be one does not exist.
func idParam(c echo.Context) (int64, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, db.ErrNotFound
	}
	return id, nil
}
