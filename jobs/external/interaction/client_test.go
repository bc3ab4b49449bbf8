package interaction_test

import (
	"errors"
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
