package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs/external/smtp/fake"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// office is a database with a mail server beside it.
type office struct {
	*testing.T
	d    *db.DB
	mail *fake.Server
}

func newOffice(t *testing.T) office {
	t.Helper()
	o := office{t, dbtest.New(t), fake.Start(t, fake.Settings{Login: "night", Password: "s3cret"})}
	o.d.UseKey([]byte("a key of thirty-two bytes at least"))
	return o
}

// account makes the mail account.
func (o office) account() {
	o.Helper()
	sealed, err := o.d.Seal("mail", o.mail.Password)
	if err != nil {
		o.Fatal(err)
	}
	o.exec(`
		INSERT INTO nms.ext_account (id, internal_name, label, type, server, port, account, secret, encryption, params)
		VALUES (1, 'mail', 'Mail', 'tech_smtp', $1, $2, $3, $4, 'starttls',
		        jsonb_build_object('from', 'Nightshift <ops@nightshift.test>', 'authority', $5::text))`,
		o.mail.Host, o.mail.Port, o.mail.Login, sealed, string(o.mail.PEM))
}

// write puts mails to these people into the outbox.
func (o office) write(to ...string) {
	o.Helper()
	for _, address := range to {
		o.exec(`
			INSERT INTO nms.notification (effect_key, workflow_name, to_address, subject, body_text)
			VALUES ('test:' || $1, 'cleanup', $1, 'Workflow cleanup has failed', 'Step: lists')`, address)
	}
}

