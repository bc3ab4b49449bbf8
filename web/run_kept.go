package web

import (
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
	"nightshift/views/locale"
)

const (
	// endedFor is how long a run that has ended is kept. How long others of its workflow took, with which its page compares it,
	// and which of its lines were purged is not asked in between.
	endedFor    = time.Minute
	endedBytes  = 16 << 20 // of all that was drawn of them
	endedAtMost = 64
)

// endedRuns keeps runs that have ended, and what was drawn of them, so that a page that many open is read and drawn once. No
// page of a kept run is answered before the database has said that its row is as it was read. What a process that had lost
// the run still writes of it rings the bell.
type endedRuns struct {
	mu    sync.Mutex
	pages map[runPageAsked]*runRead
}

// runPageAsked is what the page of an ended run depends on besides the run: all operators may see all runs.
type runPageAsked struct {
	id    int64
	query string // of the address: the stretch of the log
	lang  locale.Lang
	zone  string
	day   string // times of today are written without it
}

// runRead is a run as its page shows it to everybody who reads it in one language and zone, but for its orders.
type runRead struct {
	run   db.Run
	shown views.Run
	at    time.Time
	rings <-chan struct{} // has one when something was written since
	leave func()
}

// find returns the run as it was read last; nil when that is too long ago or something was written since.
func (e *endedRuns) find(asked runPageAsked) *runRead {
	e.mu.Lock()
	defer e.mu.Unlock()
	read := e.pages[asked]
	if read != nil && (time.Since(read.at) >= endedFor || len(read.rings) > 0) {
		e.drop(asked)
		return nil
	}
	return read
}

// keep makes room by dropping what is too old, or everything where that is not enough.
func (e *endedRuns) keep(asked runPageAsked, read *runRead) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop(asked)
	size := 0
	for other, page := range e.pages {
		if size += page.shown.Drawn.Size(); time.Since(page.at) >= endedFor {
			e.drop(other)
		}
	}
	if size > endedBytes || len(e.pages) >= endedAtMost {
		for other := range e.pages {
			e.drop(other)
		}
	}
	e.pages[asked] = read
}

func (e *endedRuns) drop(asked runPageAsked) {
	if read := e.pages[asked]; read != nil {
		read.leave()
		delete(e.pages, asked)
	}
}

// readRun reads a run with a stretch of its log. Of one that is kept, it reads what of its page changes after its end.
func (s *Server) readRun(c echo.Context, page views.Page, id int64, log views.Log, filter db.LogFilter) (runRead, error) {
	ctx := c.Request().Context()
	asked := runPageAsked{id, c.Request().URL.RawQuery, page.Lang, page.Zone.String(), page.Now.In(page.Zone).Format(time.DateOnly)}
	if kept := s.ended.find(asked); kept != nil {
		read := *kept
		if same, err := s.db.RunAgain(ctx, &read.run); err != nil || same {
			return read, err
		}
	}
	read := &runRead{at: time.Now()}
	read.rings, read.leave = s.bell.subscribe(id) // before it is read, so that nothing comes between
	filter.Count = true
	run, journal, err := s.db.RunWithLog(ctx, id, filter)
	if err != nil {
		read.leave()
		return runRead{}, err
	}
	read.run, read.shown = run, s.runFacts(page, run)
	read.shown.Log = logShown(c, log, run, journal)
	if run.Status == "running" {
		read.leave()
		return *read, nil
	}
	read.shown.Drawn = new(views.Drawings)
	s.ended.keep(asked, read)
	return *read, nil
}
