package transfer_test

import (
	"testing"
	"time"

	server "nightshift/jobs/external/midsourcing"
	"nightshift/jobs/jobtest"
)

const recounted = `SELECT concat_ws(' ', processed, success, error, unknown_user, mailbox_full, error_pending, last_error_computation IS NOT NULL) FROM nms.delivery`

// ended is ten messages: seven sent, two to unknown users, one to a full mailbox.
func ended(at time.Time) []server.Log {
	all := []server.Log{failing(8, "hard", 1, at), failing(9, "hard", 1, at), failing(10, "soft", 5, at)}
	for n := range int64(7) {
		all = append(all, became(n+1, "sent", at))
	}
	return all
}

// Logs that were fetched are summed up on their delivery, and a second run leaves it alone. Its opens are not the logs'.
func TestLogsAreSummedUp(t *testing.T) {
	t.Parallel()
	d, fake := sending(t, 10)
	fake.Carry(nil, ended(ago(time.Hour)))
	rehearsed := jobtest.Simulate(t, d, logs)
	got := completed(t, jobtest.Run(t, d, logs))
	if rehearsed.Effects["nms.delivery"] != got.Effects["nms.delivery"] {
		t.Errorf("rehearsed %+v, done %+v; want the same", rehearsed.Effects["nms.delivery"], got.Effects["nms.delivery"])
	}
	want(t, d, [2]string{recounted, "10 7 3 2 1 0 t"})
	if again := completed(t, jobtest.Run(t, d, logs)); again.Effects["nms.delivery"].Updated != 0 {
		t.Errorf("again: got %+v, want the delivery left alone", again.Effects)
	}
}

// What the server has counted beyond the logs that are here stays: figures do not fall because logs come later than counts.
func TestCountsOfTheServerStay(t *testing.T) {
	t.Parallel()
	d, fake := sending(t, 10)
	do(t, d, `UPDATE nms.delivery SET processed = 900, success = 850, error = 50`)
	fake.Carry(nil, ended(ago(time.Hour)))
	completed(t, jobtest.Run(t, d, logs))
	want(t, d, [2]string{recounted, "900 850 50 0 0 0 t"})
}

// Few changes of a delivery computed lately wait, until they are many or a day has passed.
func TestFewChangesWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ change, want string }{
		"few":              {`UPDATE nms.delivery SET processed = 2000, last_error_computation = now() - interval '23 hours'`, "2000 0 0 0 0 10 t"},
		"a day ago":        {`UPDATE nms.delivery SET processed = 5, success = 5, last_error_computation = now() - interval '25 hours'`, "10 7 3 2 1 0 t"},
		"never":            {`UPDATE nms.delivery SET processed = 9`, "10 7 3 2 1 0 t"},
		"one in a hundred": {`UPDATE nms.delivery SET processed = 1000, last_error_computation = now()`, "1000 0 0 0 0 0 t"},
		"ended long ago":   {`UPDATE nms.delivery SET validity = now() - interval '31 days'`, "0 0 0 0 0 10 f"},
		"deleted":          {`UPDATE nms.delivery SET delete_status = 'yes'`, "0 0 0 0 0 10 f"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, fake := sending(t, 10)
			do(t, d, c.change)
			fake.Carry(nil, ended(ago(time.Hour)))
			completed(t, jobtest.Run(t, d, logs))
			want(t, d, [2]string{recounted, c.want})
		})
	}
}
