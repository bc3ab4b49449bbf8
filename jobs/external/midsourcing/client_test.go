package midsourcing

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func fakeClient(t *testing.T, fake http.Handler, password string) *Client {
	t.Helper()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	client, err := New(Account{URL: server.URL, Login: "mid", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	client.waits = []time.Duration{time.Millisecond, time.Millisecond}
	return client
}

func TestCleanupDeliveries(t *testing.T) {
	t.Parallel()
	fake := &Fake{Login: "mid", Password: "secret"}
	client := fakeClient(t, fake, "secret")
	ids := Deliveries{RemoteIDs: []int64{9}, EmitterIDs: []int64{42}}
	if err := client.CleanupDeliveries(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	fake.Expire()
	if err := client.CleanupDeliveries(t.Context(), ids); err != nil {
		t.Errorf("after the token expired: got %v, want one new logon", err)
	}
	if got := fake.Removed(); len(got) != 2 || !slices.Equal(got[0].RemoteIDs, []int64{9}) {
		t.Errorf("asked to remove: got %v, want two calls with 9", got)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	calls := 0
	counted := func(code int) *Client {
		calls = 0
		fake := &Fake{Login: "mid", Password: "secret", Refuse: code}
		return fakeClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls++
			fake.ServeHTTP(w, r)
		}), "secret")
	}
	for code, want := range map[int]int{404: 2, 503: 4} {
		var refused *StatusError
		err := counted(code).CleanupDeliveries(t.Context(), Deliveries{})
		if !errors.As(err, &refused) || refused.Code != code || calls != want {
			t.Errorf("%d: got %v after %d calls, want that status after %d", code, err, calls, want)
		}
	}
	if err := fakeClient(t, &Fake{Login: "mid", Password: "secret"}, "wrong").CleanupDeliveries(t.Context(), Deliveries{}); err == nil {
		t.Error("wrong password: got no error, want 401")
	}
}

// TestPasswordStays: a redirect is not followed, so nobody else sees the password.
func TestPasswordStays(t *testing.T) {
	t.Parallel()
	seen := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen = true }))
	defer other.Close()
	client := fakeClient(t, http.RedirectHandler(other.URL, http.StatusTemporaryRedirect), "secret")
	if err := client.CleanupDeliveries(t.Context(), Deliveries{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("redirect: got %v, want an error without the password", err)
	}
	if seen {
		t.Error("redirect: got a call at the other server, want none")
	}
	for _, bad := range []string{"", "ftp://x", "http://example.com", "https://user:pw@example.com", "mid.example.com"} {
		if _, err := New(Account{URL: bad}); err == nil {
			t.Errorf("address %q: got no error, want a refusal", bad)
		}
	}
}
