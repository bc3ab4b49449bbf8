package views

import "time"

func frozenPage(page Page) Page {
	page.Frozen = Frozen{On: true, By: "kim", Reason: "Release 1.4.3, CHG-20418", Since: page.Now.Add(-40 * time.Minute), Until: page.Now.Add(2 * time.Hour)}
	return page
}

func freezeOf(page Page) FreezeForm {
	page.Title = "Freeze"
	form := FreezeForm{Page: page, Reason: "Release 1.4.3, CHG-20418", Until: "tomorrow", End: page.Now.Add(4 * time.Hour), Runs: 2, More: 9, Slots: 214, Errors: map[string]string{}}
	for i, name := range []string{"billing", "cleanup", "aliasCleansing", "tracking"} {
		form.Touched = append(form.Touched, FreezeTouch{name, name, 1 + i*i, page.Now.Add(time.Hour), page.Now.Add(time.Duration(30-i*7) * 24 * time.Hour)})
	}
	return form
}
