package delivery

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/mileusna/useragent"

	"nightshift/db"
	"nightshift/jobs/redirlog"
)

// agentsKept is the documented userAgentCacheSize.
const agentsKept = 500

// agentCache remembers the agents that the database has: true, recognised; false, not.
type agentCache map[int64]bool

func newAgentCache() agentCache { return make(agentCache, agentsKept) }

// hashKey is under which a user agent stands in its tables. 0 is the agent that nobody recognised.
func hashKey(agent string) int64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(agent))
	return max(int64(hash.Sum64()>>1), 1)
}

// agentRow is a row of nms.user_agent.
type agentRow struct{ name, version, osName, osFamily, device string }

// readAgentRules reads the rules by which agents are recognised before the library is asked.
func (t *tracker) readAgentRules(ctx context.Context) error {
	text, _, err := t.Option(ctx, db.UserAgentRules)
	if err != nil {
		return fmt.Errorf("read %s: %w", db.UserAgentRules, err)
	}
	var wrong []error
	t.agentRules, wrong = db.ParseUserAgentRules(text)
	for _, err := range wrong {
		t.Warn("%s: %s: it is left out", db.UserAgentRules, err)
	}
	return nil
}

// readAgent recognises a user agent: by the first rule that matches, and the library for what the rule leaves open.
func readAgent(agent string, rules []db.UserAgentRule) (agentRow, bool) {
	row, ok := parseAgent(agent)
	for _, rule := range rules {
		r, matches := rule.Apply(agent)
		if !matches || r.BrowserName == "" {
			continue
		}
		return agentRow{name: r.BrowserName, version: r.BrowserVersion, osName: cmp.Or(r.OSName, row.osName),
			osFamily: cmp.Or(r.OSFamily, row.osFamily), device: cmp.Or(r.Device, row.device)}, true
	}
	return row, ok
}

// parseAgent is what the library finds; false when it names neither a browser that is known nor a system.
func parseAgent(agent string) (agentRow, bool) {
	ua := useragent.Parse(agent)
	row := agentRow{name: ua.Name, version: ua.Version, osFamily: ua.OS, osName: strings.TrimSpace(ua.OS + " " + ua.OSVersion), device: "other"}
	switch {
	case ua.Bot:
		row.device = "robot"
	case ua.Tablet:
		row.device = "tablet"
	case ua.Mobile:
		row.device = "phone"
	case ua.Desktop:
		row.device = "desktop"
	}
	return row, ua.Name != "" && (ua.OS != "" || ua.Bot)
}

// recognise gives each row the key of its user agent. Agents that are new are added: those recognised to nms.user_agent, the
// others, counted at each hit, to nms.user_agent_reject, for somebody to find out what they are.
func (t *tracker) recognise(ctx context.Context, tx pgx.Tx, rows []hitRow) error {
	if len(t.agents) > agentsKept {
		t.agents = newAgentCache()
	}
	keys := make([]int64, len(rows))
	texts, rejected := map[int64]string{}, map[int64]int32{}
	byText := map[string]int64{}
	for i := range rows {
		text := rows[i].Agent
		key, seen := byText[text]
		if !seen && text != "" {
			key = hashKey(text)
			byText[text], texts[key] = key, text
		}
		keys[i] = key
	}
	if err := t.addAgents(ctx, tx, texts); err != nil {
		return err
	}
	for i, key := range keys {
		switch {
		case key == 0:
		case t.agents[key]:
			rows[i].agent = key
		default:
			rejected[key]++
		}
	}
	return rejectAgents(ctx, tx, texts, rejected)
}

// addAgents looks up the agents that the cache does not have, and adds those that the database does not have either.
func (t *tracker) addAgents(ctx context.Context, tx pgx.Tx, texts map[int64]string) error {
	var unknown []int64
	for key := range texts {
		if _, ok := t.agents[key]; !ok {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `
		SELECT hash_key
		FROM nms.user_agent
		WHERE hash_key = ANY ($1)`, unknown)
	if err != nil {
		return fmt.Errorf("look up user agents: %w", err)
	}
	var key int64
	if _, err := pgx.ForEachRow(rows, []any{&key}, func() error { t.agents[key] = true; return nil }); err != nil {
		return fmt.Errorf("look up user agents: %w", err)
	}
	var added [][]any
	for _, key := range unknown {
		if t.agents[key] {
			continue
		}
		a, ok := readAgent(texts[key], t.agentRules)
		t.agents[key] = ok
		if ok {
			added = append(added, []any{key, a.name, a.version, a.osName, a.osFamily, a.device})
		}
	}
	columns := strings.Fields("hash_key browser_name browser_version os_name os_family device")
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"nms", "user_agent"}, columns, pgx.CopyFromRows(added)); err != nil {
		return fmt.Errorf("add user agents: %w", err)
	}
	return nil
}

func rejectAgents(ctx context.Context, tx pgx.Tx, texts map[int64]string, hits map[int64]int32) error {
	if len(hits) == 0 {
		return nil
	}
	var keys []int64
	var agents []string
	var counts []int32
	for key, n := range hits {
		keys, agents, counts = append(keys, key), append(agents, texts[key]), append(counts, n)
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO nms.user_agent_reject AS r (hash_key, user_agent_string, hit, last_update)
		SELECT key, agent, hits, now()
		FROM unnest($1::bigint[], $2::text[], $3::int[]) v (key, agent, hits)
		ON CONFLICT (hash_key) DO UPDATE
		SET user_agent_string = excluded.user_agent_string, hit = r.hit + excluded.hit, last_update = excluded.last_update`,
		keys, agents, counts)
	if err != nil {
		return fmt.Errorf("count unknown user agents: %w", err)
	}
	return nil
}

// robots are the rules by which a hit is nobody's: a part of the user agent, or a range of addresses.
type robots struct {
	agents   []string // in small letters
	networks []netip.Prefix
	known    map[string]bool // user agents judged before
}

// readRobots reads the active rules; without any, nothing is filtered.
func (t *tracker) readRobots(ctx context.Context) error {
	t.robots = robots{known: map[string]bool{}}
	err := t.Query(ctx, func(row pgx.Rows) error {
		var kind, pattern string
		if err := row.Scan(&kind, &pattern); err != nil {
			return err
		}
		switch network, err := netip.ParsePrefix(pattern); {
		case kind == "user_agent" && pattern != "":
			t.robots.agents = append(t.robots.agents, strings.ToLower(pattern))
		case kind == "address" && err == nil:
			t.robots.networks = append(t.robots.networks, network.Masked())
		default:
			t.Warn("robot rule %q %q is left out: a rule is a user_agent's part, or an address with its mask", kind, pattern)
		}
		return nil
	}, `
		SELECT kind, pattern
		FROM nms.robot_rule
		WHERE active
		ORDER BY id`)
	if err != nil {
		return fmt.Errorf("read the robot rules: %w", err)
	}
	return nil
}

// match reports a line that a rule names.
func (r *robots) match(l redirlog.Line) bool {
	if len(r.networks) > 0 {
		if address, err := netip.ParseAddr(l.Address); err == nil {
			for _, network := range r.networks {
				if network.Contains(address.Unmap()) {
					return true
				}
			}
		}
	}
	if len(r.agents) == 0 {
		return false
	}
	robot, judged := r.known[l.Agent]
	if !judged {
		small := strings.ToLower(l.Agent)
		for _, part := range r.agents {
			robot = robot || strings.Contains(small, part)
		}
		if len(r.known) >= agentsKept {
			clear(r.known)
		}
		r.known[l.Agent] = robot
	}
	return robot
}
