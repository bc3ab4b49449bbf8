package db

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Modules are the parts of a process that serves, in the order of a list: the engine that runs workflows, the console, the
// redirection, and the senders of mails and of messages to webhooks.
const (
	ModuleEngine      = "engine"
	ModuleWeb         = "web"
	ModuleRedirection = "redirection"
	ModuleMail        = "mail"
	ModuleWebhook     = "webhook"
)

// Modules names all of them.
func Modules() []string {
	return []string{ModuleEngine, ModuleWeb, ModuleRedirection, ModuleMail, ModuleWebhook}
}

const (
	beatEvery = 10 * time.Second
	// silentAfter is after how long without a sign of life a module counts as missing. Handing over one mail may take a minute.
	silentAfter = 2 * time.Minute
)

// States of a module.
const (
	ModuleUp       = "up"
	ModuleStarting = "starting" // its process has just begun, nothing was heard of it yet
	ModuleOff      = "off"      // it works and has nothing to work with: no active account of its type
	ModuleFailing  = "failing"  // it works, and its account did not work when it was last used
	ModuleMissing  = "missing"
)

// Module is a part of a process, with its last sign of life.
type Module struct {
	Name, State   string
	Started, Seen time.Time // zero: nothing was heard of it since the process began
	Account       string    // the account that fails
}

// NodeModules is a process with all its modules.
type NodeModules struct {
	Node
	Modules []Module
}

// pulse is what this process has said of its modules.
type pulse struct {
	mu    sync.Mutex
	node  int
	parts map[string]beat
}

// beat is since when a module works, when it was heard last and when that was written.
type beat struct{ began, heard, told time.Time }

// UseNode names the registered process whose modules the beats of this DB are. Those heard just before are written now.
func (d *DB) UseNode(ctx context.Context, id int) error {
	for _, module := range d.pulse.use(id, time.Now()) {
		if err := d.Beat(ctx, module); err != nil {
			return err
		}
	}
	return nil
}

func (p *pulse) use(id int, now time.Time) (heard []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.node == id {
		return nil
	}
	p.node = id
	for module, part := range p.parts {
		part.told = time.Time{}
		p.parts[module] = part
		if now.Sub(part.heard) < 2*beatEvery {
			heard = append(heard, module)
		}
	}
	return heard
}

// Beat notes that a module of this process works. It is for the module itself to call, as often as it goes round; every ten
// seconds a beat is written, once the process is registered.
func (d *DB) Beat(ctx context.Context, module string) error {
	node, age := d.pulse.beat(module, time.Now())
	if node == 0 {
		return nil
	}
	if _, err := d.Pool.Exec(ctx, `
		INSERT INTO xtk.node_module (node_id, module, started_at, seen_at)
		SELECT n.id, $2, now() - $3::interval, now()
		FROM xtk.engine_node n
		WHERE n.id = $1
		ON CONFLICT (node_id, module) DO UPDATE SET started_at = excluded.started_at, seen_at = excluded.seen_at`, node, module, age); err != nil {
		return fmt.Errorf("sign of life of %s: %w", module, err)
	}
	return nil
}

// beat returns the node to write for and since when the module works; 0 when nothing is to be written.
func (p *pulse) beat(module string, now time.Time) (node int, age time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parts == nil {
		p.parts = map[string]beat{}
	}
	part := p.parts[module]
	if part.began.IsZero() {
		part.began = now
	}
	part.heard = now
	due := p.node != 0 && now.Sub(part.told) >= beatEvery
	if due {
		part.told = now
	}
	p.parts[module] = part
	if !due {
		return 0, 0
	}
	return p.node, now.Sub(part.began)
}

// Watched lists the processes that did not end in order and that nobody has retired, those alive first, each with the modules
// that should work in it. Those of a process that is missing are missing.
func (d *DB) Watched(ctx context.Context) ([]NodeModules, error) {
	nodes, err := d.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	said, err := d.beats(ctx)
	if err != nil {
		return nil, err
	}
	accounts, err := d.senders(ctx)
	if err != nil {
		return nil, err
	}
	var all []NodeModules
	for _, n := range nodes {
		if len(n.Expected) == 0 || !n.Alive && !n.Missing() {
			continue
		}
		node := NodeModules{Node: n}
		for _, name := range n.Expected {
			node.Modules = append(node.Modules, n.module(name, said[n.ID][name], accounts))
		}
		all = append(all, node)
	}
	return all, nil
}

// signs are when a module began and was last heard, and for how long it has been silent by the database's clock.
type signs struct {
	started, seen time.Time
	silent        time.Duration
}

// module judges one of a process's modules. A sign of life from before the process began is another's.
func (n Node) module(name string, said signs, accounts map[string]sender) Module {
	m := Module{Name: name, State: ModuleUp}
	heard := said.seen.After(n.Started)
	if heard || !n.Alive {
		m.Started, m.Seen = said.started, said.seen
	}
	account, needed := accounts[name]
	switch {
	case !n.Alive, heard && said.silent > silentAfter, !heard && n.Age > silentAfter:
		m.State = ModuleMissing
	case !heard:
		m.State = ModuleStarting
	case needed && !account.active:
		m.State = ModuleOff
	case account.failing != "":
		m.State, m.Account = ModuleFailing, account.failing
	}
	return m
}

func (d *DB) beats(ctx context.Context) (map[int]map[string]signs, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT node_id, module, started_at, seen_at, extract(epoch FROM now() - seen_at)::float8
		FROM xtk.node_module`)
	if err != nil {
		return nil, fmt.Errorf("modules: %w", err)
	}
	all := map[int]map[string]signs{}
	var node int
	var module string
	var s signs
	var silent float64
	_, err = pgx.ForEachRow(rows, []any{&node, &module, &s.started, &s.seen, &silent}, func() error {
		if all[node] == nil {
			all[node] = map[string]signs{}
		}
		s.silent = time.Duration(silent * float64(time.Second))
		all[node][module] = s
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("modules: %w", err)
	}
	return all, nil
}

// sender is whether a module that sends has an active account, and one of them whose last use failed.
type sender struct {
	active  bool
	failing string
}

func (d *DB) senders(ctx context.Context) (map[string]sender, error) {
	all := map[string]sender{ModuleMail: {}, ModuleWebhook: {}}
	rows, err := d.Pool.Query(ctx, `
		SELECT CASE type WHEN $1 THEN $3 ELSE $4 END,
		       COALESCE(min(internal_name) FILTER (WHERE last_error_at > COALESCE(last_ok, '-infinity')), '')
		FROM nms.ext_account
		WHERE type IN ($1, $2)
		  AND active
		GROUP BY type`, AccountSMTP, AccountWebhook, ModuleMail, ModuleWebhook)
	if err != nil {
		return nil, fmt.Errorf("accounts of the senders: %w", err)
	}
	var module, failing string
	_, err = pgx.ForEachRow(rows, []any{&module, &failing}, func() error {
		all[module] = sender{active: true, failing: failing}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("accounts of the senders: %w", err)
	}
	return all, nil
}
