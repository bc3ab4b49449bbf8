package delivery

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/external/interaction"
	"nightshift/jobs/nms"
)

// subscriber is an execution instance with what it has heard of one live environment.
type subscriber struct {
	account string // internal name
	live    int64
	option  string
	since   time.Time
}

// send hands to every execution instance what changed in each live environment since it was last
// synchronised. An instance that cannot be reached keeps its date; the others go on.
func (p *publication) send(ctx context.Context) error {
	all, err := p.subscribers(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for i, s := range all {
		p.Progress(int64(i), int64(len(all)), "instances")
		err := p.synchronise(ctx, s)
		if errors.Is(err, interaction.ErrIncomplete) && !s.since.IsZero() {
			p.Warn("Execution instance '%s' lacks objects that it was sent before: it is sent everything", s.account)
			s.since = time.Time{}
			err = p.synchronise(ctx, s)
		}
		if stopped := p.Checkpoint(ctx); stopped != nil {
			return stopped
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	p.Progress(int64(len(all)), int64(len(all)), "instances")
	return joined(failed)
}

// subscribers are the execution instances, each for every live environment that was designed here: what another instance
// brought is not passed on, or two instances that send to each other would never end.
func (p *publication) subscribers(ctx context.Context) ([]subscriber, error) {
	var all []subscriber
	err := p.Query(ctx, func(rows pgx.Rows) error {
		var s subscriber
		var since *time.Time
		if err := rows.Scan(&s.account, &s.live, &s.option, &since); err != nil {
			return err
		}
		if since != nil {
			s.since = *since
		}
		all = append(all, s)
		return nil
	}, `
		SELECT a.internal_name, l.id, named.option, o.timestamp_value
		FROM nms.ext_account a
		CROSS JOIN nms.offer_env l
		CROSS JOIN LATERAL (SELECT 'NmsInteraction_LastOfferEnvSynch_' || l.id || '_' || a.id) AS named (option)
		LEFT JOIN xtk.option o ON o.name = named.option
		WHERE a.type = 'execution_instance'
		  AND a.active
		  AND a.params ->> 'use_interaction' = 'true'
		  AND l.kind = 'live'
		  AND l.emitter_account_id IS NULL
		ORDER BY a.internal_name, l.id`)
	if err != nil {
		return nil, fmt.Errorf("execution instances: %w", err)
	}
	return all, nil
}

// synchronise sends one instance what it has not heard of, and then notes that it has. What is sent can be sent again, so
// each try has a key of its own.
func (p *publication) synchronise(ctx context.Context, s subscriber) error {
	c, err := p.changed(ctx, s)
	if err != nil {
		return fmt.Errorf("what execution instance '%s' has not heard of: %w", s.account, err)
	}
	if c.Objects() == 0 {
		return nil
	}
	account, _, err := instanceAccount(ctx, p.Run, s.account)
	if err != nil {
		return err
	}
	sent := p.Simulated()
	effect := fmt.Sprintf("send %d objects of %s to execution instance '%s'", c.Objects(), c.Environment.Name, s.account)
	if err := p.Once(ctx, "offer catalogue "+rand.Text(), effect, func(ctx context.Context) error {
		client, err := interaction.New(account, p.Waits())
		if err != nil {
			return err
		}
		err = client.Send(ctx, c)
		sent = err == nil
		return err
	}); err != nil || !sent {
		return nms.AccountUsed(ctx, p.Run, s.account, err)
	}
	if err := p.Tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO xtk.option (name, data_type, timestamp_value)
			VALUES ($1, 'timestamp', $2)
			ON CONFLICT (name) DO UPDATE
			SET timestamp_value = excluded.timestamp_value`, s.option, p.Now())
		if err != nil {
			return err
		}
		return nms.AccountWorks(ctx, tx, s.account)
	}); err != nil {
		return fmt.Errorf("note the synchronisation: %w", err)
	}
	if !p.Simulated() {
		p.line("Execution instance '%s': %d objects sent", s.account, c.Objects())
	}
	return nil
}

// changed builds the package of what changed in a live environment, under names that begin with the account's.
func (p *publication) changed(ctx context.Context, s subscriber) (interaction.Catalogue, error) {
	c := interaction.Catalogue{Prefix: s.account + "_", Categories: []interaction.Category{}, Spaces: []interaction.Space{}, Offers: []interaction.Offer{}}
	args := pgx.NamedArgs{"live": s.live, "since": s.since, "prefix": c.Prefix}
	for _, part := range []struct {
		scan func(pgx.Rows) error
		sql  string
	}{
		{func(rows pgx.Rows) error { return rows.Scan(&c.Environment) }, sentEnvironment},
		{func(rows pgx.Rows) error { return appended(rows, &c.Categories) }, sentCategories},
		{func(rows pgx.Rows) error { return appended(rows, &c.Spaces) }, sentSpaces},
		{func(rows pgx.Rows) error { return appended(rows, &c.Offers) }, sentOffers},
	} {
		if err := p.Query(ctx, part.scan, part.sql, args); err != nil {
			return c, err
		}
	}
	return c, nil
}

// appended reads a row of one JSON column to the end of a list.
func appended[T any](rows pgx.Rows, list *[]T) error {
	var one T
	err := rows.Scan(&one)
	*list = append(*list, one)
	return err
}
