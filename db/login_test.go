package db_test

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
)

const password = "seven purple lanterns"

var home, away = netip.MustParseAddr("10.4.2.18"), netip.MustParseAddr("192.0.2.7")

// firstAdministrator sets the instance up for kim.
func firstAdministrator(t *testing.T, d *db.DB) db.Actor {
	t.Helper()
	token, err := d.NewSetupToken(t.Context())
	if err != nil || token == "" {
		t.Fatalf("set-up token: got %q, %v", token, err)
	}
	o, err := d.SetUp(t.Context(), db.Actor{IP: home}, token, db.FirstAdministrator{Login: "kim", Label: "Kim Minji", Password: password})
	if err != nil {
		t.Fatalf("set up: %v", err)
	}
	return o.Actor(home)
}

func signIn(t *testing.T, d *db.DB, login, password string, from netip.Addr) error {
	t.Helper()
	_, err := d.SignIn(t.Context(), db.Attempt{Login: login, Password: password, IP: from})
	return err
}

func TestSetUpOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if _, err := d.SetUp(t.Context(), db.Actor{}, "guessed", db.FirstAdministrator{Login: "eve", Password: password}); !errors.Is(err, db.ErrToken) {
		t.Errorf("a guessed token: got %v, want ErrToken", err)
	}
	second, _ := d.NewSetupToken(t.Context())
	kim := firstAdministrator(t, d)
	if !kim.Has(db.Administration) || !kim.Has("WORKFLOW") {
		t.Errorf("the first administrator has %v, want ADMINISTRATION and with it all", kim.Rights)
	}
	if needed, err := d.NeedsSetup(t.Context()); needed || err != nil {
		t.Errorf("needs set-up afterwards: got %t, %v; want false", needed, err)
	}
	if _, err := d.SetUp(t.Context(), db.Actor{}, second, db.FirstAdministrator{Login: "eve", Password: password}); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("a second set-up: got %v, want ErrNotFound", err)
	}
	if token, err := d.NewSetupToken(t.Context()); token != "" || err != nil {
		t.Errorf("a new token afterwards: got %q, %v; want none", token, err)
	}
}

