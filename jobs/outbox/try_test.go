package outbox

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs/external/midsourcing"
	"nightshift/jobs/external/smtp/fake"
)

// try tests an account that is stored as a form would, and returns the kind of its problem; empty: it works.
func (o office) try(edit db.AccountEdit, within time.Duration) string {
	o.Helper()
	administrator := db.Actor{ID: 901, Login: "kim", Rights: []string{db.Administration}}
	edit.Name, edit.Active = "tried", true
	if err := o.d.SaveAccount(o.Context(), administrator, edit, true); err != nil {
		o.Fatal(err)
	}
	a, err := o.d.AccountByName(o.Context(), "tried")
	if err != nil {
		o.Fatal(err)
	}
	o.exec(`DELETE FROM nms.ext_account WHERE internal_name = 'tried'`)
	ctx, cancel := context.WithTimeout(o.Context(), within)
	defer cancel()
	err = New(Config{DB: o.d}).Try(ctx, a)
	if err == nil {
		return ""
	}
	var problem *db.AccountProblem
	if !errors.As(err, &problem) {
		o.Fatalf("got %v, want a problem", err)
	}
	if strings.Contains(problem.Text, "s3cret") {
		o.Errorf("the problem tells the secret: %s", problem.Text)
	}
	return problem.Kind
}

// relay is the mail server's account as a form makes it.
func (o office) relay() db.AccountEdit {
	return db.AccountEdit{Type: db.AccountSMTP, Server: o.mail.Host, Port: strconv.Itoa(o.mail.Port), Login: o.mail.Login, Secret: o.mail.Password,
		Encryption: "starttls", Params: map[string]string{"from": "a@b.c", "authority": string(o.mail.PEM)}}
}

func TestTryMail(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	bare := fake.Start(t, fake.Settings{NoTLS: true})
	for want, change := range map[string]func(*db.AccountEdit){
		"":            func(*db.AccountEdit) {},
		"logon":       func(e *db.AccountEdit) { e.Secret = "s3cret-wrong" },
		"certificate": func(e *db.AccountEdit) { e.Params = map[string]string{"from": "a@b.c"} },
		"encryption":  func(e *db.AccountEdit) { e.Port = strconv.Itoa(bare.Port) },
		"refused":     func(e *db.AccountEdit) { e.Port = "1" },
		"name":        func(e *db.AccountEdit) { e.Server = "mail.invalid" },
		"settings": func(e *db.AccountEdit) {
			e.Params["authority"] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
		},
	} {
		edit := o.relay()
		change(&edit)
		if got := o.try(edit, time.Minute); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := o.try(o.relay(), time.Nanosecond); got != "timeout" {
		t.Errorf("without time: got %q, want timeout", got)
	}
	if len(o.mail.Received()) != 0 {
		t.Error("a test has sent a mail")
	}
}

func TestTryInstances(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	server := httptest.NewServer(midsourcing.NewFake("mid", "s3cret"))
	defer server.Close()
	for _, kind := range []string{db.AccountMidSourcing, db.AccountExecution} {
		edit := db.AccountEdit{Type: kind, Server: server.URL, Login: "mid", Secret: "s3cret"}
		if got := o.try(edit, time.Minute); got != "" {
			t.Errorf("%s: got %q, want that it works", kind, got)
		}
		edit.Secret = "s3cret-wrong"
		if got := o.try(edit, time.Minute); got != "logon" {
			t.Errorf("%s with a wrong secret: got %q, want logon", kind, got)
		}
	}
	tls := httptest.NewTLSServer(midsourcing.NewFake("mid", "s3cret"))
	defer tls.Close()
	edit := db.AccountEdit{Type: db.AccountDeliverability, Server: tls.URL, Login: "mid", Secret: "s3cret"}
	if got := o.try(edit, time.Minute); got != "certificate" {
		t.Errorf("got %q, want certificate", got)
	}
	edit.Params = map[string]string{"authority": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw}))}
	if got := o.try(edit, time.Minute); got == "" || got == "certificate" {
		t.Errorf("a server that gives no token: got %q, want another problem", got)
	}
}
