package delivery

import (
	"strings"
	"testing"
	"unicode/utf8"

	"nightshift/jobs/redirlog"
)

func TestWebValues(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]string{
		"amount=12.50&article=3":    "1250 3  ",
		"amount=12.5":               "1250 0  ",
		"amount=7":                  "700 0  ",
		"amount=-3.999":             "-400 0  ",
		"amount=1e9&article=-1":     "0 0  amount article",
		"amount=99999999999999":     "0 0  amount",
		"amount=9999999999999.999":  "0 0  amount",
		"rcpid=email%3Dkim%40x.com": "0 0 email/kim@x.com ",
		"rcpid=email=kim@x.com&a=b": "0 0 email/kim@x.com a",
		"rcpid=nobody&&=":           "0 0  rcpid",
		"%zz=%zz":                   "0 0  %zz",
	} {
		v := readValues(params)
		cents := v.amount.Int.String()
		contact := ""
		if v.field != "" {
			contact = v.field + "/" + v.value
		}
		var names []string
		for _, name := range []string{"a", "amount", "article", "rcpid", "%zz"} {
			if _, ok := v.others[name]; ok {
				names = append(names, name)
			}
		}
		if got := strings.Join([]string{cents, string(rune('0' + v.article)), contact, strings.Join(names, " ")}, " "); got != want {
			t.Errorf("%s: got %q, want %q", params, got, want)
		}
	}
}

// Whatever a line says, what is made of it fits the columns that it is written to.
func FuzzTrackingLine(f *testing.F) {
	f.Add("amount=12.50&article=3&colour=%00", "Mozilla/5.0 (Windows NT 10.0) Chrome/126.0", "192.0.2.7")
	f.Add("amount=-9999999999999.99&rcpid=email%3D%ff", "ExampleBot/1.0 (+http://x.example)", "::1")
	f.Add("&&=&rcpid==&article=99999999999", "Mozilla/5.0 (Linux; Android 14; 갤럭시) (", "")
	f.Fuzz(func(t *testing.T, params, agent, address string) {
		line := redirlog.Line{ID: 7, Flag: "t", Params: params, Agent: agent, Address: address}
		l, err := redirlog.Parse(line.Append(nil))
		if err != nil {
			return // an address that is none
		}
		v := readValues(l.Params)
		if cents := v.amount.Int.Int64(); cents > highestCents || cents < -highestCents || v.article < 0 {
			t.Errorf("%q: got %d cents and %d articles", params, cents, v.article)
		}
		texts := []string{v.field, v.value}
		for name, value := range v.others {
			texts = append(texts, name, value)
		}
		a, _ := readAgent(l.Agent, nil)
		texts = append(texts, a.name, a.version, a.osName, a.osFamily, a.device)
		for _, text := range texts {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				t.Errorf("%q %q: got %q, which no column takes", params, agent, text)
			}
		}
		if hashKey(l.Agent) <= 0 {
			t.Errorf("%q: got the key of the unknown agent", agent)
		}
		rules := robots{agents: []string{"bot"}, known: map[string]bool{}}
		if rules.match(l) != strings.Contains(strings.ToLower(l.Agent), "bot") {
			t.Errorf("%q: robot or not", l.Agent)
		}
	})
}
