package instance_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"nightshift/jobs/external/instance"
	"nightshift/jobs/external/outbound"
)

const path = "/api/v1/thing"

// thing is an instance that answers one path with a number.
func thing(t *testing.T, password string) (*instance.Fake, *instance.Client) {
	t.Helper()
	fake := instance.NewFake("mid", "secret")
	fake.Answer("POST "+path, func(w http.ResponseWriter, req *http.Request) {
		var in struct{ N int }
		if json.NewDecoder(req.Body).Decode(&in) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		instance.WriteJSON(w, map[string]int{"n": in.N + 1})
	})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	c, err := instance.New(instance.Account{URL: server.URL, Login: "mid", Password: password}, []time.Duration{time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return fake, c
}

func TestPost(t *testing.T) {
	t.Parallel()
	fake, c := thing(t, "secret")
	var out struct{ N int }
	if err := c.Post(t.Context(), path, map[string]int{"n": 41}, &out); err != nil || out.N != 42 {
		t.Errorf("got %d, %v, want 42", out.N, err)
	}
	fake.Expire()
	if err := c.Post(t.Context(), path, map[string]int{"n": 1}, &out); err != nil || out.N != 2 {
		t.Errorf("after the token expired: got %d, %v, want 2", out.N, err)
	}
	if n := fake.Asked("POST /api/v1/logon"); n != 2 {
		t.Errorf("got %d logons, want 2: one more when the token had expired", n)
	}
}

// TestRefused: a token that is refused again, or a wrong password, is not tried for ever.
func TestRefused(t *testing.T) {
	t.Parallel()
	fake, c := thing(t, "secret")
	fake.Trouble(instance.Status(http.StatusUnauthorized))
	if err := c.Post(t.Context(), path, 1, nil); !outbound.Refused(err) || fake.Asked("POST "+path) != 2 {
		t.Errorf("token refused: got %v after %d calls, want 401 after 2", err, fake.Asked("POST "+path))
	}
	fake, c = thing(t, "wrong")
	if err := c.Post(t.Context(), path, 1, nil); !outbound.Refused(err) || fake.Asked("POST "+path) != 0 {
		t.Errorf("wrong password: got %v and %d calls, want 401 and none", err, fake.Asked("POST "+path))
	}
}

// TestUnfitLogon: who answers the logon with something else than a token is no instance.
func TestUnfitLogon(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"no token": `{}`, "no JSON": `<html>`, "half": `{"token": `} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(answer))
		}))
		defer server.Close()
		c, err := instance.New(instance.Account{URL: server.URL, Login: "mid", Password: "secret"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Post(t.Context(), path, 1, nil)
		if unfit := new(outbound.UnfitError); !errors.As(err, &unfit) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want an unfit answer, without the password", name, err)
		}
	}
}
