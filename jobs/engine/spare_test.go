package engine

import "testing"

// TestSpares: as many sessions wait as runs are expected, each run that takes one lessens that, and what was expected in
// vain is let go.
func TestSpares(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	s := newSpares(n.d)
	const waiting = `
		SELECT count(*) FROM pg_stat_activity
		WHERE application_name = 'nightshift spare session' AND state = 'idle' AND datname = current_database()`
	s.expect(t.Context(), 9)
	n.until("9", waiting)
	for range 4 {
		session, free, err := s.take(t.Context(), 73)
		if err != nil {
			t.Fatal(err)
		}
		if !free {
			t.Error("lock of workflow 73: got taken, want free")
		}
		if _, err := session.Exec(t.Context(), nameSession, "run"); err != nil {
			t.Error(err)
		}
		if err := letGo(t.Context(), session); err != nil {
			t.Error(err)
		}
	}
	n.until("5", waiting)
	s.expect(t.Context(), 0)
	n.until("3", waiting)
	s.close(t.Context())
	n.until("0", waiting)
}
