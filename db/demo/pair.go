package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// Pair is two instances of the demo: one of marketing, and one that carries its deliveries and executes its offers. Nothing is really sent: what
// becomes of the messages is invented, and the names of the instances say so.
type Pair struct {
	Marketing, Mid *db.DB
	MidURL         string

	caller db.Caller
}

const (
	pairLogin   = "mid"
	pairAccount = "defaultEmailMid"
	// offersLogin signs on there for the offers that the account sends.
	offersLogin   = "offers"
	offersAccount = "demoExecution"
	// pairMessages is how many messages a delivery of the pair has.
	pairMessages = 600
)

// Join makes the two a pair: names, operators there, external accounts here, and the workflows between them at every minute.
// It may be called at every start; the operators then get a new password.
func (p *Pair) Join(ctx context.Context) error {
	password := rand.Text()
	if err := p.joinMid(ctx, password); err != nil {
		return fmt.Errorf("demo pair: mid-sourcing instance: %w", err)
	}
	if err := p.joinMarketing(ctx, password); err != nil {
		return fmt.Errorf("demo pair: marketing instance: %w", err)
	}
	return nil
}

func (p *Pair) joinMid(ctx context.Context, password string) error {
	here := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	d, actor := p.Mid, db.Actor{Login: "demo", IP: here, Rights: []string{db.Administration}}
	for _, o := range []db.OperatorEdit{
		{Login: pairLogin, Label: "Marketing instance", Groups: []string{"midSourcing"}},
		{Login: offersLogin, Label: "Offers of the marketing instance", Groups: []string{"interactionSynch"}},
	} {
		if err := admit(ctx, d, actor, o, password); err != nil {
			return err
		}
	}
	token, _, err := d.Logon(ctx, db.Attempt{Login: pairLogin, Password: password, IP: here, Route: "demo-pair"})
	if err != nil {
		return err
	}
	if p.caller, err = d.Bearer(ctx, token.Token, here); err != nil {
		return err
	}
	return run(ctx, d, map[string][]any{
		`INSERT INTO xtk.option (name, data_type, string_value) VALUES ('XtkInstanceName', 'string', 'Mid-sourcing demo, sending is invented')
		 ON CONFLICT (name) DO UPDATE SET string_value = excluded.string_value`: nil,
		`UPDATE xtk.option SET string_value = 'mid' WHERE name = 'XtkInstanceType'`: nil,
		`INSERT INTO nms.broad_log_msg (md5, text_normalized, failure_type, failure_reason, qualif_status)
		 SELECT md5(text), text, kind, reason, 'keep' FROM (VALUES ($1, 'hard', 1), ($2, 'soft', 5)) AS t (text, kind, reason)
		 ON CONFLICT (md5) DO NOTHING`: {userUnknown, mailboxFull},
		everyMinute: {[]string{"deliveryIndicators"}},
	})
}

// admit makes an operator where there is none of this login, and sets the password.
func admit(ctx context.Context, d *db.DB, actor db.Actor, edit db.OperatorEdit, password string) error {
	o, err := d.OperatorByLogin(ctx, edit.Login)
	if errors.Is(err, db.ErrNotFound) {
		o, err = d.AddOperator(ctx, actor, edit)
	}
	if err != nil {
		return err
	}
	link, err := d.ResetLink(ctx, actor, o.ID)
	if err != nil {
		return err
	}
	return d.ResetPassword(ctx, actor, link, password)
}

func (p *Pair) joinMarketing(ctx context.Context, password string) error {
	sealed, err := p.Marketing.Seal(pairAccount, password)
	if err != nil {
		return err
	}
	offers, err := p.Marketing.Seal(offersAccount, password)
	if err != nil {
		return err
	}
	return run(ctx, p.Marketing, map[string][]any{
		`INSERT INTO xtk.option (name, data_type, string_value) VALUES ('XtkInstanceName', 'string', 'Marketing demo')
		 ON CONFLICT (name) DO UPDATE SET string_value = excluded.string_value`: nil,
		`UPDATE nms.ext_account SET server = $2, account = $3, secret = $4, active = true WHERE internal_name = $1`: {pairAccount, p.MidURL, pairLogin, sealed},
		`INSERT INTO nms.ext_account (internal_name, label, type, server, account, secret, params)
		 VALUES ($1, 'The other instance of the demo', 'execution_instance', $2, $3, $4, '{"use_interaction": "true"}')
		 ON CONFLICT (internal_name) DO UPDATE SET server = excluded.server, account = excluded.account, secret = excluded.secret, active = true`: {
			offersAccount, p.MidURL, offersLogin, offers},
		everyMinute: {[]string{"defaultMidSourcingDlv", "defaultMidSourcingLog", "offerMgt"}},
	})
}

