package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
	"nightshift/jobs/external/deliverability"
	"nightshift/jobs/external/outbound"
	"nightshift/jobs/nms"
)

// refresh is one execution of deliverabilityUpdate, and what it has learnt from the service.
type refresh struct {
	*jobs.Run
	client *deliverability.Client
	name   string               // of the external account
	sets   map[string]storedSet // by name
	// known is the version that all synchronised sets have; empty: they have to be fetched, whatever it is.
	known string

	asked   bool
	rules   *deliverability.Rules // nil once asked: those stored are still right
	checked bool
	busy    bool // the service asks to wait longer than a run waits
}

// DeliverabilityUpdate fetches the rules by which mails are sent and bounces understood, and exchanges what people have
// decided on the texts of bounces. Every instance gets the rules once, and every night when deliverability monitoring is
// installed. Rules are stored all together or not at all; whatever fails, the last good ones stay.
// Parameters: force stores rules of which more than half are gone.
func DeliverabilityUpdate(ctx context.Context, r *jobs.Run) error {
	u := &refresh{Run: r}
	account, err := u.account(ctx)
	if err != nil {
		return err
	}
	if u.client, err = deliverability.New(account, r.Waits()); err != nil {
		return err
	}
	if err := u.readSets(ctx); err != nil {
		return err
	}
	installed, err := u.monitored(ctx)
	if err != nil {
		return err
	}
	if !installed && u.initialised() {
		r.Log("nothing to do: deliverability monitoring is not installed, and the rules are here")
		return nil
	}
	if err := r.Steps(ctx, "log on", "rules", "check", "replace", "qualifications out", "qualifications in", "qualify again"); err != nil {
		return err
	}
	for _, s := range []struct {
		name string
		do   func(context.Context) error
	}{{"log on", u.logOn}, {"rules", u.tellRules}, {"check", u.check}, {"replace", u.replace}, {"qualifications out", u.sendDecisions},
		{"qualifications in", u.takeDecisions}, {"qualify again", u.qualifyAgain}} {
		if err := r.Step(ctx, s.name, u.noting(s.name, s.do)); err != nil {
			return err
		}
	}
	return nil
}

// noting has the account tell that the service let it in, or why a step could not use it.
func (u *refresh) noting(step string, do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := do(ctx)
		if err == nil && step != "log on" {
			return nil
		}
		return nms.AccountUsed(ctx, u.Run, u.name, err)
	}
}

func (u *refresh) logOn(ctx context.Context) error {
	if err := u.client.LogOn(ctx); err != nil {
		return err
	}
	u.Say("signed on as account %s", u.name)
	return nil
}

// account reads how the service is reached, and as which customer.
func (u *refresh) account(ctx context.Context) (account deliverability.Account, err error) {
	customer, _, err := u.Option(ctx, "DmRendering_cuid")
	if err != nil {
		return account, err
	}
	if account.Customer = strings.TrimSpace(customer); account.Customer == "" {
		return account, errors.New("DmRendering_cuid is not set")
	}
	var sealed []byte
	found, active := false, false
	err = u.Query(ctx, func(rows pgx.Rows) error {
		found = true
		return rows.Scan(&u.name, &account.URL, &account.ID, &sealed, &account.Authority, &active)
	}, `
		SELECT internal_name, COALESCE(server, ''), COALESCE(account, ''), secret, COALESCE(params ->> 'authority', ''), active
		FROM nms.ext_account
		WHERE type = 'deliverability'
		ORDER BY active DESC, id
		LIMIT 1`)
	switch {
	case err != nil:
		return account, fmt.Errorf("external account deliverability: %w", err)
	case !found:
		return account, errors.New("there is no external account of type deliverability")
	case !active:
		return account, errors.New("the external account deliverability is not active")
	}
	if len(sealed) > 0 {
		if account.Secret, err = u.Unseal(u.name, sealed); err != nil {
			return account, errors.New("the secret of the external account deliverability cannot be read with this instance's key")
		}
	}
	return account, nil
}

// monitored reports whether deliverability monitoring is installed.
func (u *refresh) monitored(ctx context.Context) (installed bool, err error) {
	err = u.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&installed) }, `
		SELECT EXISTS (SELECT FROM xtk.package_install WHERE name = 'deliverability')`)
	if err != nil {
		return false, fmt.Errorf("installed packages: %w", err)
	}
	return installed, nil
}

// fetch asks for the rules once a run. A run that resumes another asks anew: the steps it keeps have left nothing here.
func (u *refresh) fetch(ctx context.Context) (err error) {
	if u.asked {
		return nil
	}
	if _, forced := u.Arg("force"); forced {
		u.known = ""
	}
	if u.rules, err = u.client.Rules(ctx, u.known); err != nil {
		return err
	}
	u.asked = true
	return nil
}

func (u *refresh) tellRules(ctx context.Context) error {
	if err := u.fetch(ctx); err != nil {
		return err
	}
	if u.rules == nil {
		u.Say("rules up to date: version %s", u.known)
		return nil
	}
	u.Say("version %s, stored %s", u.rules.Version, orNone(u.known))
	return nil
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// tooBusy takes an answer of the service that it is too busy for a reason to go on tomorrow: what was exchanged is kept.
func (u *refresh) tooBusy(err error) bool {
	if u.busy = outbound.Busy(err); u.busy {
		u.Warn("%s: the rest waits for the next run", err)
	}
	return u.busy
}
