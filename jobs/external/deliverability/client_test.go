package deliverability

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"nightshift/jobs/external/outbound"
)

// service is a fake that speaks TLS, and a client of it.
func service(t *testing.T) (*Fake, *Client) {
	t.Helper()
	fake := &Fake{Account: Account{ID: "acme", Secret: "canary", Customer: "acme_prod"}}
	server := httptest.NewTLSServer(fake)
	t.Cleanup(server.Close)
	account := fake.Account
	account.URL = server.URL
	account.Authority = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	client, err := New(account, []time.Duration{time.Millisecond, time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return fake, client
}

func threeTwoOne(version string) Rules {
	return Rules{Version: version,
		MX:          []MXRule{{Order: 1, Mask: "*.yahoo.com", TLS: "default"}, {Order: 2, Mask: "*.google.com", TLS: "opportunistic"}, {Order: 3, Mask: "*", TLS: "default"}},
		Inbound:     []InboundRule{{Order: 1, Pattern: "user unknown", Type: "hard", Reason: 1}, {Order: 2, Pattern: "quota", Type: "soft", Reason: 5}},
		Domains:     []DomainRule{{Mask: "*", DKIM: true}},
		Suppression: &Suppression{Addresses: []Suppressed{}, Domains: []Suppressed{}}}
}

func TestRulesAreFetchedOnceAVersion(t *testing.T) {
	t.Parallel()
	fake, client := service(t)
	fake.Publish("2026-07-24.3", threeTwoOne("2026-07-24.3"))
	rules, err := client.Rules(t.Context(), "")
	if err != nil || rules == nil || len(rules.MX) != 3 || rules.MX[1].Mask != "*.google.com" {
		t.Fatalf("got %+v and %v, want 3 MX rules", rules, err)
	}
	if rules, err = client.Rules(t.Context(), "2026-07-24.3"); err != nil || rules != nil {
		t.Errorf("the version known: got %+v and %v, want nothing new", rules, err)
	}
	if rules, err = client.Rules(t.Context(), "2026-07-23.1"); err != nil || rules == nil {
		t.Errorf("another version: got %+v and %v, want the rules", rules, err)
	}
	if want := []string{"POST /v1/token", "GET /v1/rules", "GET /v1/rules", "GET /v1/rules"}; !slices.Equal(fake.Asked(), want) {
		t.Errorf("got %v, want one token and three questions", fake.Asked())
	}
}

func TestDocumentsThatAreNotComplete(t *testing.T) {
	t.Parallel()
	whole := func() map[string]any {
		raw, _ := json.Marshal(threeTwoOne("v1"))
		var document map[string]any
		_ = json.Unmarshal(raw, &document)
		return document
	}
	for name, spoil := range map[string]func(map[string]any) any{
		"no version":     func(d map[string]any) any { delete(d, "version"); return d },
		"other version":  func(d map[string]any) any { d["version"] = "v2"; return d },
		"no MX":          func(d map[string]any) any { delete(d, "mx_rules"); return d },
		"inbound null":   func(d map[string]any) any { d["inbound_rules"] = nil; return d },
		"domains a text": func(d map[string]any) any { d["domain_rules"] = "none"; return d },
		"no suppression": func(d map[string]any) any { delete(d, "suppression"); return d },
		"half of it":     func(d map[string]any) any { d["suppression"] = map[string]any{"addresses": []any{}}; return d },
		"a list":         func(d map[string]any) any { return []any{d} },
		"order a text":   func(d map[string]any) any { d["mx_rules"] = []any{map[string]any{"rule_order": "1"}}; return d },
		"order too big":  func(d map[string]any) any { d["mx_rules"] = []any{map[string]any{"rule_order": 1 << 40}}; return d },
		"null":           func(map[string]any) any { return nil },
	} {
		fake, client := service(t)
		fake.Publish("v1", spoil(whole()))
		rules, err := client.Rules(t.Context(), "")
		if unfit := new(outbound.UnfitError); !errors.As(err, &unfit) || rules != nil {
			t.Errorf("%s: got %+v and %v, want unfit", name, rules, err)
		}
	}
	fake, client := service(t)
	fake.Misbehave = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v1/rules" {
			w.WriteHeader(http.StatusNotModified)
		}
		return r.URL.Path == "/v1/rules"
	}
	if rules, err := client.Rules(t.Context(), ""); err == nil || rules != nil {
		t.Errorf("304 to the first question: got %v and %v, want an error", rules, err)
	}
}

