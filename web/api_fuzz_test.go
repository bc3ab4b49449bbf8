package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Whatever an instance sends, the answer is one that the description allows, and no error of ours.
func FuzzInstanceAPI(f *testing.F) {
	c := newConsole(f)
	i := c.newInstance("mid", "midSourcing", "interactionSynch")
	one := i.carry(1, "a")
	var calls []route
	for _, r := range c.routes() {
		if isAPI(r.path) {
			calls = append(calls, r)
		}
	}
	for n := range calls {
		f.Add(uint8(n), "", []byte(nil))
	}
	for _, query := range []string{"start_date=2026-07-25T10:59:58.000001Z&log_count=7", "modified_since=9999-12-31T23:59:59Z&after_id=9223372036854775807", "limit=1&since=1970-01-01T00:00:00%2B14:00",
		"md5=d41d8cd98f00b204e9800998ecf8427e", "start_date=2026-01-01T00:00:00Z&end_date=2026-01-01T00:00:00.0000001Z&emitter_date=1970-01-01T00:00:00Z"} {
		for n := range calls {
			f.Add(uint8(n), query, []byte(nil))
		}
	}
	for _, body := range []string{`{"login":"mid","password":""}`, `{"emitter_id":9,"label":"\ud800","content":[[[1e400]]]}`, `{"messages":[{"remote_id":1,"address":"\n","flags":2147483647}]}`,
		`{"emitter_ids":[9223372036854775807],"remote_ids":[-1]}`, `[`, `"\u0000"`,
		`{"prefix":"fr_","environment":{"name":"fr_live"},"categories":[{"name":"fr_a","parent":"fr_a","enabled":true,"themes":[],"weight_multiplier":1e400}],"spaces":[],"offers":[]}`,
		`{"prefix":"fr_","environment":{"name":"fr_live"},"categories":[],"spaces":[{"name":"fr_s","channel":0,"fields":[[[]]],"default_status":"generated","accepted_status":"accepted"}],
			"offers":[{"name":"fr_o","enabled":false,"disabled_at":"0000-01-01T00:00:00Z","rules":{"\ud800":1},"views":[{"space":"fr_s","content":1e400}],"weights":[{"weight":-1e13}]}]}`, `{"emitter_id":9,"label":"a","validity":"9999-12-31T23:59:59.999999999Z","priority":-32768}`} {
		for n := range calls {
			f.Add(uint8(n), "", []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, query string, body []byte) {
		call := calls[int(n)%len(calls)]
		path := strings.Replace(call.path, ":id", fmt.Sprint(one.ID), 1)
		// A query that no client can send is not worth asking with.
		if _, err := url.ParseRequestURI("http://" + host + path + "?" + query); err != nil || strings.ContainsAny(query, " #\r\n") {
			return
		}
		mine := &instance{console: &console{Server: i.Server, t: t, tokens: i.tokens}, doc: i.doc, token: i.token}
		w := mine.send(call.method, path+"?"+query, body)
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s %s?%s with %q: got %d %s", call.method, path, query, body, w.Code, w.Body)
		}
		mine.held(call.method, path, w)
	})
}
