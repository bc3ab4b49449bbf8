package nms

import "time"

// Outcome is how a message to an address ended: the status of its log, and for one that failed the type and reason.
type Outcome struct {
	Address, Status, FailureType string
	Reason                       int16
	Text                         string // of the error, without the address
	At                           time.Time
	Seed                         bool // to a seed address, which is never put in quarantine
}

// Tolerance is how many significant soft errors an address may have before it goes into quarantine, and how far apart two
// errors lie for both to be significant.
type Tolerance struct {
	MaxErrors   int
	Significant time.Duration
}

// forgiven is how long after its last error an address begins anew.
const forgiven = 10 * 24 * time.Hour

// AddressState is what a row of nms.address says of an address. The zero value is an address without a row.
type AddressState struct {
	Status, Reason, Text string
	Errors               int
	LastError            time.Time
}

// After is the state of an address after one more outcome. A hard error puts it in quarantine at once; soft errors do
// when the last of so many as are tolerated comes, those that follow too soon not being counted, and ten days without one
// forgiving all. A success makes an address with errors valid. A complaint puts it on the denylist. What is in quarantine
// or on a list stays there. A success or a soft error that is older than the last error says nothing.
func (s AddressState) After(o Outcome, t Tolerance) AddressState {
	complaint := o.Status == "failed" && o.Reason == Refused
	switch late := o.At.Before(s.LastError); {
	case s.Status == "denylisted" || s.Status == "allowlisted" || s.Status == "quarantine" && !complaint:
	case complaint:
		s = s.failed("denylisted", o)
	case o.Status == "failed" && o.FailureType == "hard":
		s = s.failed("quarantine", o)
	case late:
	case o.Status == "failed" && o.FailureType == "soft":
		s = s.softly(o, t)
	case (o.Status == "sent" || o.Status == "received") && s.Status == "with_errors":
		s.Status, s.Errors = "valid", 0
	}
	return s
}

// softly counts a soft error when it is significant.
func (s AddressState) softly(o Outcome, t Tolerance) AddressState {
	if !s.LastError.IsZero() && o.At.Sub(s.LastError) < t.Significant {
		return s
	}
	if o.At.Sub(s.LastError) >= forgiven {
		s.Errors = 0
	}
	if s.Errors+1 >= t.MaxErrors {
		return s.failed("quarantine", o)
	}
	return s.failed("with_errors", o)
}

func (s AddressState) failed(status string, o Outcome) AddressState {
	return AddressState{Status: status, Reason: reason(o.Reason), Text: o.Text, Errors: s.Errors + 1, LastError: o.At}
}

// reasons are the names of the reasons of a failure, by Campaign's numbers.
var reasons = map[int16]string{0: "undefined", UserUnknown: "user_unknown", InvalidDomain: "invalid_domain", Unreachable: "unreachable",
	AccountDisabled: "account_disabled", MailboxFull: "mailbox_full", NotConnected: "not_connected", 7: "address_empty", Complaint: "denylisted",
	9: "quarantined", 10: "duplicate", 11: "excluded_by_rule", 12: "arbitration", 14: "bad_quality", 15: "unqualified", 16: "no_eligible_offer",
	17: "target_limited", Refused: "refused", 25: "error_ignored", 127: "control_address"}

func reason(number int16) string {
	if name, ok := reasons[number]; ok {
		return name
	}
	return reasons[0]
}
