package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"nightshift/db"
)

const (
	// URLs and deliveries that are held in memory, and how often new ones are fetched: a link is usually known before it is
	// clicked for the first time.
	urlsHeld       = 100_000
	deliveriesHeld = 20_000
	urlsEvery      = 10 * time.Second
	// recheck is after how long a URL that is asked for is read again, beside its answer: a purged one ends then.
	recheck = 10 * time.Minute
	// A URL that is not in memory is looked for in the database once, briefly, and a few at a time: the console's own
	// connections are not for strangers to use up.
	lookupDeadline = 300 * time.Millisecond
	lookupsAtOnce  = 3
)

// errBusy says that a URL could not be looked for now.
var errBusy = errors.New("too many look-ups of URLs at once")

// urlKey is a URL of a delivery, URL 0 standing for the delivery itself.
type urlKey struct{ delivery, url int64 }

// linkTarget is where a URL leads.
type linkTarget struct {
	id int64
	// parts are the pieces of the source between its places, <%= … %>; whole is the address where it has none.
	parts []string
	whole string
}

// linkTargets holds URLs in memory, so that links work while PostgreSQL does not. What is not there is looked for once.
type linkTargets struct {
	db      *db.DB
	logger  *slog.Logger
	urls    *otter.Cache[urlKey, *linkTarget]
	tags    *otter.Cache[string, *linkTarget]
	lookups chan struct{}
	// hosts are the names of the redirection besides the console's own.
	hosts atomic.Pointer[[]string]
	// What only keep uses: the newest ids that it has seen.
	newestURL, newestDelivery int64
}

func newLinkTargets(d *db.DB, logger *slog.Logger) *linkTargets {
	return &linkTargets{db: d, logger: logger, lookups: make(chan struct{}, lookupsAtOnce),
		urls: otter.Must(&otter.Options[urlKey, *linkTarget]{MaximumSize: urlsHeld + deliveriesHeld, Logger: &otter.NoopLogger{},
			RefreshCalculator: otter.RefreshWriting[urlKey, *linkTarget](recheck)}),
		tags: otter.Must(&otter.Options[string, *linkTarget]{MaximumSize: deliveriesHeld, Logger: &otter.NoopLogger{},
			RefreshCalculator: otter.RefreshWriting[string, *linkTarget](recheck)}),
	}
}

// named reports whether a host is the redirection's, by NmsTracking_ServerUrl or NmsTracking_SecureServerUrl.
func (t *linkTargets) named(host string) bool {
	hosts := t.hosts.Load()
	return hosts != nil && slices.Contains(*hosts, host)
}

// known reports whether a URL is in memory, so that a look-up can be refused before it is made.
func (t *linkTargets) known(key urlKey) bool {
	_, ok := t.urls.GetEntryQuietly(key)
	return ok
}

// knownTag is the same of a web tag.
func (t *linkTargets) knownTag(tag string) bool {
	_, ok := t.tags.GetEntryQuietly(tag)
	return ok
}

// find gives a URL of a delivery, db.ErrNotFound where the two do not belong together.
func (t *linkTargets) find(ctx context.Context, key urlKey) (*linkTarget, error) {
	found, err := t.urls.Get(ctx, key, otter.LoaderFunc[urlKey, *linkTarget](t.load))
	if errors.Is(err, otter.ErrNotFound) {
		return nil, db.ErrNotFound
	}
	return found, err
}

// findTag gives the URL of a web tag.
func (t *linkTargets) findTag(ctx context.Context, tag string) (*linkTarget, error) {
	found, err := t.tags.Get(ctx, tag, otter.LoaderFunc[string, *linkTarget](t.loadTag))
	if errors.Is(err, otter.ErrNotFound) {
		return nil, db.ErrNotFound
	}
	return found, err
}

func (t *linkTargets) load(ctx context.Context, key urlKey) (*linkTarget, error) {
	return t.lookUp(ctx, func(ctx context.Context) (db.TrackedURL, error) {
		if key.url == 0 {
			return db.TrackedURL{Delivery: key.delivery}, t.db.DeliveryExists(ctx, key.delivery)
		}
		return t.db.TrackedURL(ctx, key.delivery, key.url)
	})
}

