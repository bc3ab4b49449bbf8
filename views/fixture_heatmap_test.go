package views

import "time"

// loadOf is the same day by a measure that is sampled; of an hour and of a cell nobody looked.
func loadOf(page Page, measure string) HeatMap {
	p := heatOf(page)
	p.Measure, p.SampledEvery = measure, 5*time.Second
	for i, c := range p.Cells {
		load := HeatLoad{Database: float64(c.Runs*c.Runs) * 3, Locks: float64(c.Runs*c.Runs) / 4}
		if i/12 == 5 || i == 30 {
			load = HeatLoad{Unsampled: c.Runs > 0}
		}
		if c.Expected {
			load.Locks = 0
		}
		p.Cells[i].Load = load
	}
	busy, waits := 84.0, 3.0
	p.Runs[0].Database, p.Runs[0].Locks = &busy, &waits
	p.Cells[30].Load = HeatLoad{Database: 40, Unsampled: true}
	return p
}

// heatOf is a day with a full night, the present in the early afternoon and what is expected behind it.
func heatOf(page Page) HeatMap {
	page.Now = page.Now.Add(10*time.Hour + 3*time.Minute)
	page.Title, page.Section, page.Path = "Heat map", SectionHeat, "/heat-map"
	page.Crumbs = []Crumb{{Text: "Heat map"}}
	local := page.Now.In(page.Zone)
	p := HeatMap{Page: page, Day: time.Date(local.Year(), local.Month(), local.Day(), 12, 0, 0, 0, page.Zone), Today: true, Latest: page.Now,
		Allowed: 20, Measure: "runs", Workflows: []Option{{"cleanup", "Database cleanup"}}, Cell: 12}
	now := local.Hour()*12 + local.Minute()/5
	for i := range p.Cells {
		n := int64((i*7919)%5) - 1
		switch {
		case i/12 == 1 || i/12 == 2:
			n = int64(18 - i%12*3/2)
		case i%12 == 0:
			n = int64(3 + i%7)
		}
		p.Cells[i] = HeatCell{Runs: max(n, 0), Rows: max(n, 0) * 4321, Expected: i > now, Now: i == now}
	}
	p.Cells[12].Runs = 18
	at := time.Date(local.Year(), local.Month(), local.Day(), 1, 0, 0, 0, page.Zone)
	for i, name := range []string{"forecasting", "tracking", "mcSynch_exec_eu1", "defaultMidSourcingLog", "webAnalyticsGetWebEvents", "operationMgt"} {
		p.Runs = append(p.Runs, HeatRun{ID: int64(8800 + i), Workflow: name, Label: name, WorkflowID: int64(i + 1), Marketing: i == 2, Begun: at.Add(time.Duration(-i*3) * time.Minute),
			Ended: at.Add(time.Duration(20-i*3) * time.Minute), Rows: 1204, Activities: []HeatActivity{{Name: "collect", Took: 41 * time.Second}, {Name: "send", Took: time.Minute}}})
	}
	p.RunCount = 18
	return p
}