func TestSetUpTokenEnds(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	token, _ := d.NewSetupToken(t.Context())
	if _, err := d.Pool.Exec(t.Context(), `UPDATE xtk.setup_token SET expiration = now()`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.CheckToken(t.Context(), "setup", token); !errors.Is(err, db.ErrToken) {
		t.Errorf("a token past its end: got %v, want ErrToken", err)
	}
}

func TestSignInAnswersAlike(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	kim := firstAdministrator(t, d)
	lee, err := d.AddOperator(t.Context(), kim, db.OperatorEdit{Login: "lee"})
	if err != nil {
		t.Fatal(err)
	}
	if err := signIn(t, d, "KIM", password, home); err != nil {
		t.Errorf("right password: got %v", err)
	}
	link, _ := d.ResetLink(t.Context(), kim, lee.ID)
	if err := d.ResetPassword(t.Context(), db.Actor{IP: away}, link, password); err != nil {
		t.Fatal(err)
	}
	if _, err := d.EditOperator(t.Context(), kim, lee.ID, db.OperatorEdit{Disabled: true}); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"unknown login":        signIn(t, d, "nobody-known", password, home),
		"wrong password":       signIn(t, d, "kim", "seven purple lantern", home),
		"no password set":      signIn(t, d, "billing", password, home),
		"disabled":             signIn(t, d, "lee", password, home),
		"the dummy's password": signIn(t, d, "webapp", "", home),
	} {
		if !errors.Is(err, db.ErrSignIn) || err.Error() != db.ErrSignIn.Error() {
			t.Errorf("%s: got %v, want %v", what, err, db.ErrSignIn)
		}
	}
	// People type passwords into the login field.
	for _, table := range []string{"login_attempt", "audit", "operator"} {
		var found bool
		if err := d.Pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM xtk.`+table+` r WHERE r::text LIKE '%nobody-known%' OR r::text LIKE '%lantern%')`).Scan(&found); err != nil || found {
			t.Errorf("xtk.%s holds an unknown login or a password (%v)", table, err)
		}
	}
}

// Five failures of a login from an address make it wait there; elsewhere its owner still gets in. All of it is in the
// database, so another process, or this one restarted, knows it too.
func TestSignInThrottled(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	firstAdministrator(t, d)
	var tries sync.WaitGroup
	for range 5 {
		tries.Go(func() {
			if err := signIn(t, d, "kim", "wrong wrong wrong", away); !errors.Is(err, db.ErrSignIn) {
				t.Errorf("a wrong password: got %v, want ErrSignIn", err)
			}
		})
	}
	tries.Wait()
	other, err := db.Open(t.Context(), d.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	var wait *db.Throttled
	if err := signIn(t, other, "kim", password, away); !errors.As(err, &wait) || wait.Wait < 14*time.Minute || wait.Wait > 15*time.Minute {
		t.Errorf("the sixth try, right: got %v, want to wait 15 minutes", err)
	}
	if err := signIn(t, d, "kim", password, home); err != nil {
		t.Errorf("the owner from elsewhere: got %v", err)
	}
	if _, err := d.Pool.Exec(t.Context(), `UPDATE xtk.login_attempt SET created = created - interval '15 minutes'`); err != nil {
		t.Fatal(err)
	}
	if err := signIn(t, d, "kim", password, away); err != nil {
		t.Errorf("15 minutes later: got %v", err)
	}
	rows, _, err := d.AuditRows(t.Context(), db.AuditFilter{Search: "throttled", Limit: 10})
	if err != nil || len(rows) != 1 || rows[0].Allowed {
		t.Errorf("audit of the refused try: got %d rows, %v; want one refusal", len(rows), err)
	}
}

func TestSignInThrottledByAddressAndLogin(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	firstAdministrator(t, d)
	fail := func(sql string) {
		t.Helper()
		if _, err := d.Pool.Exec(t.Context(), `
			INSERT INTO xtk.login_attempt (login, ip, success, reason, created) `+sql); err != nil {
			t.Fatal(err)
		}
	}
	fail(`SELECT 'x' || n, inet '192.0.2.7', false, 'wrong password', now() - interval '5 minutes' FROM generate_series(1, 30) n`)
	var wait *db.Throttled
	if err := signIn(t, d, "kim", password, away); !errors.As(err, &wait) || wait.Wait > 10*time.Minute {
		t.Errorf("after 30 failures of the address: got %v, want to wait 10 minutes", err)
	}
	if err := signIn(t, d, "kim", password, home); err != nil {
		t.Errorf("from home: got %v", err)
	}
	fail(`SELECT 'kim', ('198.51.100.' || n)::inet, false, 'wrong password', now() - interval '5 seconds' FROM generate_series(1, 60) n`)
	fresh := netip.MustParseAddr("203.0.113.9")
	if err := signIn(t, d, "kim", password, fresh); !errors.As(err, &wait) || wait.Wait > 30*time.Second {
		t.Errorf("after 60 failures of the login, from a new address: got %v, want to wait 30 s at most", err)
	}
	if err := signIn(t, d, "kim", password, home); err != nil {
		t.Errorf("from an address the owner used before: got %v, want no wait", err)
	}
}

// Who has an IPv6 address has a network of them: its failures count together, those of the next network do not.
func TestSignInThrottledByNetwork(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	firstAdministrator(t, d)
	if _, err := d.Pool.Exec(t.Context(), `
		INSERT INTO xtk.login_attempt (login, ip, success, reason)
		SELECT 'x' || n, ('2001:db8:0:7::' || to_hex(n * 2000))::inet, false, 'wrong password' FROM generate_series(1, 30) n`); err != nil {
		t.Fatal(err)
	}
	var wait *db.Throttled
	for _, within := range []string{"2001:db8:0:7::", "2001:db8:0:7:ffff:ffff:ffff:ffff"} {
		if err := signIn(t, d, "kim", password, netip.MustParseAddr(within)); !errors.As(err, &wait) {
			t.Errorf("from %s: got %v, want to wait", within, err)
		}
	}
	for _, outside := range []string{"2001:db8:0:6:ffff:ffff:ffff:ffff", "2001:db8:0:8::"} {
		if err := signIn(t, d, "kim", password, netip.MustParseAddr(outside)); err != nil {
			t.Errorf("from %s: got %v, want no wait", outside, err)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	for _, good := range []string{password, "correct horse battery", "비밀번호는 길어야 좋습니다", "x9!Lm2#qTz8&", "Tr4mway under the elm", strings.Repeat("ab1 cd2-", 15) + "z"} {
		if err := db.CheckPassword(good, "kim", "kim@example.com"); err != nil {
			t.Errorf("%q: got %v, want it accepted", good, err)
		}
	}
	for _, bad := range []string{"", "short", "elevenchars", strings.Repeat("long ", 26), "password1234", "P4ssw0rd!2026", "qwertyuiop12",
		"123456789012", "aaaaaaaaaaaa", "abcabcabcabc", "administrator1", "campaignadmin", "Nightshift2026!", "workflow-admin-1",
		"adobecampaign1", "iloveyou12345", "qwertyuiopas", "abcdefghijkl", "kimkim123456", "kim@example.com1", "letmeinletmein"} {
		if err := db.CheckPassword(bad, "kim", "kim@example.com"); err == nil {
			t.Errorf("%q: got it accepted, want it refused", bad)
		}
	}
}

func TestPasswordHash(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	kim := firstAdministrator(t, d)
	stored := func() (hash string) {
		if err := d.Pool.QueryRow(t.Context(), `SELECT password_hash FROM xtk.operator WHERE id = $1`, kim.ID).Scan(&hash); err != nil {
			t.Fatal(err)
		}
		return hash
	}
	const want = "$argon2id$v=19$m=19456,t=2,p=1$"
	if got := stored(); !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	// The same password, hashed with 12 MiB and an all-zero salt.
	weak := "$argon2id$v=19$m=12288,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + db.WeakSum(password)
	if _, err := d.Pool.Exec(t.Context(), `UPDATE xtk.operator SET password_hash = $2 WHERE id = $1`, kim.ID, weak); err != nil {
		t.Fatal(err)
	}
	if err := signIn(t, d, "kim", password, home); err != nil {
		t.Fatalf("with the weaker hash: got %v", err)
	}
	if got := stored(); !strings.HasPrefix(got, want) {
		t.Errorf("after a sign-in with the weaker hash: got %q, want it renewed", got)
	}
	long := strings.Repeat("a long phrase, ", 6) + "the end: "
	if err := d.ChangePassword(t.Context(), kim, password, long+"1"); err != nil {
		t.Fatal(err)
	}
	if err := signIn(t, d, "kim", long+"2", home); !errors.Is(err, db.ErrSignIn) {
		t.Errorf("a password that differs in its last character: got %v, want ErrSignIn", err)
	}
}

// At most four hashes are computed at once; who waits longer than five seconds is told to come back, and the attempt
// that was not looked at still counts, so that a flood gains nothing.
func TestHashingIsBounded(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	firstAdministrator(t, d)
	leave := d.OccupyHashing()
	if err := signIn(t, d, "kim", password, home); !errors.Is(err, db.ErrBusy) {
		t.Errorf("with all places taken: got %v, want ErrBusy", err)
	}
	leave()
	if err := signIn(t, d, "kim", password, home); err != nil {
		t.Errorf("with the places free: got %v", err)
	}
}
