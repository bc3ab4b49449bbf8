package e2e_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"nightshift/jobs/external/smtp/fake"
	"nightshift/views/locale"
)

// Kim makes the mail account and tests it; a workflow fails at night, and the link in the mail opens the failing line.
func TestMailAccountAndFailureMail(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		server := fake.Start(t, fake.Settings{Login: "night", Password: "canary-s3cret"})
		p, d := operatorAt(t, lang)
		run := func(sql string) {
			t.Helper()
			if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		run(`UPDATE xtk.operator SET email = 'kim@example.com' WHERE login = 'kim'`)
		run(`INSERT INTO xtk.operator_group_member (group_id, operator_id)
			SELECT g.id, o.id FROM xtk.operator_group g, xtk.operator o WHERE g.internal_name = 'workflowSupervisors' AND o.login = 'kim'`)

		p.open("/accounts/new?type=tech_smtp")
		for name, value := range map[string]string{"name": "relay", "label": "Relay", "server": server.Host, "port": strconv.Itoa(server.Port),
			"from": "Nightshift <ops@example.com>", "login": "night", "secret": "wrong", "authority": string(server.PEM)} {
			p.fill(name, value)
		}
		p.press("form[action='/accounts'] button[type=submit]")
		p.press("form[action='/accounts/relay/test'] button")
		p.sees(p.says("accounts.problem_logon"))
		p.fill("secret", "canary-s3cret")
		p.press("form[action='/accounts/relay'] button[type=submit]")
		p.press("form[action='/accounts/relay/test'] button")
		p.sees(p.says("accounts.ok"))
		if page, err := p.Content(); err != nil || strings.Contains(page, "canary-s3cret") {
			t.Errorf("the page shows the secret, or cannot be read: %v", err)
		}

		run(`UPDATE xtk.operator SET email = NULL WHERE login = 'billing'`)
		run(`UPDATE nms.billing SET sent_at = NULL`)
		started(t, d, "billing")
		p.ask("billing", "run")
		await(t, patience, func() string { return "a mail to kim" }, func() bool { return len(server.Received()) > 0 })
		mail := server.Received()[0]
		text := strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(mail.Text)
		link := regexp.MustCompile(`http://localhost:\d+/runs/\d+\?line=\d+#L\d+`).FindString(text)
		if mail.To != "kim@example.com" || link == "" {
			t.Fatalf("got a mail to %s, want one to kim with a link:\n%s", mail.To, text)
		}
		p.open(link)
		if line, err := p.finds("li.marked").InnerText(); err != nil || !strings.Contains(line, "no e-mail address") {
			t.Errorf("the link opens the line %q, %v; want the one that says why", line, err)
		}
		p.open("/mail")
		p.sees(p.says("mail.state_sent"))
	})
}