// start runs an outbox until the test ends, or until the function it returns is called.
func (o office) start() (end func()) {
	o.Helper()
	box := New(Config{DB: o.d, Node: "node", Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.WithoutCancel(o.Context()))
	ended := make(chan struct{})
	go func() { _ = box.Run(ctx); close(ended) }()
	end = func() { cancel(); <-ended }
	o.Cleanup(end)
	return end
}

func (o office) exec(sql string, args ...any) {
	o.Helper()
	if _, err := o.d.Pool.Exec(o.Context(), sql, args...); err != nil {
		o.Fatalf("%s: %v", sql, err)
	}
}

// text reads one value as text.
func (o office) text(sql string, args ...any) string {
	o.Helper()
	var s string
	if err := o.d.Pool.QueryRow(o.Context(), `SELECT COALESCE((`+sql+`)::text, '')`, args...).Scan(&s); err != nil {
		o.Fatalf("%s: %v", sql, err)
	}
	return s
}

// until waits for a value to become what is wanted.
func (o office) until(want, sql string, args ...any) {
	o.Helper()
	deadline, got := time.Now().Add(patience), ""
	for time.Now().Before(deadline) {
		if got = o.text(sql, args...); got == want {
			return
		}
		<-time.After(3 * time.Millisecond)
	}
	o.Fatalf("%s: got %q, want %q", sql, got, want)
}

const (
	// idle counts the senders that have looked for work and wait for the bell.
	idle = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nightshift outbox mail node'
		AND state = 'idle' AND query LIKE '%next_try_at%' AND datname = current_database()`
	states = `SELECT string_agg(state, ' ' ORDER BY id) FROM nms.notification`
	lines  = `SELECT string_agg(level || ': ' || message, E'\n' ORDER BY id) FROM xtk.workflow_log`
)

// Both senders show that they work, with and without something to send.
func TestSignsOfLife(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.exec(`INSERT INTO xtk.engine_node (id, name, host, pid, version) VALUES (7, 'node', 'h', 1, 'v')`)
	if err := o.d.UseNode(t.Context(), 7); err != nil {
		o.Fatal(err)
	}
	o.start()
	o.until("mail webhook", `SELECT string_agg(module, ' ' ORDER BY module) FROM xtk.node_module WHERE node_id = 7`)
}

// A mail is on its way as soon as its transaction commits, with its file, and once.
func TestSendsAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.account()
	o.start()
	o.until("1", idle)
	began := time.Now()
	o.exec(`
		INSERT INTO nms.notification (effect_key, workflow_name, to_address, subject, body_text, body_html, attachment_name, attachment_type, attachment)
		VALUES ('billing:1', 'billing', 'kim@example.com', '활동 보고서', 'text', '<p>html</p>', 'report.csv', 'text/csv; charset=utf-8', 'a,b')`)
	o.until("sent", states)
	// Without the bell it is found after 20 s.
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("got the mail sent after %s, want at once: the bell does not ring", took)
	}
	got := o.mail.Received()
	if len(got) != 1 || got[0].To != "kim@example.com" || !strings.Contains(got[0].Text, `filename="report.csv"`) {
		t.Fatalf("got %+v, want one mail to kim with its file", got)
	}
	o.until("true", `SELECT attempts = 1 AND sent_at IS NOT NULL AND answer LIKE '%queued%' AND last_error IS NULL FROM nms.notification`)
	o.until("true", `SELECT last_ok IS NOT NULL AND last_error IS NULL FROM nms.ext_account`)
	if got := o.text(lines); got != "" {
		t.Errorf("the workflow's log: got %q, want nothing", got)
	}
}

// Without an account mails wait; the account that is made later sends them, but nothing of last week.
func TestWaitsForAnAccount(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.write("a@example.com", "b@example.com")
	o.exec(`UPDATE nms.notification SET next_try_at = now() - interval '8 days' WHERE to_address = 'a@example.com'`)
	end := o.start()
	o.until("1", idle)
	if got := o.text(states); got != "pending pending" {
		t.Fatalf("without an account: got %q, want both pending", got)
	}
	end()
	o.account()
	o.start()
	o.until("error sent", states)
	o.until("true", `SELECT string_agg(message, '') LIKE 'Message 1 (Workflow cleanup has failed) was not sent: it waited for more than seven days%' FROM xtk.workflow_log`)
	// Whoever has it repeated gets it sent.
	o.exec(`UPDATE nms.notification SET state = 'pending', tries_left = 6, next_try_at = now() WHERE id = 1`)
	o.exec(`NOTIFY nightshift_outbox`)
	o.until("sent sent", states)
}

// What is refused for now is tried again after 1, 5 and 30 minutes, 2 and 6 hours and then given up; what is refused for
// good is given up at once. The workflow keeps its state and gets a warning.
func TestRefusedMails(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.account()
	before := o.text(`SELECT state || failed FROM xtk.workflow WHERE internal_name = 'cleanup'`)
	o.write("soft@example.com", "hard@example.com", "kim@example.com", "nobody")
	o.start()
	o.until("pending error sent error", states)
	for i, pause := range []string{"1 minute", "5 minutes", "30 minutes", "2 hours", "6 hours"} {
		o.until(fmt.Sprint(i+1, " ", true), `
			SELECT attempts || ' ' || (abs(extract(epoch FROM next_try_at - now() - $1::interval)) < 25)
			FROM nms.notification WHERE id = 1`, pause)
		o.exec(`UPDATE nms.notification SET next_try_at = now() WHERE id = 1`)
		o.exec(`NOTIFY nightshift_outbox`)
	}
	o.until("error error sent error", states)
	o.until("6", `SELECT attempts FROM nms.notification WHERE id = 1`)
	if got := o.text(`SELECT state || failed FROM xtk.workflow WHERE internal_name = 'cleanup'`); got != before {
		t.Errorf("the workflow: got %s, want %s", got, before)
	}
	got := o.text(lines)
	for _, want := range []string{"warning: Message 1 (Workflow cleanup has failed) was not sent: 451 4.7.1 Greylisted",
		"warning: Message 2 (Workflow cleanup has failed) was not sent: 550 5.1.1 <…> no such user",
		"warning: Message 4 (Workflow cleanup has failed) was not sent: the receiver is not an address"} {
		if !strings.Contains(got, want) {
			t.Errorf("the workflow's log lacks %q:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n") + 1; n != 3 {
		t.Errorf("the workflow's log: got %d lines, want one for each mail given up:\n%s", n, got)
	}
}

// A server that closes the connection between two mails costs the first a minute and the second nothing.
func TestGoesOnOverANewConnection(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.account()
	o.write("closing@example.com", "kim@example.com")
	o.start()
	o.exec(`NOTIFY nightshift_outbox`)
	o.until("pending sent", states)
}

// An account that cannot be reached puts all its mails off together, and says why.
func TestUnreachableServer(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.account()
	o.exec(`UPDATE nms.ext_account SET account = 'somebody'`)
	o.write("a@example.com", "b@example.com", "c@example.com")
	o.exec(`UPDATE nms.notification SET tries_left = 1 WHERE id = 3`)
	o.start()
	o.until("pending pending error", states)
	o.until("1 1 1", `SELECT string_agg(attempts::text, ' ' ORDER BY id) FROM nms.notification`)
	o.until("true", `SELECT last_error LIKE '%535%' AND last_error_at IS NOT NULL AND last_ok IS NULL FROM nms.ext_account`)
	if got := o.text(`SELECT string_agg(last_error, '') FROM nms.notification`) + o.text(lines); strings.Contains(got, "s3cret") {
		t.Errorf("the password is told: %s", got)
	}
	if len(o.mail.Received()) != 0 {
		t.Error("got mails, want none")
	}
}

// Two nodes on one database send each mail once.
func TestTwoSenders(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.account()
	o.start()
	o.start()
	var to []string
	for i := range 60 {
		to = append(to, fmt.Sprintf("p%d@example.com", i))
	}
	o.write(to...)
	o.until("60", `SELECT count(*) FROM nms.notification WHERE state = 'sent' AND attempts = 1`)
	seen := map[string]int{}
	for _, m := range o.mail.Received() {
		seen[m.To]++
	}
	for _, address := range to {
		if seen[address] != 1 {
			t.Errorf("%s: got %d mails, want 1", address, seen[address])
		}
	}
}

// A sender that is lost before, while and after it hands a mail over: what was begun ends unknown and is never repeated
// by itself; what was not begun is sent by the next one.
func TestCrashSweep(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"claimed", "handed over", "answered"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.account()
			o.write("first@example.com", "second@example.com")
			box := New(Config{DB: o.d, Node: "lost", Logger: slog.New(slog.DiscardHandler)})
			s := &sender{outbox: box, channel: box.channels()[0]}
			lost := o.session(s)
			var mine bool
			if err := lost.QueryRow(t.Context(), `SELECT pg_try_advisory_lock($1, 0)`, db.LockOutbox).Scan(&mine); err != nil || !mine {
				t.Fatalf("lane: got %t, %v", mine, err)
			}
			m, err := s.claim(t.Context(), lane{})
			if err != nil {
				t.Fatal(err)
			}
			if moment != "claimed" {
				account, err := o.d.MailAccount(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				c, err := box.dialMail(t.Context(), account)
				if err != nil {
					t.Fatal(err)
				}
				defer c.close()
				if moment == "handed over" {
					o.mail.OnData(func(string) {
						o.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1`, lost.PgConn().PID())
					})
				}
				if r := s.hand(t.Context(), c, m); r.failure != nil {
					t.Fatal(r.failure)
				}
			}
			o.mail.OnData(nil)
			// As long as the lost one holds the lane, its mail is its own.
			if moment != "handed over" {
				o.start()
				o.until("1", idle)
				if got := o.text(states); got != "sending pending" {
					t.Fatalf("while the sender lives: got %q, want sending pending", got)
				}
			}
			// The server notices a moment later; a bell before that would find the lane still taken.
			pid := lost.PgConn().PID()
			_ = lost.Close(t.Context())
			o.until("0", `SELECT count(*) FROM pg_stat_activity WHERE pid = $1`, pid)
			if moment == "handed over" {
				o.start()
			}
			o.exec(`NOTIFY nightshift_outbox`)
			o.until("unknown sent", states)
			o.until("1", `SELECT count(*) FROM xtk.workflow_log WHERE level = 'warning' AND message LIKE 'Message 1 % may or may not have been sent: the process that was sending it was lost'`)
			o.exec(`NOTIFY nightshift_outbox`)
			o.write("third@example.com")
			o.until("unknown sent sent", states)
			want := 1
			if moment == "claimed" {
				want = 0
			}
			if first := o.copies("first@example.com"); first != want {
				t.Errorf("got the mail %d times, want %d", first, want)
			}
			// The process was only cut off from the database: its late word is the truth, once.
			if moment == "answered" {
				s.session = nil
				o.session(s)
				if err := s.record(t.Context(), result{message: m, answer: "250 late"}); err != nil {
					t.Fatal(err)
				}
				o.until("sent sent sent", states)
			}
		})
	}
}

