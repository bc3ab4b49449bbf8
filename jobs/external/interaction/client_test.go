package interaction_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"nightshift/jobs/external/instance"
	"nightshift/jobs/external/interaction"
	"nightshift/jobs/external/outbound"
)

func executing(t *testing.T) (*interaction.Fake, *interaction.Client) {
	t.Helper()
	fake := interaction.NewFake("mc", "secret")
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	client, err := interaction.New(instance.Account{URL: server.URL, Login: "mc", Password: "secret"}, []time.Duration{time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return fake, client
}

// winter is a catalogue of one object of each kind.
func winter(prefix string) interaction.Catalogue {
	home := prefix + "travel"
	return interaction.Catalogue{Prefix: prefix, Environment: interaction.Environment{Name: prefix + "live"},
		Categories: []interaction.Category{{Name: home, WeightMultiplier: 1.5}},
		Spaces:     []interaction.Space{{Name: prefix + "banner", Fields: []byte(`[]`)}},
		Offers: []interaction.Offer{{Name: prefix + "winter", Category: &home, Filter: []byte(`null`), Rules: []byte(`[]`),
			Views: []interaction.View{{Space: prefix + "banner", Content: []byte(`{"title":"20%"}`)}}}}}
}

func TestSend(t *testing.T) {
	t.Parallel()
	fake, client := executing(t)
	if err := client.Send(t.Context(), winter("fr_")); err != nil {
		t.Fatal(err)
	}
	if got := fake.Sent(); len(got) != 1 || !reflect.DeepEqual(got[0], winter("fr_")) {
		t.Errorf("got %+v, want what was sent", got)
	}
	stranger := winter("fr_")
	stranger.Offers[0].Views[0].Space = "de_banner"
	var refused *outbound.StatusError
	if err := client.Send(t.Context(), stranger); !errors.As(err, &refused) || refused.Code != http.StatusBadRequest {
		t.Errorf("a name of somebody else's: got %v, want 400", err)
	}
}

// TestUnfitAnswers: whoever does not say that all was taken has not taken it.
func TestUnfitAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"less": func(w http.ResponseWriter, _ *http.Request) { instance.WriteJSON(w, interaction.Counts{Categories: 1}) },
		"no JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("<html>"))
		},
		"half": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"offers": `))
		},
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(strings.Repeat(" ", 17<<20)))
		},
		"elsewhere": http.RedirectHandler("http://10.0.0.1/", http.StatusTemporaryRedirect).ServeHTTP,
		"busy":      instance.Status(http.StatusTooManyRequests),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, client := executing(t)
			fake.Trouble(answer)
			if err := client.Send(t.Context(), winter("fr_")); err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want an error without the password", err)
			}
		})
	}
}

// TestParts: a large catalogue goes in parts, in its order, so that no part refers to a later one.
func TestParts(t *testing.T) {
	t.Parallel()
	c := winter("fr_")
	for n := range 20 {
		c.Offers = append(c.Offers, interaction.Offer{Name: fmt.Sprint("fr_", n), Filter: []byte(`null`), Rules: []byte(`"` + strings.Repeat("x", 900) + `"`)})
	}
	parts, err := c.Parts(2500)
	if err != nil {
		t.Fatal(err)
	}
	whole := interaction.Catalogue{Prefix: c.Prefix, Environment: c.Environment}
	for _, part := range parts {
		if len(part.Offers) > 3 || part.Prefix != c.Prefix || part.Environment != c.Environment || part.Categories == nil || part.Spaces == nil || part.Offers == nil {
			t.Errorf("got a part of %d objects, want a package of its own with a few", part.Objects())
		}
		whole.Categories, whole.Spaces, whole.Offers = append(whole.Categories, part.Categories...), append(whole.Spaces, part.Spaces...), append(whole.Offers, part.Offers...)
	}
	if len(parts) < 10 || !reflect.DeepEqual(whole, c) {
		t.Errorf("got %d parts, or others than the whole", len(parts))
	}
	fake, client := executing(t)
	for n := range c.Offers {
		c.Offers[n].Rules = []byte(`"` + strings.Repeat("x", 300<<10) + `"`)
	}
	if err := client.Send(t.Context(), c); err != nil || len(fake.Sent()) != 2 {
		t.Errorf("6 MB: got %d requests, %v; want two", len(fake.Sent()), err)
	}
}

// TestWhyItIsRefused: the words of the instance are told, and that it lacks something is an error of its own.
func TestWhyItIsRefused(t *testing.T) {
	t.Parallel()
	fake, client := executing(t)
	for code, incomplete := range map[int]bool{http.StatusBadRequest: false, http.StatusConflict: true} {
		fake.Trouble(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(code)
			_, _ = w.Write([]byte(`{"detail": "space 0:\n no\u0007 fields"}`))
		})
		err := client.Send(t.Context(), winter("fr_"))
		if err == nil || errors.Is(err, interaction.ErrIncomplete) != incomplete || !incomplete && !strings.HasSuffix(err.Error(), "answered 400: space 0: no fields") {
			t.Errorf("%d: got %v, want the reason, incomplete %t", code, err, incomplete)
		}
	}
}
