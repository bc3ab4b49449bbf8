package transfer_test

import (
	"net/http"
	"testing"

	"nightshift/jobs/external/instance"
	"nightshift/jobs/jobtest"
)

// The page of accounts shows what a run made of an account: that its server refuses it, and that it works again. While it
// works, that is noted once a day and changes no row of a run that finds nothing.
func TestAccountsTellHowTheyFare(t *testing.T) {
	t.Parallel()
	d, fake := marketing(t, 1)
	const fares = `SELECT concat_ws(' ', last_ok IS NOT NULL, last_error_at > COALESCE(last_ok, '-infinity'), last_error_kind, last_error) FROM nms.ext_account`
	completed(t, jobtest.Run(t, d, counters))
	want(t, d, [2]string{fares, "t"})
	if again := completed(t, jobtest.Run(t, d, counters)); len(again.Effects) != 0 {
		t.Errorf("again: got %+v, want no row changed", again.Effects)
	}
	fake.Trouble(instance.Status(http.StatusForbidden))
	if got := jobtest.Run(t, d, counters); got.Status != "failed" || got.Effects["nms.ext_account"].Updated != 1 {
		t.Errorf("got %s with %+v, want failed and noted", got.Status, got.Effects)
	}
	want(t, d, [2]string{fares, "t t logon /api/v1/mid/deliveries answered 403"})
	fake.Trouble(nil)
	completed(t, jobtest.Run(t, d, counters))
	want(t, d, [2]string{fares, "t f logon /api/v1/mid/deliveries answered 403"})
	do(t, d, `UPDATE nms.ext_account SET secret = '\x01'`)
	if got := jobtest.Run(t, d, counters); got.Status != "failed" {
		t.Errorf("a secret of another key: got %s, want failed", got.Status)
	}
	want(t, d, [2]string{fares, "t t settings its secret cannot be read with this instance's key"})
}
