package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
	"nightshift/views/locale"
)

// testTime is how long a test of an account may take; the answer to the operator comes in time.
const testTime = 10 * time.Second

func (s *Server) extAccountsPage(c echo.Context) error {
	ctx := c.Request().Context()
	accounts, err := s.db.Accounts(ctx)
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionAccounts, "")
	page.Title = page.T("rail.accounts")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	view := views.Accounts{Page: page}
	failing, err := s.failingAccounts(ctx, page, func(db.FailingAccount) bool { return true })
	if err != nil {
		return err
	}
	for _, a := range accounts {
		row := views.AccountRow{Name: a.Name, Label: a.Label, Kind: kindLabel(page, a.Type), Server: a.ShownServer(), At: a.LastOK}
		row.State, row.Word, row.Why = accountState(page, a)
		if row.State == views.Failed {
			row.At = a.LastFailed
		}
		for _, f := range failing {
			if f.Name == a.Name {
				row.State, row.Word, row.Why, row.At = views.Failed, page.T("accounts.failing"), page.R("overview.account_failed", join(f.Workflows), f.Runs, f.Message).Plain(), f.Since
			}
		}
		if row.State == views.Failed {
			view.Failing++
		}
		view.Rows = append(view.Rows, row)
	}
	if view.Mail, err = s.mailNeed(ctx); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, views.AccountsPage(view))
}

// kindLabel is a type of account in the page's language; its own name when this version does not use it.
func kindLabel(page views.Page, kind string) string {
	if key := "accounts.type_" + kind; locale.Has(key) {
		return page.T(key)
	}
	return kind
}

// accountState says whether an account works, by its last use.
func accountState(page views.Page, a db.ExtAccount) (state views.State, word, why string) {
	switch {
	case !a.Active:
		return views.NotHere, page.T("accounts.off"), ""
	case a.Failing():
		return views.Failed, page.T("accounts.failing"), page.T("accounts.problem_" + a.Problem.Kind)
	case !a.LastOK.IsZero():
		return views.Started, page.T("accounts.ok"), ""
	}
	return views.Edited, page.T("accounts.unused"), ""
}

// newExtAccountPage asks for the type of a new account, then for the account.
func (s *Server) newExtAccountPage(c echo.Context) error {
	kind, known := db.AccountKindOf(c.QueryParam("type"))
	if known {
		edit := db.AccountEdit{Type: kind.Type, Active: true, Encryption: "starttls"}
		if kind.Port > 0 {
			edit.Port = strconv.Itoa(kind.Port)
		}
		return s.showExtAccount(c, http.StatusOK, db.ExtAccount{}, edit, nil)
	}
	page := s.page(c, views.SectionAccounts, "")
	page.Title = page.T("accounts.which")
	page.Crumbs = []views.Crumb{{Text: page.T("rail.accounts"), Href: "/accounts"}, {Text: page.Title}}
	view := views.AccountKinds{Page: page}
	for _, k := range db.AccountKinds() {
		view.Kinds = append(view.Kinds, views.AccountKindRow{Type: k.Type, Label: kindLabel(page, k.Type), About: page.T("accounts.about_" + k.Type)})
	}
	return s.render(c, http.StatusOK, views.AccountKindsPage(view))
}

func (s *Server) extAccountPage(c echo.Context) error {
	a, err := s.db.AccountByName(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	return s.showExtAccount(c, http.StatusOK, a, accountEditOf(a), nil)
}

func accountEditOf(a db.ExtAccount) db.AccountEdit {
	edit := db.AccountEdit{Name: a.Name, Label: a.Label, Type: a.Type, Server: a.Server, Login: a.Login, Encryption: a.Encryption,
		Active: a.Active, Params: a.Params}
	if a.Port > 0 {
		edit.Port = strconv.Itoa(a.Port)
	}
	return edit
}

// accountEdit takes from a form what may be set of an account, and nothing else.
func accountEdit(fields url.Values) db.AccountEdit {
	edit := db.AccountEdit{Name: fields.Get("name"), Label: fields.Get("label"), Type: fields.Get("type"), Server: fields.Get("server"),
		Port: fields.Get("port"), Login: fields.Get("login"), Encryption: fields.Get("encryption"), Secret: fields.Get("secret"),
		Active: fields.Get("active") == "on", ForgetSecret: fields.Get("forget") == "on",
		Params: map[string]string{"from": fields.Get("from"), "authority": strings.ReplaceAll(fields.Get("authority"), "\r\n", "\n")}}
	for _, name := range []string{"use_interaction", "private"} {
		if fields.Get(name) == "on" {
			edit.Params[name] = "true"
		}
	}
	edit.Params["language"] = fields.Get("language")
	return edit
}

func (s *Server) addExtAccount(c echo.Context) error { return s.saveExtAccount(c, true) }

func (s *Server) editExtAccount(c echo.Context) error { return s.saveExtAccount(c, false) }

func (s *Server) saveExtAccount(c echo.Context, add bool) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	ctx, edit, said := c.Request().Context(), accountEdit(fields), "accounts.added"
	var before db.ExtAccount
	if !add {
		if before, err = s.db.AccountByName(ctx, c.Param("name")); err != nil {
			return err
		}
		edit.Name, edit.Type, said = before.Name, before.Type, "accounts.saved"
	}
	err = s.db.SaveAccount(ctx, s.actor(c), edit, add)
	if wrong := new(db.Invalid); errors.As(err, &wrong) {
		return s.showExtAccount(c, http.StatusUnprocessableEntity, before, edit, wrong)
	}
	if err != nil {
		return err
	}
	page := s.plainPage(c)
	return s.done(c, "/accounts/"+strings.TrimSpace(edit.Name), views.Flash{State: views.Finished,
		Text: page.R(said, orElse(strings.TrimSpace(edit.Label), edit.Name))})
}

// testExtAccount connects through the account, as it is stored, and says what came of it.
func (s *Server) testExtAccount(c echo.Context) error {
	ctx := c.Request().Context()
	a, err := s.db.AccountByName(ctx, c.Param("name"))
	if err != nil {
		return err
	}
	page, began := s.plainPage(c), time.Now()
	limited, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	failure := s.config.TestAccount(limited, a)
	said := "accounts.tested"
	if a.Type == db.AccountWebhook {
		said = "accounts.tested_webhook"
	}
	flash := views.Flash{State: views.Finished, Text: page.R(said, a.Label, page.Took(time.Since(began)))}
	var problem *db.AccountProblem
	if failure != nil {
		if !errors.As(failure, &problem) {
			return failure
		}
		flash = views.Flash{State: views.Failed, Text: page.R("accounts.test_failed", a.Label, page.T("accounts.problem_"+problem.Kind))}
	}
	if err := s.db.TestedAccount(ctx, s.actor(c), a, problem); err != nil {
		return err
	}
	return s.done(c, "/accounts/"+a.Name, flash)
}
