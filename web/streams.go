package web

import "sync"

const (
	streamsAll = 500 // open at once in this process
	streamsOne = 6   // of one operator
)

// streams counts the open event streams, so that they cannot fill the process. Who is refused asks once a second instead.
type streams struct {
	mu   sync.Mutex
	all  int
	mine map[int64]int
}

// enter takes a place and returns the way to give it back; false when there is none.
func (s *streams) enter(operator int64) (func(), bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= streamsAll || s.mine[operator] >= streamsOne {
		return nil, false
	}
	if s.mine == nil {
		s.mine = map[int64]int{}
	}
	s.all++
	s.mine[operator]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.mine[operator]--; s.mine[operator] == 0 {
			delete(s.mine, operator)
		}
	}, true
}
