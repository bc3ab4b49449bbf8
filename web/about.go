package web

import (
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/labstack/echo/v4"

	"nightshift/views"
)

// licences names the licence of each library that the console and the engine are built on.
var licences = map[string]string{
	"github.com/a-h/templ":                "MIT",
	"github.com/alexedwards/scs/v2":       "MIT",
	"github.com/andybalholm/brotli":       "MIT",
	"github.com/getkin/kin-openapi":       "MIT",
	"github.com/go-co-op/gocron/v2":       "MIT",
	"github.com/jackc/pgx/v5":             "MIT",
	"github.com/jackc/tern/v2":            "MIT",
	"github.com/klauspost/compress":       "BSD-3-Clause",
	"github.com/labstack/echo/v4":         "MIT",
	"github.com/maypok86/otter/v2":        "Apache-2.0",
	"github.com/prometheus/client_golang": "Apache-2.0",
	"github.com/shirou/gopsutil/v4":       "BSD-3-Clause",
	"github.com/emersion/go-sasl":         "MIT",
	"github.com/emersion/go-smtp":         "MIT",
	"github.com/mileusna/useragent":       "MIT",
	"github.com/wneessen/go-mail":         "MIT",
	"golang.org/x/crypto":                 "BSD-3-Clause",
	"golang.org/x/net":                    "BSD-3-Clause",
	"golang.org/x/text":                   "BSD-3-Clause",
}

func (s *Server) aboutPage(c echo.Context) error {
	ctx := c.Request().Context()
	facts, err := s.db.About(ctx)
	if err != nil {
		return err
	}
	nodes, err := s.db.Nodes(ctx)
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionAbout, "")
	page.Title = page.T("rail.about")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	view := views.About{Page: page, Build: s.config.Build, Go: runtime.Version(), Postgres: facts.Postgres, Database: facts.Database,
		Schema: facts.Schema, Size: facts.Size, Licences: libraries()}
	for _, node := range nodes {
		affinities := join(node.Affinities)
		if affinities == "" {
			affinities = page.T("about.any_affinity")
		}
		view.NodeRows = append(view.NodeRows, views.NodeRow{Name: node.Name, Host: node.Host, Process: node.PID, Affinities: affinities,
			Version: node.Version, Alive: node.Alive, Started: node.Started, Seen: node.Seen})
	}
	return s.render(c, http.StatusOK, views.AboutPage(view))
}

// libraries lists what is in this binary, with htmx, which browsers load.
func libraries() []views.Licence {
	all := []views.Licence{{Module: "htmx", Version: "2.0.11", Licence: "0BSD"}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return all
	}
	for _, module := range info.Deps {
		if licence := licences[module.Path]; licence != "" {
			all = append(all, views.Licence{Module: module.Path, Version: module.Version, Licence: licence})
		}
	}
	return all
}
