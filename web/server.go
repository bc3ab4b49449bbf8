// Package web is the console over HTTP: it reads the database, shows it, and writes orders into it. It never runs a
// workflow. All routes stand in this file with the right each needs; only this folder knows Echo.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"nightshift/db"
	"nightshift/jobs/redirlog"
)

// Config is what the console needs to know. URL is the address as browsers see it: other host names are refused, and
// https makes the cookie secure. Only TrustedProxies may tell the address of the client.
type Config struct {
	DB             *db.DB
	URL            *url.URL
	TrustedProxies []netip.Prefix
	MetricsToken   string
	RawLog         *redirlog.Log // of the redirection; nil: hits are answered and not recorded
	Build          string
	DataDir        string // data folder of this node, watched for core files; empty: none
	Indicators     string // folder of the executables of custom indicators; empty: none
	Logger         *slog.Logger
	// Hindered is what keeps the engine of this process from its work, and since when; nil: there is no engine.
	Hindered func() (since time.Time, err error)
	// TestAccount connects through an external account and signs on; its error is a *db.AccountProblem.
	TestAccount func(ctx context.Context, account db.ExtAccount) error
}

// Server answers the console's requests.
type Server struct {
	db       *db.DB
	config   Config
	logger   *slog.Logger
	sessions *scs.SessionManager
	night    *night
	bell     *bell
	probes   *probes
	streams  places
	exports  places
	origin   *http.CrossOriginProtection
	limits   *limiter
	hits     *limiter // of the redirection
	targets  *linkTargets
	packers  sync.Pool // of *flate.Writer, for what is sent once
	deflater sync.Pool // of *flate.Writer, for what is kept
	buffers  sync.Pool // of *bytes.Buffer
	lists    kept[runsAsked, *runsRead]
	counts   kept[db.RunFilter, int] // of runs
	alarms   kept[int64, []db.Drift] // since an hour
	ended    *endedRuns
	zones    sync.Map // of *time.Location by name
	metrics  *prometheus.Registry
	measures measures
	echo     *echo.Echo
	handler  http.Handler
	chain    chainState
	// setUp is true once an administrator was seen: from then on nobody is asked to set up.
	setUp atomic.Bool
	// prepared is how many calls of instances are preparing deliveries now.
	prepared atomic.Int32
}

// anyone and signedIn stand in the place of a right: the route is open to all, or to every operator who is signed in.
const (
	anyone   = "anyone"
	signedIn = "signed in"
)

// route is a line of the table of routes. Background requests are made by a page, not by a person, and keep no session
// alive. Confirmed ones ask for the password again when it was last given more than ten minutes ago.
type route struct {
	method, path, right   string
	handle                echo.HandlerFunc
	background, confirmed bool
}

