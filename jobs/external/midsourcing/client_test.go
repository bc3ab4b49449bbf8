package midsourcing_test

import (
	"net/http/httptest"
	"slices"
	"testing"

	"nightshift/jobs/external/instance"
	"nightshift/jobs/external/midsourcing"
)

func TestCleanupDeliveries(t *testing.T) {
	t.Parallel()
	fake := midsourcing.NewFake("mid", "secret")
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	client, err := midsourcing.New(instance.Account{URL: server.URL, Login: "mid", Password: "secret"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ids := midsourcing.Deliveries{RemoteIDs: []int64{9}, EmitterIDs: []int64{42}}
	for range 2 {
		if err := client.CleanupDeliveries(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
	}
	if got := fake.Removed(); len(got) != 2 || !slices.Equal(got[0].RemoteIDs, []int64{9}) || !slices.Equal(got[0].EmitterIDs, []int64{42}) {
		t.Errorf("asked to remove: got %v, want two calls with 9 for 42", got)
	}
}
