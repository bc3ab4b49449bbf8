package delivery

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// offerEnv is a design environment with the live environment that it is published to.
type offerEnv struct {
	design, live int64
	label        string
}

// publication is one execution of offerMgt. All that it writes into a live environment is dated with the run's cut-off,
// so what an execution instance has not heard of is what is dated after its last synchronisation.
type publication struct {
	*jobs.Run
	envs []offerEnv
	// said and warned count the lines of the step about single objects.
	said, warned int
}

// OfferMgt publishes the catalogue of offers: categories, spaces and offers whose approvals are complete go from each
// design environment to its live one, live offers whose design is disabled or gone are disabled and in the end deleted,
// execution instances get what changed, and the offer managers are told. An object that cannot be published does not
// keep the others waiting; the run fails at the end.
func OfferMgt(ctx context.Context, r *jobs.Run) error {
	p := &publication{Run: r}
	installed, err := p.environments(ctx)
	if err != nil {
		return err
	}
	if !installed {
		r.Log("no offer environment")
		return nil
	}
	parts := []part{{"categories", p.categories}, {"spaces", p.spaces}, {"offers", p.offers}, {"disabled", p.disable},
		{"deleted", p.purge}, {"execution instances", p.send}, {"notifications", p.notify}}
	for i, one := range parts {
		parts[i].do = func(ctx context.Context) error {
			defer p.more()
			return one.do(ctx)
		}
	}
	return allParts(ctx, r, parts)
}

// environments lists the design environments that have a live one; installed is false when there is none of any kind.
func (p *publication) environments(ctx context.Context) (installed bool, err error) {
	err = p.Query(ctx, func(rows pgx.Rows) error {
		var e offerEnv
		var kind string
		installed = true
		if err := rows.Scan(&e.design, &e.live, &e.label, &kind); err != nil || kind != "design" {
			return err
		}
		if e.live == 0 {
			p.Warn("Environment '%s' has no live environment: nothing of it is published", e.label)
			return nil
		}
		p.envs = append(p.envs, e)
		return nil
	}, `
		SELECT e.id, COALESCE(l.id, 0), e.label, e.kind
		FROM nms.offer_env e
		LEFT JOIN nms.offer_env l ON l.id = e.live_env_id AND l.kind = 'live'
		ORDER BY e.id`)
	if err != nil {
		return false, fmt.Errorf("offer environments: %w", err)
	}
	return installed, nil
}

// line tells of one object: the first twenty of a step, more are only counted.
func (p *publication) line(format string, args ...any) {
	if p.said++; p.said <= namedLines {
		p.Log(format, args...)
	}
}

// warn is line for an object that something is wrong with.
func (p *publication) warn(format string, args ...any) {
	if p.warned++; p.warned <= namedLines {
		p.Warn(format, args...)
	}
}

// more says how many objects of the step got no line of their own.
func (p *publication) more() {
	if left := max(p.said-namedLines, 0) + max(p.warned-namedLines, 0); left > 0 {
		p.Log("… and %d more", left)
	}
	p.said, p.warned = 0, 0
}

// manyFailures is how many failures of one step its error tells one by one.
const manyFailures = 5

// joined is one error for all failures of a step.
func joined(failed []error) error {
	if n := len(failed); n > manyFailures {
		failed = append(failed[:manyFailures:manyFailures], fmt.Errorf("… and %d more", n-manyFailures))
	}
	return errors.Join(failed...)
}