// everyMinute starts workflows that nobody has started yet, at every minute: in a demo, people do not wait for an hour.
const everyMinute = `
	UPDATE xtk.workflow
	SET state = 'started', schedule = '{"kind": "cron", "cron": "* * * * *"}'
	WHERE internal_name = ANY ($1)
	  AND schedule->>'cron' <> '* * * * *'`

// run executes statements that do not depend on each other.
func run(ctx context.Context, d *db.DB, statements map[string][]any) error {
	for sql, args := range statements {
		if _, err := d.Pool.Exec(ctx, sql, args...); err != nil {
			return fmt.Errorf("%.60s: %w", sql, err)
		}
	}
	return nil
}

// Run submits deliveries and lets their messages end, a few every second, until ctx ends.
func (p *Pair) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := p.Step(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("demo pair: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Step is one second of the pair: with nothing left to send, another delivery is submitted; when no category of offers has
// changed for three minutes, one does, so that there is something to publish and to send.
func (p *Pair) Step(ctx context.Context) error {
	if err := run(ctx, p.Marketing, map[string][]any{changeOffers: nil}); err != nil {
		return err
	}
	open, err := p.send(ctx)
	if err != nil || open > 1 {
		return err
	}
	return p.submit(ctx)
}

// changeOffers puts one of the designed categories before the others, or back among them.
const changeOffers = `
	UPDATE nms.offer_category c
	SET weight_multiplier = CASE c.weight_multiplier WHEN 1 THEN 2 ELSE 1 END, last_modified = now()
	FROM nms.offer_env e
	WHERE e.id = c.environment_id
	  AND e.kind = 'design'
	  AND c.internal_name = 'sport'
	  AND c.last_modified < now() - interval '3 minutes'`

// submit copies a delivery of the marketing instance to the other, as its transfer would.
func (p *Pair) submit(ctx context.Context) error {
	var id int64
	var part db.MidPart
	err := pgx.BeginFunc(ctx, p.Marketing.Pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			INSERT INTO nms.delivery (internal_name, label, delivery_mode, state, mapping_id, provider_id, to_deliver, contact_date, validity)
			SELECT 'DMmid' || to_char(clock_timestamp(), 'YYYYMMDDHH24MISSUS'), 'Carried newsletter of ' || to_char(now(), 'HH24:MI'),
			       'mid_sourcing', 'start_pending', m.id, a.id, $2, now(), now() + interval '2 days'
			FROM nms.ext_account a, nms.delivery_mapping m
			WHERE a.internal_name = $1 AND m.internal_name = 'mapRecipient'
			RETURNING id`, pairAccount, pairMessages).Scan(&id)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			INSERT INTO nms.broad_log (delivery_id, recipient_id, address)
			SELECT $1::bigint, r.id, r.email
			FROM nms.recipient r
			WHERE r.email IS NOT NULL
			  AND r.id > ($1::bigint * 611) % (SELECT max(id) - $2::int FROM nms.recipient)
			ORDER BY r.id
			LIMIT $2::int
			RETURNING id, address`, id, pairMessages)
		if err != nil {
			return err
		}
		var message int64
		var address string
		_, err = pgx.ForEachRow(rows, []any{&message, &address}, func() error {
			part.RemoteIDs, part.Addresses, part.Flags = append(part.RemoteIDs, message), append(part.Addresses, address), append(part.Flags, 0)
			return nil
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("a delivery: %w", err)
	}
	one, _, err := p.Mid.SubmitDelivery(ctx, p.caller, db.MidSubmission{EmitterID: id, Label: fmt.Sprintf("Carried newsletter %d", id), Priority: 3})
	if err != nil {
		return err
	}
	if _, _, err := p.Mid.AddPart(ctx, p.caller, one.ID, part); err != nil {
		return err
	}
	if _, err := p.Marketing.Pool.Exec(ctx, `UPDATE nms.delivery SET mid_remote_id = $2 WHERE id = $1`, id, one.ID); err != nil {
		return err
	}
	_, err = p.Mid.OrderDelivery(ctx, p.caller, db.Actor{Login: pairLogin, Route: "demo-pair"}, one.ID, db.MidStart)
	return err
}
