package db_test

import (
	"math"
	"testing"

	"nightshift/db"
)

func TestMessageLink(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]db.MessageLink{
		"h787bc0,281a4d8,281a4da": {BroadLog: 0x787bc0, Delivery: 0x281a4d8, URL: 0x281a4da},
		"t0,1,1":                  {Text: true, Delivery: 1, URL: 1},
		"h7fffffffffffffff,7fffffffffffffff,7fffffffffffffff": {BroadLog: math.MaxInt64, Delivery: math.MaxInt64, URL: math.MaxInt64},
	} {
		if got, ok := db.ParseMessageLink(text); !ok || got != want || got.String() != text {
			t.Errorf("%s: got %+v, %v, written %s, want %+v", text, got, ok, got, want)
		}
	}
	for _, text := range []string{"", "h", "h,,", "h1,2", "h1,2,3,", "h1,2,3,4", "1,2,3", "x1,2,3", "h1,2,g", "h1,-2,3", "h1,+2,3", "h 1,2,3", "h1,2,8000000000000000"} {
		if got, ok := db.ParseMessageLink(text); ok {
			t.Errorf("%q: got %+v, want no link", text, got)
		}
	}
}

// A signature holds for one link of one instance.
func TestLinkSignature(t *testing.T) {
	t.Parallel()
	var one, other db.DB
	one.UseKey([]byte("the key of one instance, 32 bytes"))
	other.UseKey([]byte("the key of another one, 32 bytes."))
	link := db.MessageLink{BroadLog: 1, Delivery: 2, URL: db.MirrorURL}
	signature, err := one.SignLink(link)
	if err != nil || len(signature) != 20 {
		t.Fatalf("got %q, %v, want 20 characters", signature, err)
	}
	if !one.LinkSigned(link, signature) {
		t.Error("its own signature: want it to hold")
	}
	if other.LinkSigned(link, signature) || one.LinkSigned(link, "") || one.LinkSigned(db.MessageLink{BroadLog: 2, Delivery: 2, URL: db.MirrorURL}, signature) {
		t.Error("another instance, no signature, another message: want none to hold")
	}
	path, err := one.LinkPath(db.MessageLink{BroadLog: 1, Delivery: 2, URL: 2000}, "a&b", "김")
	if want := "/r/?id=h1,2,7d0&p1=a%26b&p2=%EA%B9%80"; err != nil || path != want {
		t.Errorf("got %q, %v, want %q", path, err, want)
	}
	if path, err = one.LinkPath(link); err != nil || path != "/r/?id=h1,2,6&s="+signature {
		t.Errorf("got %q, %v, want the signature in it", path, err)
	}
}

func FuzzParseMessageLink(f *testing.F) {
	f.Add("h787bc0,281a4d8,281a4da")
	f.Fuzz(func(t *testing.T, text string) {
		if link, ok := db.ParseMessageLink(text); ok {
			if again, ok := db.ParseMessageLink(link.String()); !ok || again != link {
				t.Errorf("%q: got %+v, want %+v", text, again, link)
			}
		}
	})
}