func TestWhoAsks(t *testing.T) {
	t.Parallel()
	fake, client := service(t)
	fake.Publish("v1", threeTwoOne("v1"))
	if _, err := client.Rules(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	fake.Expire()
	if _, err := client.Rules(t.Context(), ""); err != nil {
		t.Errorf("after the token expired: got %v, want one new logon", err)
	}
	for name, wrong := range map[string]func(*Account){
		"secret":   func(a *Account) { a.Secret = "wrong-canary" },
		"customer": func(a *Account) { a.Customer = "other" },
	} {
		account := client.account
		wrong(&account)
		other, err := New(account, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := len(fake.Asked())
		_, err = other.Rules(t.Context(), "")
		if !outbound.Refused(err) || strings.Contains(err.Error(), "canary") || len(fake.Asked()) > before+2 {
			t.Errorf("wrong %s: got %v after %v, want refused at once, without the secret", name, err, fake.Asked()[before:])
		}
	}
	if _, err := New(Account{URL: "http://deliverability.example.com"}, nil); err == nil {
		t.Error("http: got no error, want a refusal")
	}
	if c, err := New(Account{}, nil); err != nil || c.account.URL != DefaultURL {
		t.Errorf("no address: got %+v and %v, want the service's own", c, err)
	}
}

func decided(text, status string, at time.Time) Message {
	digest := md5.Sum([]byte(text))
	return Message{MD5: hex.EncodeToString(digest[:]), Text: text, Type: "hard", Reason: 1, Status: status, Modified: at}
}

func TestMessagesComeInPagesAndWholeMoments(t *testing.T) {
	t.Parallel()
	fake, client := service(t)
	begin := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	var all []Message
	for i := range 2300 {
		at := begin.Add(time.Duration(1+i) * time.Second)
		if i > 900 && i < 1200 {
			at = begin.Add(901 * time.Second)
		}
		all = append(all, decided(fmt.Sprint("text ", i), "keep", at))
	}
	fake.Decide(all...)
	since, pages, got := begin, []int{}, 0
	for {
		page, err := client.Messages(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		since, pages, got = page[len(page)-1].Modified, append(pages, len(page)), got+len(page)
	}
	if want := []int{1200, 1000, 100}; got != 2300 || !slices.Equal(pages, want) {
		t.Errorf("got %d in pages of %v, want 2300 in %v", got, pages, want)
	}
	if err := client.Send(t.Context(), all[:1000]); err != nil || len(fake.Received()) != 1 || len(fake.Received()[0]) != 1000 {
		t.Errorf("send 1000: got %v and %d batches, want them taken", err, len(fake.Received()))
	}
	if err := client.Send(t.Context(), all[:1001]); err == nil {
		t.Error("send 1001: got no error, want the service's refusal")
	}
}

// A page of which one message is unfit is not taken at all.
func TestUnfitMessages(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	good := decided("text", "keep", at.Add(time.Second))
	for name, spoil := range map[string]func(*Message){
		"md5":       func(m *Message) { m.MD5 = "x" },
		"upper":     func(m *Message) { m.MD5 = strings.ToUpper(m.MD5[:31]) + "A" },
		"text":      func(m *Message) { m.Text = "" },
		"zero byte": func(m *Message) { m.Text = "a\x00b" },
		"type":      func(m *Message) { m.Type = "medium" },
		"reason":    func(m *Message) { m.Reason = 13 },
		"status":    func(m *Message) { m.Status = "to_qualify" },
		"moment":    func(m *Message) { m.Modified = time.Time{} },
		"finer":     func(m *Message) { m.Modified = m.Modified.Add(1) },
		"old":       func(m *Message) { m.Modified = at },
		"order":     func(m *Message) { m.Modified = m.Modified.Add(-time.Millisecond) },
	} {
		fake, client := service(t)
		bad := good
		spoil(&bad)
		fake.Misbehave = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				answer(w, map[string]any{"messages": []Message{good, bad}})
			}
			return r.Method == http.MethodGet
		}
		page, err := client.Messages(context.WithoutCancel(t.Context()), at)
		if unfit := new(outbound.UnfitError); !errors.As(err, &unfit) || page != nil {
			t.Errorf("%s: got %v and %v, want unfit", name, page, err)
		}
	}
}