// routes is every route of the console. What is not here does not exist, and a line without a right denies.
func (s *Server) routes() []route {
	const get, post, administration = http.MethodGet, http.MethodPost, db.Administration
	return slices.Concat(s.openRoutes(), []route{
		{method: post, path: "/sign-out", right: signedIn, handle: s.signOut},
		{method: get, path: "/account", right: signedIn, handle: s.accountPage},
		{method: post, path: "/account", right: signedIn, handle: s.editAccount},
		{method: post, path: "/account/password", right: signedIn, handle: s.changePassword},
		{method: post, path: "/account/sessions/end", right: signedIn, handle: s.endOwnSession},
		{method: post, path: "/account/sessions/end-others", right: signedIn, handle: s.endOtherSessions},
		{method: get, path: "/about", right: signedIn, handle: s.aboutPage},

		{method: get, path: "/", right: signedIn, handle: s.showOverview},
		{method: get, path: "/workflows", right: signedIn, handle: s.listWorkflows},
		{method: get, path: "/workflows/:name", right: signedIn, handle: s.showWorkflow},
		{method: get, path: "/workflows/:name/schedule", right: administration, handle: s.editSchedule},
		{method: post, path: "/workflows/:name/schedule", right: administration, handle: s.saveSchedule},
		{method: get, path: "/workflows/:name/properties", right: administration, handle: s.editProperties},
		{method: post, path: "/workflows/:name/properties", right: administration, handle: s.saveProperties},
		{method: post, path: "/workflows/:name/unconditional-stop", right: administration, handle: s.giveOrder, confirmed: true},
		{method: post, path: "/workflows/:name/purge-history", right: administration, handle: s.giveOrder, confirmed: true},
		{method: get, path: "/workflows/:name/acknowledge", right: administration, handle: s.askAcknowledge},
		{method: post, path: "/workflows/:name/acknowledge", right: administration, handle: s.acknowledge},
		{method: get, path: "/workflows/:name/:order", right: administration, handle: s.askOrder},
		{method: post, path: "/workflows/:name/:order", right: administration, handle: s.giveOrder},
		{method: get, path: "/runs", right: signedIn, handle: s.listRuns},
		{method: get, path: "/runs.csv", right: signedIn, handle: s.exporting(s.exportRuns)},
		{method: get, path: "/runs/:id", right: signedIn, handle: s.showRun},
		{method: get, path: "/runs/:id/log.txt", right: signedIn, handle: s.exporting(s.downloadLog)},
		{method: get, path: "/runs/:id/live", right: signedIn, handle: s.liveRun, background: true},
		{method: get, path: "/runs/:id/stream", right: signedIn, handle: s.streamRun, background: true},

		{method: get, path: "/statement", right: signedIn, handle: s.showStatement},
		{method: get, path: "/statement.csv", right: signedIn, handle: s.exporting(s.exportStatement)},
		{method: get, path: "/workflows/:name/statement", right: signedIn, handle: s.showStatement},
		{method: get, path: "/workflows/:name/statement.csv", right: signedIn, handle: s.exporting(s.exportStatement)},

		{method: get, path: "/freeze", right: administration, handle: s.askFreeze},
		{method: post, path: "/freeze", right: administration, handle: s.setFreeze, confirmed: true},
		{method: get, path: "/freeze/lift", right: administration, handle: s.askLift},
		{method: post, path: "/freeze/lift", right: administration, handle: s.liftFreeze, confirmed: true},

		// For the operator "monitoring", who has no right: every operator may read it.
		{method: get, path: "/nl/monitor", right: signedIn, handle: s.showMonitoring},
		{method: get, path: "/monitoring", right: signedIn, handle: s.showMonitoring},
		{method: get, path: "/monitoring/nodes/:id/retire", right: administration, handle: s.askRetire},
		{method: post, path: "/monitoring/nodes/:id/retire", right: administration, handle: s.retireNode},

		{method: get, path: "/calendar", right: signedIn, handle: s.showCalendar},
		{method: get, path: "/heat-map", right: administration, handle: s.showHeatMap},
		{method: post, path: "/heat-map/load", right: administration, handle: s.loadHeatMap},

		{method: get, path: "/operators", right: administration, handle: s.operatorsPage},
		{method: get, path: "/operators/new", right: administration, handle: s.newOperatorPage},
		{method: post, path: "/operators", right: administration, handle: s.addOperator, confirmed: true},
		{method: get, path: "/operators/:login", right: administration, handle: s.operatorPage},
		{method: post, path: "/operators/:login", right: administration, handle: s.editOperator, confirmed: true},
		{method: post, path: "/operators/:login/link", right: administration, handle: s.makeResetLink, confirmed: true},
		{method: post, path: "/operators/:login/end-sessions", right: administration, handle: s.endSessions, confirmed: true},
		{method: get, path: "/groups/:name", right: administration, handle: s.groupPage},
		{method: post, path: "/groups/:name", right: administration, handle: s.editGroup, confirmed: true},
		{method: get, path: "/options", right: administration, handle: s.optionsPage},
		{method: get, path: "/options/:name", right: administration, handle: s.optionPage},
		{method: post, path: "/options/:name", right: administration, handle: s.setOption, confirmed: true},
		{method: get, path: "/billing", right: administration, handle: s.billingPage},
		{method: get, path: "/billing/:id", right: administration, handle: s.billingReportPage},
		{method: get, path: "/billing/:id/report.csv", right: administration, handle: s.billingCSV},
		{method: get, path: "/audit", right: administration, handle: s.auditPage},
		{method: get, path: "/audit.csv", right: administration, handle: s.exporting(s.auditCSV)},
	}, s.outsideRoutes(), s.apiRoutes())
}

// outsideRoutes are those of what is reached elsewhere, and of what came from there.
func (s *Server) outsideRoutes() []route {
	const get, post, administration = http.MethodGet, http.MethodPost, db.Administration
	return []route{
		{method: get, path: "/accounts", right: administration, handle: s.extAccountsPage},
		{method: get, path: "/accounts/new", right: administration, handle: s.newExtAccountPage},
		{method: post, path: "/accounts", right: administration, handle: s.addExtAccount, confirmed: true},
		{method: get, path: "/accounts/:name", right: administration, handle: s.extAccountPage},
		{method: post, path: "/accounts/:name", right: administration, handle: s.editExtAccount, confirmed: true},
		{method: post, path: "/accounts/:name/test", right: administration, handle: s.testExtAccount},
		{method: get, path: "/offers", right: administration, handle: s.offersPage},
		{method: get, path: "/mail", right: administration, handle: s.outboxPage},
		{method: get, path: "/mail/:id", right: administration, handle: s.messagePage},
		{method: post, path: "/mail/:id/again", right: administration, handle: s.sendAgain},
		{method: get, path: "/deliverability", right: administration, handle: s.deliverabilityPage},
		{method: post, path: "/deliverability/monitoring", right: administration, handle: s.installMonitoring},
		{method: get, path: "/deliverability/texts/:id", right: administration, handle: s.bouncePage},
		{method: post, path: "/deliverability/texts/:id", right: administration, handle: s.decideBounce},
	}
}

