package views

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"nightshift/static"
	"nightshift/views/locale"
)

// shown are the pages of the fixtures, by the name of their picture.
func shown(page Page) map[string]templ.Component {
	return map[string]templ.Component{
		"overview":   OverviewPage(overviewOf(page)),
		"simulation": SimulationPage(simulationOf(page)),
		"runs":       RunsPage(runsOf(page)),
		"workflows":  WorkflowsPage(workflowsOf(page)),
		"workflow":   WorkflowPage(workflowOf(page)),
		"run":        RunPage(runOf(page)),
		"run-failed": RunPage(failedOf(page)),
		"pause":      DialogPage(pauseOf(page)),
		"freeze":     FreezePage(freezeOf(page)),
		"lift":       LiftPage(LiftForm{Page: frozenPage(page), Waiting: 3}),
		"frozen":     WorkflowsPage(workflowsOf(frozenPage(page))),
		"monitoring": MonitoringPage(monitoringOf(page)),
		"retire":     RetirePage(retireOf(page)),
		"statement":  StatementPage(statementOf(page)),
		"last":       DialogPage(lastOf(page)),
		"schedule":   SchedulePage(scheduleOf(page)),
		"properties": PropertiesPage(propertiesOf(page)),
		"heat-map":   HeatMapPage(heatOf(page)),
		"heat-load":  HeatMapPage(loadOf(page, "database")),
		"heat-locks": HeatMapPage(loadOf(page, "locks")),
		"calendar":   CalendarPage(calendarOf(page)),
		"sign-in":    SignInPage(signInOf(page)),
		"set-up":     SetUpPage(setUpOf(page)),
		"billing":    BillingPage(billingOf(page)),
		"report":     BillingReportPage(billingReportOf(page)),
		"letter":     LetterPage(letterOf(page)),
		"no-link":    LetterPage(deadLinkOf(page)),
		"sending":    DeliverabilityPage(deliverabilityOf(page)),
		"bounce":     BouncePage(bounceOf(page)),
		"accounts":   AccountsPage(accountsOf(page)),
		"ext":        ExtAccountPage(accountFormOf(page)),
		"mail":       OutboxPage(outboxOf(page)),
		"message":    MessagePage(messageOf(page)),
		"confirm":    ConfirmPage(confirmOf(page)),
		"offers":     OffersPage(offersOf(page)),
		"known":      AcknowledgePage(acknowledgeOf(page)),
	}
}

// TestShots takes pictures of the fixtures into the folder $SHOTS, for the eye: SHOTS=/tmp/shots SHOT=run go test -run Shots ./views
func TestShots(t *testing.T) {
	folder := os.Getenv("SHOTS")
	if folder == "" {
		t.Skip("SHOTS names no folder")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/{name}", func(w http.ResponseWriter, r *http.Request) {
		file, ok := static.Find(r.PathValue("name"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", file.Type)
		if _, err := w.Write(file.Content); err != nil {
			t.Log(err)
		}
	})
	mux.HandleFunc("GET /shot/{lang}/{theme}/{name}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'")
		page := night(t, locale.Lang(r.PathValue("lang")), Theme(r.PathValue("theme")))
		templ.Handler(shown(page)[r.PathValue("name")]).ServeHTTP(w, r)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for name := range shown(night(t, locale.English, Light)) {
		if only := os.Getenv("SHOT"); only != "" && !strings.Contains(","+only+",", ","+name+",") {
			continue
		}
		for _, kind := range []struct{ suffix, path, size string }{
			{"", "en/light", "1440,1700"}, {"-dark", "en/dark", "1440,1700"}, {"-ko", "ko/light", "1440,1700"}, {"-phone", "en/light", "390,1800"},
		} {
			if only := os.Getenv("SHOT_KIND"); only != "" && !strings.Contains(only+",", kind.suffix+",") {
				continue
			}
			command := exec.CommandContext(t.Context(), "chromium-headless-shell", "--no-sandbox", "--hide-scrollbars", "--window-size="+kind.size,
				"--virtual-time-budget=2000", "--screenshot="+filepath.Join(folder, name+kind.suffix+".png"), server.URL+"/shot/"+kind.path+"/"+name)
			var said bytes.Buffer
			command.Stderr = &said
			if err := command.Run(); err != nil {
				t.Errorf("%s: %s\n%s", name, err, said.String())
			}
		}
	}
}
