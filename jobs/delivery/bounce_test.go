package delivery

import (
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode"
	"unicode/utf8"
)

// rulesOfTheTest are the examples of the documentation.
func rulesOfTheTest() []BounceRule {
	return []BounceRule{
		{1, `5\.1\.1|user is unknown`, true, "hard", 1},
		{2, `quota exceeded`, false, "soft", 5},
		{3, `inactive mailbox`, false, "soft", 4},
		{4, `DNS query failed`, false, "soft", 2},
		{5, `^421 `, true, "soft", 3},
		{6, `feedback-type: abuse`, false, "ignored", 20},
		{7, `.`, true, "hard", 9},
	}
}

func TestBouncesAreQualifiedByTheFirstRule(t *testing.T) {
	t.Parallel()
	rules := rulesOfTheTest()
	q, unusable := NewQualifier(rules[:6])
	if len(unusable) > 0 {
		t.Fatal(unusable)
	}
	for text, want := range map[string]Bounce{
		"550 5.1.1 <kim@example.com>... User is unknown {mx-003}": {Text: "550 5.1.1 <*>... User is unknown {mx-003}", Type: "hard", Reason: 1, RuleID: 1},
		"550 5.2.2 User QUOTA exceeded":                           {Text: "550 5.2.2 User QUOTA exceeded", Type: "soft", Reason: 5, RuleID: 2},
		"550 5.7.1 Unable to deliver: Inactive MailBox":           {Text: "550 5.7.1 Unable to deliver: Inactive MailBox", Type: "soft", Reason: 4, RuleID: 3},
		"DNS query failed for example.invalid":                    {Text: "DNS query failed for example.invalid", Type: "soft", Reason: 2, RuleID: 4},
		"421 4.16.55 [TS01] Messages from 192.0.2.17 temporarily deferred due to excessive user complaints": {
			Text: "421 4.16.55 [TS01] Messages from * temporarily deferred due to excessive user complaints", Type: "soft", Reason: 3, RuleID: 5},
		"Feedback-Type: abuse":     {Text: "Feedback-Type: abuse", Type: "ignored", Reason: 20, RuleID: 6},
		"554 421 is not the begin": {Text: "554 421 is not the begin", Type: "soft"},
		"":                         {Type: "soft"},
	} {
		got := q.Qualify(text)
		want.MD5 = got.MD5
		if got != want || len(got.MD5) != 32 {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
	q, _ = NewQualifier(append([]BounceRule{rules[6]}, rules[0]))
	if got := q.Qualify("550 5.1.1 user is unknown"); got.RuleID != 7 {
		t.Errorf("two rules match: got rule %d, want the first, 7", got.RuleID)
	}
}

// A person's decision comes before the rules, for every text that is the same once normalised.
func TestKeptTextsComeBeforeRules(t *testing.T) {
	t.Parallel()
	q, _ := NewQualifier(rulesOfTheTest())
	first := q.Qualify("550 5.1.1 <kim@example.com> mailbox moved, id 4Qx1y2Zabc at 2026-07-24 10:11:12 +0900")
	q.Kept = map[string]Bounce{first.MD5: {Type: "soft", Reason: 3}}
	got := q.Qualify("550 5.1.1 <lee@example.org> mailbox moved, id 7Rt9k3Mxyz at 2026-07-25 23:59:59 +0000")
	if got.Text != first.Text || !got.Kept || got.Type != "soft" || got.Reason != 3 {
		t.Errorf("got %+v, want the decision for %q", got, first.Text)
	}
	if got := q.Qualify("550 5.1.1 user is unknown"); got.Kept || got.RuleID != 1 {
		t.Errorf("another text: got %+v, want rule 1", got)
	}
}

func TestWhatTextsHaveInCommon(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"550-5.1.1 The email account\r\n550 5.1.1  does\tnot exist":                     "550-5.1.1 The email account 550 5.1.1 does not exist",
		"https://support.example.com/mail/?p=NoSuchUser k12si123456wrx.55 - gsmtp":      "https://support.example.com/mail/?p=NoSuchUser #xxx# - gsmtp",
		"to=<a.b+c@sub.example.co.kr>, relay=mx.example.com[2001:db8::25]:25, delay=12": "to=<*>, relay=mx.example.com[*]:25, delay=12",
		"Arrived: Fri, 24 Jul 2026 10:11:12 +0900; last try Jul 4 09:08:07":             "Arrived: #xxx#; last try #xxx#",
		"at 2026-07-24T01:02:03.456Z or 24/07/2026 or 01:02:03.":                        "at #xxx# or #xxx# or #xxx#.",
		"size 10485760 over 25 MB, code S3140, 5.7.509, AUP#1260":                       "size #xxx# over 25 MB, code S3140, 5.7.509, AUP#1260",
		"host mta4167.mail.gq1.example.net said: 452 4.2.2 Over quota":                  "host #xxx# said: 452 4.2.2 Over quota",
		"delivery cancelled, validity expired":                                          "delivery cancelled, validity expired",
		"사서함이 가득 참: 홍길동@예시.한국":                                                          "사서함이 가득 참: *",
		"bad \xff byte \x00 here":                                                       "bad ? byte here",
	} {
		if got := normalize(oneLine(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestRulesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	q, unusable := NewQualifier([]BounceRule{{1, `(?<!not )unknown`, true, "hard", 1}, {2, `(a)\1`, true, "hard", 1}, {3, ` `, false, "hard", 1},
		{4, `x{1001}`, true, "hard", 1}, {5, `(unknown`, true, "hard", 1}, {6, `(unknown`, false, "soft", 3}})
	if len(unusable) != 5 {
		t.Errorf("got %d unusable rules (%v), want 5", len(unusable), unusable)
	}
	if got := q.Qualify("user (UNKNOWN)"); got.RuleID != 6 {
		t.Errorf("got %+v, want the rule that remains: a plain text with a bracket", got)
	}
}

// Expressions that take others exponential time take this one milliseconds.
func TestQualifyingIsLinear(t *testing.T) {
	t.Parallel()
	q, _ := NewQualifier([]BounceRule{{1, `(a+)+$`, true, "hard", 1}, {2, `(a|aa)+b`, true, "hard", 1}, {3, `(.*a){20}b`, true, "hard", 1}})
	begin := time.Now()
	q.Qualify(strings.Repeat("a", 1<<20) + "!")
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("got %s, want milliseconds, and not for ever", took)
	}
}

// holds checks what is true of every text.
func holds(t *testing.T, q *Qualifier, text string) bool {
	got := q.Qualify(text)
	switch {
	case !utf8.ValidString(got.Text) || len(got.Text) > maxBounce || strings.ContainsFunc(got.Text, unicode.IsControl):
		t.Errorf("%q: got %q, want a short line of printable characters", text, got.Text)
	case strings.Contains(got.Text, "@"):
		t.Errorf("%q: got %q, want no address", text, got.Text)
	case q.Qualify(got.Text).Text != got.Text:
		t.Errorf("%q: got %q, then %q: want what was normalised to stay", text, got.Text, q.Qualify(got.Text).Text)
	case got.Type == "" || q.Qualify(text) != got:
		t.Errorf("%q: got %+v, then %+v: want one answer", text, got, q.Qualify(text))
	default:
		return true
	}
	return false
}

func TestAnyText(t *testing.T) {
	t.Parallel()
	q, _ := NewQualifier(rulesOfTheTest())
	if err := quick.Check(func(text string) bool { return holds(t, q, text) }, nil); err != nil {
		t.Error(err)
	}
}

func FuzzQualify(f *testing.F) {
	for _, text := range []string{"550 5.1.1 <kim@example.com> unknown", "at 2026-07-24 10:11:12 +0900 [192.0.2.1]", "#xxx#-123 12:34:5678:90", "\xff@\x00",
		"Fri, 24 Jul 2026 10:11:12 +0900", "::1 fe80::1%eth0 a@b@c"} {
		f.Add(text)
	}
	q, _ := NewQualifier(rulesOfTheTest()[:6])
	f.Fuzz(func(t *testing.T, text string) { holds(t, q, text) })
}

func BenchmarkQualify(b *testing.B) {
	var rules []BounceRule
	for i := range 412 {
		rules = append(rules, BounceRule{int64(i), `5\.9\.\d+ (mailbox|account) number ` + strings.Repeat("x", i%7), true, "hard", 1})
	}
	q, _ := NewQualifier(rules)
	for b.Loop() {
		q.Qualify("550 5.7.1 Our system has detected that this message is likely unsolicited mail from 192.0.2.1, see https://example.com/x1y2z3a4")
	}
}