// openRoutes are those that need no operator: for machines, for who reads a message, and for who signs in.
func (s *Server) openRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{method: get, path: "/healthz", right: anyone, handle: s.healthz},
		{method: get, path: "/readyz", right: anyone, handle: s.readyz},
		{method: get, path: "/r/test", right: anyone, handle: s.redirectionTest},
		{method: get, path: "/r/", right: anyone, handle: s.followLink},
		{method: get, path: "/r/:random", right: anyone, handle: s.hitTag},
		{method: get, path: "/r/mirror", right: anyone, handle: s.mirrorPage},
		{method: get, path: "/r/opt-out", right: anyone, handle: s.optOutPage},
		{method: post, path: "/r/opt-out", right: anyone, handle: s.optOut},
		{method: get, path: "/nl/ping", right: anyone, handle: s.ping},
		{method: get, path: "/metrics", right: anyone, handle: s.showMetrics},
		{method: get, path: "/static/:name", right: anyone, handle: s.staticFile},
		{method: get, path: "/favicon.ico", right: anyone, handle: s.favicon},

		{method: get, path: "/sign-in", right: anyone, handle: s.signInPage},
		{method: post, path: "/sign-in", right: anyone, handle: s.signIn},
		{method: get, path: "/set-up", right: anyone, handle: s.setUpPage},
		{method: post, path: "/set-up", right: anyone, handle: s.makeInstance},
		{method: get, path: "/set-up/:token", right: anyone, handle: s.setUpPage},
		{method: get, path: "/reset/:token", right: anyone, handle: s.resetPage},
		{method: post, path: "/reset", right: anyone, handle: s.resetPassword},
		{method: post, path: "/preferences", right: anyone, handle: s.setPreferences},
	}
}

// apiRoutes are those for other instances, which show a token: see api.go.
func (s *Server) apiRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{method: post, path: "/api/v1/logon", right: anyone, handle: s.logon},
		{method: get, path: "/api/v1/openapi.yaml", right: anyone, handle: s.describeAPI},
		{method: post, path: "/api/v1/tracking/logs", right: db.MidSourcing, handle: s.trackingLogs},
		{method: post, path: "/api/v1/interaction/catalogue", right: db.InteractionSynch, handle: s.takeOffers},
		{method: get, path: "/api/v1/mid/deliveries", right: db.MidSourcing, handle: s.midDeliveries},
		{method: get, path: "/api/v1/mid/broad-logs", right: db.MidSourcing, handle: s.midLogs},
		{method: get, path: "/api/v1/mid/broad-log-msgs", right: db.MidSourcing, handle: s.midMessages},
		{method: get, path: "/api/v1/mid/addresses", right: db.MidSourcing, handle: s.midAddresses},
		{method: post, path: "/api/v1/mid/deliveries", right: db.MidSourcing, handle: s.preparing(s.submitDelivery)},
		{method: post, path: "/api/v1/mid/deliveries/cleanup", right: db.MidSourcing, handle: s.cleanupDeliveries},
		{method: post, path: "/api/v1/mid/deliveries/:id/parts", right: db.MidSourcing, handle: s.preparing(s.addPart)},
		{method: post, path: "/api/v1/mid/deliveries/:id/start", right: db.MidSourcing, handle: s.preparing(s.orderDelivery(db.MidStart))},
		{method: post, path: "/api/v1/mid/deliveries/:id/stop", right: db.MidSourcing, handle: s.orderDelivery(db.MidStop)},
		{method: post, path: "/api/v1/mid/deliveries/:id/pause", right: db.MidSourcing, handle: s.orderDelivery(db.MidPause)},
	}
}

// New makes the console. It does not listen: see Serve.
func New(c Config) *Server {
	s := &Server{db: c.DB, config: c, logger: c.Logger, origin: http.NewCrossOriginProtection(), limits: newLimiter(),
		hits: newLimiter(), targets: newLinkTargets(c.DB, c.Logger), streams: places{all: streamsAll, one: streamsOne},
		exports: places{all: exportsAll, one: exportsOne}}
	s.night, s.bell = &night{db: c.DB}, newBell(c.DB, c.Logger)
	s.bell.heard = s.lists.forget
	s.ended = &endedRuns{pages: map[runPageAsked]*runRead{}}
	s.probes = &probes{dir: c.Indicators, logger: c.Logger, within: probeWithin}
	s.sessions = s.sessionManager()
	s.measure()
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.fail
	e.IPExtractor = func(r *http.Request) string { return s.clientIP(r).String() }
	for _, r := range s.routes() {
		handle := s.enter(r)
		e.Add(r.method, r.path, handle)
		if r.method == http.MethodGet && !r.background {
			e.Add(http.MethodHead, r.path, handle)
		}
	}
	e.RouteNotFound("/*", s.enter(route{path: "unknown", right: anyone, handle: s.unknown}))
	s.echo, s.handler = e, s.outermost(e)
	return s
}

// ServeHTTP answers one request. What reads can change nothing: PostgreSQL refuses it. Hits of the redirection go past
// what the console does around its pages.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		r = r.WithContext(db.Reading(r.Context()))
		if isHit(r.URL.Path) {
			s.echo.ServeHTTP(w, r)
			return
		}
	}
	s.handler.ServeHTTP(w, r)
}

// secure reports whether browsers reach the console over TLS.
func (s *Server) secure() bool { return s.config.URL != nil && s.config.URL.Scheme == "https" }
