package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"nightshift/db"
	"nightshift/jobs/external/deliverability"
	"nightshift/jobs/external/instance"
	"nightshift/jobs/external/outbound"
	"nightshift/jobs/external/webhook"
)

// Try connects through an account as its workflows do, and signs on. Nothing is sent, but to a webhook a message that says
// so. An error is a *db.AccountProblem.
func (o *Outbox) Try(ctx context.Context, account db.ExtAccount) error {
	err := o.try(ctx, account)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.DeadlineExceeded
	}
	return problemOf(err)
}

func (o *Outbox) try(ctx context.Context, account db.ExtAccount) error {
	secret, err := o.config.DB.Secret(account)
	if err != nil {
		return err
	}
	switch account.Type {
	case db.AccountSMTP:
		c, err := o.dialMail(ctx, account)
		if err != nil {
			return err
		}
		c.close()
		return nil
	case db.AccountWebhook:
		return o.tryWebhook(ctx, account)
	case db.AccountMidSourcing, db.AccountExecution:
		c, err := instance.New(instance.Account{URL: account.Server, Login: account.Login, Password: secret}, nil)
		if err != nil {
			return settings(err)
		}
		return c.LogOn(ctx)
	case db.AccountDeliverability:
		c, err := deliverability.New(deliverability.Account{URL: account.Server, Authority: account.Params["authority"],
			ID: account.Login, Secret: secret}, nil)
		if err != nil {
			return settings(err)
		}
		return c.LogOn(ctx)
	}
	return settings(fmt.Errorf("accounts of type %s cannot be tested in this version", account.Type))
}

func settings(err error) error { return &db.AccountProblem{Kind: "settings", Text: err.Error()} }

// problemOf finds the kind of what went wrong, for people who read another language than the error's.
func problemOf(err error) *db.AccountProblem {
	var known *db.AccountProblem
	if errors.As(err, &known) {
		return known
	}
	var failed *failure
	if errors.As(err, &failed) && failed.account != nil {
		return failed.account
	}
	p := &db.AccountProblem{Kind: outbound.Kind(err), Text: err.Error()}
	switch {
	case errors.Is(err, webhook.ErrPrivate):
		p.Kind = "private"
	case p.Kind != "" && p.Kind != "other":
	case strings.Contains(p.Text, "STARTTLS"):
		p.Kind = "encryption"
	case p.Text == "HTTP 401", p.Text == "HTTP 403", strings.Contains(p.Text, ": 535 "), strings.Contains(p.Text, "AUTH"):
		p.Kind = "logon"
	default:
		p.Kind = "other"
	}
	return p
}
