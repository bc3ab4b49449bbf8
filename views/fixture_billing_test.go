package views

import "time"

func billingOf(page Page) Billing {
	page.Section, page.Path, page.Title = SectionBilling, "/billing", page.T("billing.title")
	page.Crumbs = []Crumb{{page.Title, ""}}
	sent := time.Date(2026, 7, 25, 1, 0, 12, 0, page.Zone)
	return Billing{Page: page, Paging: Paging{Older: "/billing?before=1"}, Rows: []BillingRow{
		{Name: "billing-2026-07-25", Href: "/billing/3", From: "2026-06-25", To: "2026-07-25", Actions: 1_310_002, Profiles: 845_210, SentTo: "billing@example.com", SentAt: sent, Made: sent},
		{Name: "billing-2026-07-10", Href: "/billing/2", From: "2026-06-25", To: "2026-07-10", Manual: true, Actions: 41, Made: sent}}}
}

func billingReportOf(page Page) BillingReport {
	list := billingOf(page)
	page = list.Page
	page.Crumbs = []Crumb{{page.Title, "/billing"}, {list.Rows[0].Name, ""}}
	return BillingReport{Page: page, BillingRow: list.Rows[0], Customer: "acme", Zone: "Europe/Paris", DatabaseBytes: 44_200_000_000, CSV: "/billing/3/report.csv",
		BySchema: []BillingSchema{{"nms:recipient", 845_210}},
		Groups: []BillingGroup{{Title: page.T("billing.type_0"), Note: page.N("billing.deliveries", 4, 3), Volume: 60_000_000, Messages: 699, Count: 1199, Hidden: 2,
			Lines: []BillingLine{{"2026-07-03", "Summer sale", 51_200_500, 102_401, 500, 2, 1000}, {"2026-07-04", "[…]", 8_799_500, 44_218, 199, 1, 199}}}}}
}
