package web

import (
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// What is open or being made at once, in this process and for one operator.
const (
	streamsAll, streamsOne = 500, 6
	exportsAll, exportsOne = 20, 2
)

// places counts what takes long, so that it cannot fill the process.
type places struct {
	all, one int // how many there are, and for one operator

	mu    sync.Mutex
	taken int
	mine  map[int64]int
}

// enter takes a place and returns the way to give it back; false when there is none.
func (p *places) enter(operator int64) (func(), bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.all || p.mine[operator] >= p.one {
		return nil, false
	}
	if p.mine == nil {
		p.mine = map[int64]int{}
	}
	p.taken++
	p.mine[operator]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken--
		if p.mine[operator]--; p.mine[operator] == 0 {
			delete(p.mine, operator)
		}
	}, true
}

// exporting is around handlers that make a file of many rows.
func (s *Server) exporting(handle echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		leave, ok := s.exports.enter(s.actor(c).ID)
		if !ok {
			return &problem{status: http.StatusTooManyRequests, key: "error.exports", wait: 5 * time.Second}
		}
		defer leave()
		return handle(c)
	}
}
