package web

import (
	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// showExtAccount shows an account with its form, or with none the form for a new one. A secret is never in it.
func (s *Server) showExtAccount(c echo.Context, status int, a db.ExtAccount, edit db.AccountEdit, wrong *db.Invalid) error {
	page := s.page(c, views.SectionAccounts, "")
	kind, usable := db.AccountKindOf(edit.Type)
	view := views.AccountForm{Page: page, New: a.ID == 0, Name: a.Name, Label: a.Label, Type: kind.Type, Kind: kindLabel(page, kind.Type),
		Usable: usable, HasSecret: a.HasSecret(), LastOK: a.LastOK, LastFailed: a.LastFailed, SecretSet: a.SecretSet,
		About: page.T("accounts.about_other")}
	if usable {
		view.About = page.T("accounts.about_" + kind.Type)
	}
	if view.New {
		view.Label = kindLabel(page, kind.Type)
	} else {
		view.State, view.Word, view.Why = accountState(page, a)
		if a.Failing() {
			view.Said = a.Problem.Text
		}
		failing, err := s.failingAccounts(c.Request().Context(), page, func(f db.FailingAccount) bool { return f.Name == a.Name })
		if err != nil {
			return err
		}
		view.Troubles = failing
		entries, _, err := s.db.AuditRows(c.Request().Context(), db.AuditFilter{EntityType: "account", Entity: a.Name, Limit: 10})
		if err != nil {
			return err
		}
		view.Log = auditLines(page, entries)
	}
	view.Title = view.Label
	view.Crumbs = []views.Crumb{{Text: page.T("rail.accounts"), Href: "/accounts"}, {Text: view.Label}}
	accountFields(&view, kind, edit, wrong)
	if wrong != nil && (wrong.Field == "type" || wrong.Field == "name" && !view.New) {
		view.Trouble = page.T(wrong.Key, wrong.Args...)
	}
	return s.render(c, status, views.ExtAccountPage(view))
}

// accountFields are the inputs that accounts of a type have, in their order.
func accountFields(view *views.AccountForm, kind db.AccountKind, edit db.AccountEdit, wrong *db.Invalid) {
	page := view.Page
	field := fielder(page, wrong)
	add := func(has bool, f views.Field, help string) {
		if has {
			f.Help = help
			view.Fields = append(view.Fields, f)
		}
	}
	name := field("name", "accounts.name", edit.Name)
	name.Required, name.Mono = true, true
	add(view.New, name, page.T("accounts.name_help"))
	add(true, field("label", "accounts.label", edit.Label), "")
	server := field("server", "accounts.server", edit.Server)
	server.Required, server.Mono = true, true
	add(kind.Has("server"), server, page.T("accounts.server_help"))
	address := field("server", "accounts.url", edit.Server)
	address.Type, address.Mono, address.Required = "url", true, kind.Server == ""
	help := page.T("accounts.url_help")
	if kind.Server != "" {
		help = page.T("accounts.url_default", kind.Server)
	}
	add(kind.Has("url"), address, help)
	hook := field("server", "accounts.url", edit.Server)
	hook.Type, hook.Mono, hook.Required = "url", true, true
	add(kind.Has("address"), hook, page.T("accounts.address_help"))
	language := field("language", "operator.language", edit.Params["language"])
	language.Options = languageOptions(page)
	add(kind.Has("language"), language, "")
	port := field("port", "accounts.port", edit.Port)
	port.Required, port.Inputmode = true, "numeric"
	add(kind.Has("port"), port, "")
	encryption := field("encryption", "accounts.encryption", edit.Encryption)
	for _, value := range []string{"starttls", "tls", "opportunistic", "none"} {
		encryption.Options = append(encryption.Options, views.Option{Value: value, Text: page.T("accounts.encryption_" + value)})
	}
	add(kind.Has("encryption"), encryption, page.T("accounts.encryption_help"))
	from := field("from", "accounts.from", edit.Params["from"])
	from.Required = true
	add(kind.Has("from"), from, page.T("accounts.from_help"))
	login := field("login", "accounts.login", edit.Login)
	help = ""
	if kind.Type == db.AccountSMTP {
		help = page.T("accounts.login_mail")
	}
	add(kind.Has("login"), login, help)
	secretFields(view, kind, edit, field)
}

// secretFields are the secret, which is only ever taken, and what can be ticked.
func secretFields(view *views.AccountForm, kind db.AccountKind, edit db.AccountEdit, field func(name, label, value string) views.Field) {
	page := view.Page
	view.Secret = field("secret", "accounts.secret", "")
	view.Secret.Type, view.Secret.Autocomplete, view.Secret.Help = "password", "new-password", page.T("accounts.secret_help")
	if view.HasSecret {
		view.Secret.Help = page.T("accounts.secret_kept", page.Stamp(view.SecretSet))
	}
	view.Forget = field("forget", "accounts.forget", ticked(edit.ForgetSecret))
	if kind.Has("authority") {
		view.Authority = field("authority", "accounts.authority", edit.Params["authority"])
		view.Authority.Help = page.T("accounts.authority_help")
	}
	if kind.Has("use_interaction") {
		view.Uses = field("use_interaction", "accounts.use_interaction", ticked(edit.Params["use_interaction"] == "true"))
		view.Uses.Help = page.T("accounts.use_interaction_help")
	}
	if kind.Has("private") {
		view.Uses = field("private", "accounts.private", ticked(edit.Params["private"] == "true"))
		view.Uses.Help = page.T("accounts.private_help")
		view.Secret.Help = page.T("accounts.signs") + " " + view.Secret.Help
	}
	view.Active = field("active", "accounts.active", ticked(edit.Active))
	view.Active.Help = page.T("accounts.active_help")
}

func ticked(on bool) string {
	if on {
		return "on"
	}
	return ""
}