// copies counts the mails that came to an address.
func (o office) copies(to string) (n int) {
	for _, m := range o.mail.Received() {
		if m.To == to {
			n++
		}
	}
	return n
}

// session gives a sender a session of its own, outside its loop.
func (o office) session(s *sender) *pgx.Conn {
	o.Helper()
	conn, err := pgx.ConnectConfig(o.Context(), o.d.Pool.Config().ConnConfig)
	if err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() { _ = conn.Close(context.WithoutCancel(o.Context())) })
	s.session = conn
	return conn
}

// A connection that ends after the last byte of a mail leaves its result unknown; nobody repeats it.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.account()
	o.write("gone@example.com", "kim@example.com")
	o.start()
	o.until("unknown sent", states)
	o.exec(`NOTIFY nightshift_outbox`)
	o.write("lee@example.com")
	o.until("unknown sent sent", states)
	if n := len(o.mail.Received()); n != 3 {
		t.Errorf("got %d mails at the server, want 3: none twice", n)
	}
}

// A database that goes away for a while is waited for.
func TestLostSession(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.account()
	o.start()
	const session = `FROM pg_stat_activity WHERE application_name = 'nightshift outbox mail node' AND datname = current_database()`
	o.until("1", `SELECT count(*) `+session)
	o.exec(`SELECT pg_terminate_backend(pid) ` + session)
	o.write("kim@example.com")
	o.until("sent", states)
}