func (t *linkTargets) loadTag(ctx context.Context, tag string) (*linkTarget, error) {
	return t.lookUp(ctx, func(ctx context.Context) (db.TrackedURL, error) { return t.db.TaggedURL(ctx, tag) })
}

// lookUp asks the database within a short time. Who hangs up does not end it: others may wait for the same URL.
func (t *linkTargets) lookUp(ctx context.Context, ask func(context.Context) (db.TrackedURL, error)) (*linkTarget, error) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), lookupDeadline)
	defer done()
	select {
	case t.lookups <- struct{}{}:
		defer func() { <-t.lookups }()
	case <-ctx.Done():
		return nil, errBusy
	}
	found, err := ask(ctx)
	if errors.Is(err, db.ErrNotFound) {
		return nil, otter.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return targetOf(found), nil
}

// keep fetches new URLs from time to time, until ctx ends. While the database does not answer, memory stays as it is.
func (t *linkTargets) keep(ctx context.Context) {
	ticks := time.NewTicker(urlsEvery)
	defer ticks.Stop()
	for {
		if err := t.fetch(ctx); err != nil && ctx.Err() == nil {
			t.logger.Warn("redirection: new URLs could not be read", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// fetch reads what is new: URLs, deliveries, and under which names the redirection is reached.
func (t *linkTargets) fetch(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, urlsEvery)
	defer done()
	var hosts []string
	for _, option := range []string{"NmsTracking_ServerUrl", "NmsTracking_SecureServerUrl"} {
		value, err := t.db.Option(ctx, option)
		if err != nil {
			return err
		}
		if u, err := url.Parse(value); err == nil && u.Hostname() != "" {
			hosts = append(hosts, strings.ToLower(u.Hostname()))
		}
	}
	t.hosts.Store(&hosts)
	urls, err := t.db.NewestURLs(ctx, t.newestURL, urlsHeld)
	if err != nil {
		return err
	}
	for _, u := range urls {
		t.newestURL = max(t.newestURL, u.ID)
		t.urls.Set(urlKey{u.Delivery, u.ID}, targetOf(u))
	}
	deliveries, err := t.db.NewestDeliveries(ctx, t.newestDelivery, deliveriesHeld)
	if err != nil {
		return err
	}
	for _, id := range deliveries {
		t.newestDelivery = max(t.newestDelivery, id)
		t.urls.Set(urlKey{delivery: id}, targetOf(db.TrackedURL{Delivery: id}))
	}
	return nil
}

// targetOf splits a source at its places.
func targetOf(u db.TrackedURL) *linkTarget {
	t := &linkTarget{id: u.ID}
	rest := u.Source
	for {
		before, after, found := strings.Cut(rest, "<%=")
		t.parts = append(t.parts, before)
		if !found {
			break
		}
		if _, rest, found = strings.Cut(after, "%>"); !found {
			t.parts = nil // a place without an end: it leads nowhere
			return t
		}
	}
	// Who fills the places must not choose the host: they may stand behind it only.
	if len(t.parts) > 1 {
		_, behind, _ := strings.Cut(t.parts[0], "://")
		if !strings.ContainsAny(behind, "/?#") {
			t.parts = nil
			return t
		}
	}
	if len(t.parts) == 1 {
		t.whole = address(u.Source)
	}
	return t
}

// address makes a text an address of the web as a header takes it; empty where it is none.
func address(text string) string {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return ""
	}
	var to strings.Builder
	for _, c := range []byte(strings.TrimSpace(text)) {
		if c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&to, "%%%02X", c)
			continue
		}
		to.WriteByte(c)
	}
	return to.String()
}

// location is the address where a link leads, with the values p1, p2, … in its places; empty where it leads nowhere.
func (t *linkTarget) location(value func(place int) string) string {
	if len(t.parts) < 2 {
		return t.whole
	}
	var to strings.Builder
	for i, part := range t.parts {
		if i > 0 {
			escape := url.PathEscape
			if strings.ContainsAny(to.String(), "?#") {
				escape = url.QueryEscape
			}
			to.WriteString(escape(value(i)))
		}
		to.WriteString(part)
	}
	// Dots climb up the target's path: who fills a place must not leave the folder that it is in.
	u, err := url.Parse(to.String())
	if err != nil || slices.ContainsFunc(strings.Split(u.Path, "/"), func(step string) bool { return step == "." || step == ".." }) {
		return ""
	}
	return address(to.String())
}
