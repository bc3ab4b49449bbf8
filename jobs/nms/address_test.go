package nms

import (
	"testing"
	"time"
)

// Each line is the outcomes of one address, as hours since the first, and what it is in the end.
func TestAddressAfter(t *testing.T) {
	t.Parallel()
	day := 24.0
	soft, hard := Outcome{Status: "failed", FailureType: "soft", Reason: Unreachable}, Outcome{Status: "failed", FailureType: "hard", Reason: UserUnknown}
	sent, refused := Outcome{Status: "sent"}, Outcome{Status: "failed", FailureType: "hard", Reason: Refused}
	ignored := Outcome{Status: "failed", FailureType: "ignored"}
	type at struct {
		hour float64
		Outcome
	}
	for name, tc := range map[string]struct {
		from     AddressState
		outcomes []at
		status   string
		errors   int
	}{
		"hard":                       {AddressState{}, []at{{0, hard}}, "quarantine", 1},
		"hard, then sent":            {AddressState{}, []at{{0, hard}, {1, sent}}, "quarantine", 1},
		"soft once":                  {AddressState{}, []at{{0, soft}}, "with_errors", 1},
		"five days":                  {AddressState{}, []at{{0, soft}, {day, soft}, {2 * day, soft}, {3 * day, soft}, {4 * day, soft}}, "quarantine", 5},
		"four days":                  {AddressState{}, []at{{0, soft}, {day, soft}, {2 * day, soft}, {3 * day, soft}}, "with_errors", 4},
		"five within an hour":        {AddressState{}, []at{{0, soft}, {.2, soft}, {.4, soft}, {.6, soft}, {.8, soft}}, "with_errors", 1},
		"a second before a day":      {AddressState{}, []at{{0, soft}, {day - 1/3600., soft}}, "with_errors", 1},
		"forgiven after ten days":    {AddressState{}, []at{{0, soft}, {day, soft}, {11 * day, soft}}, "with_errors", 1},
		"a success forgives":         {AddressState{}, []at{{0, soft}, {1, sent}, {day, soft}}, "with_errors", 1},
		"an older success says none": {AddressState{}, []at{{5, soft}, {1, sent}}, "with_errors", 1},
		"ignored":                    {AddressState{}, []at{{0, ignored}}, "", 0},
		"success of the unknown":     {AddressState{}, []at{{0, sent}}, "", 0},
		"a complaint":                {AddressState{}, []at{{0, refused}}, "denylisted", 1},
		"a complaint in quarantine":  {AddressState{Status: "quarantine"}, []at{{0, refused}}, "denylisted", 1},
		"on the allowlist":           {AddressState{Status: "allowlisted"}, []at{{0, hard}}, "allowlisted", 0},
		"on the denylist":            {AddressState{Status: "denylisted"}, []at{{0, sent}, {1, hard}}, "denylisted", 0},
	} {
		s := tc.from
		for _, one := range tc.outcomes {
			one.At = time.Date(2026, 7, 25, 0, 0, 0, 0, time.UTC).Add(time.Duration(one.hour * float64(time.Hour)))
			s = s.After(one.Outcome, Tolerance{MaxErrors: 5, Significant: 24 * time.Hour})
		}
		if s.Status != tc.status || s.Errors != tc.errors {
			t.Errorf("%s: got %s with %d errors, want %s with %d", name, s.Status, s.Errors, tc.status, tc.errors)
		}
	}
}
