package db_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// Days have 23, 24 and 25 hours, and begin at one o'clock where midnight does not exist.
func TestHeatDays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		zone       string
		month      time.Month
		day, hours int
		twice      int // cell that has two slots; -1: none
		none       int // cell that has none; -1: none
	}{
		{"Europe/Paris", time.March, 29, 23, -1, 2 * 12},
		{"Europe/Paris", time.October, 25, 25, 2*12 + 11, -1},
		{"Europe/Paris", time.July, 1, 24, -1, -1},
		{"Africa/Cairo", time.April, 24, 23, -1, 0},
		{"Australia/Lord_Howe", time.April, 5, 24, 12 + 6, -1},
		{"Asia/Kathmandu", time.May, 5, 24, -1, -1},
	} {
		zone, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		day := db.NewHeatDay(2026, test.month, test.day, zone)
		if got := int(day.To.Sub(day.From).Hours()); got != test.hours {
			t.Errorf("%s %d %s: got %d hours, want %d", test.zone, test.day, test.month, got, test.hours)
		}
		for cell := range db.HeatCells {
			want := 1
			switch {
			case test.zone == "Australia/Lord_Howe" && cell >= test.twice && cell < test.twice+6, test.zone == "Europe/Paris" && test.twice > 0 && cell/12 == test.twice/12:
				want = 2
			case test.none >= 0 && cell/12 == test.none/12:
				want = 0
			}
			if got := len(day.Of(cell)); got != want {
				t.Errorf("%s %d %s cell %d: got %d slots, want %d", test.zone, test.day, test.month, cell, got, want)
			}
		}
	}
}

// Every cell of some days, of those with a clock change too, is what counting one by one gives.
func TestHeatMapIsABruteForceCount(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx := context.Background()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(7, 7))
	type span struct{ from, to time.Time }
	var spans []span
	days := []db.HeatDay{db.NewHeatDay(2026, time.March, 29, zone), db.NewHeatDay(2025, time.October, 26, zone), db.NewHeatDay(2026, time.July, 1, zone)}
	for _, day := range days {
		for range 300 {
			from := day.From.Add(time.Duration(random.IntN(30*3600)-3*3600) * time.Second)
			spans = append(spans, span{from, from.Add(time.Duration(random.IntN(1200)) * time.Second)})
		}
		spans = append(spans, span{day.From.Add(-48 * time.Hour), day.To.Add(48 * time.Hour)}, span{day.From, day.From}, span{day.From.Add(-time.Hour), day.From})
	}
	for i, s := range spans {
		if _, err := d.Pool.Exec(ctx, `
			INSERT INTO xtk.heatmap_sample (task_id, workflow_id, workflow_name, workflow_label, kind, start_date, end_date)
			VALUES ($1, 1, 'w', 'W', 'technical', $2, $3)`, i+1, s.from, s.to); err != nil {
			t.Fatal(err)
		}
	}
	for _, day := range days {
		got, err := d.HeatMap(ctx, day, db.HeatFilter{})
		if err != nil {
			t.Fatal(err)
		}
		for cell := range got {
			want := int64(0)
			for _, s := range spans {
				touched := false
				for _, slot := range day.Of(cell) {
					end := slot.Add(db.HeatSlot)
					touched = touched || s.from.Before(end) && (s.to.After(slot) || !s.from.Before(slot))
				}
				if touched {
					want++
				}
			}
			if got[cell].Runs != want {
				t.Errorf("%s cell %d: got %d, want %d", day.From.Format(time.DateOnly), cell, got[cell].Runs, want)
			}
		}
	}
}
