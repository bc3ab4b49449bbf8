package views

import "time"

// offersOf are packages of offers, of which one was refused and one could not be read.
func offersOf(page Page) Offers {
	page.Section = SectionAccounts
	page.Title = page.T("offers.received")
	taken, refused := page.T("offers.taken"), page.T("offers.refused")
	return Offers{Page: page, Recent: 4, Refused: 2, Days: 7, Rows: []OffersRow{
		{At: page.Now.Add(-20 * time.Minute), Login: "france", From: "10.20.0.7", Account: "execFrance", Environment: "rcpLive", Categories: 1,
			State: Finished, Word: taken, Note: page.T("offers.changes", "0", "1", "0"), Audit: "/audit?entity=execFrance_rcpLive&kind=offer"},
		{At: page.Now.Add(-3 * time.Hour), Login: "france", From: "10.20.0.7", Account: "execFrance", Environment: "rcpLive", Offers: 2,
			State: Failed, Word: refused, Note: "offer execFrance_winter needs space execFrance_banner, which is neither in the package nor here: send the whole environment"},
		{At: page.Now.Add(-4 * time.Hour), Login: "korea", From: "10.20.0.9",
			State: Failed, Word: refused, Note: "the body is not the JSON that is described in /api/v1/openapi.yaml"},
		{At: page.Now.Add(-26 * time.Hour), Login: "france", From: "10.20.0.7", Account: "execFrance", Environment: "rcpLive", Offers: 1204, Categories: 18, Spaces: 5,
			State: Finished, Word: taken, Note: page.T("offers.changes", Number(1228), "0", "0"), Audit: "/audit?entity=execFrance_rcpLive&kind=offer"},
	}, Paging: Paging{Older: "/offers?before=7"}}
}

// acknowledgeOf asks about two alarms.
func acknowledgeOf(page Page) AcknowledgeForm {
	return AcknowledgeForm{Page: page, Workflow: "cleanup", Label: "Database cleanup", Wrong: page.T("order.reason_long", 200),
		Drifts: []Drift{driftOf(7, page.Now), fewerOf(7, page.Now)}}
}
