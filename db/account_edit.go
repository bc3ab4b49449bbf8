package db

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// AccountEdit is what a form may set of an external account. An empty secret keeps the one there is.
type AccountEdit struct {
	Name, Label, Type, Server, Port, Login, Encryption, Secret string
	Active, ForgetSecret                                       bool
	Params                                                     map[string]string
}

// accountParams are the params that a form may set; the others of a row stay.
const accountParams = "from authority use_interaction private language"

// Accounts lists the external accounts by type and name.
func (d *DB) Accounts(ctx context.Context) ([]ExtAccount, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT `+accountColumns+`
		FROM nms.ext_account
		ORDER BY type, internal_name
		LIMIT 500`)
	if err != nil {
		return nil, fmt.Errorf("external accounts: %w", err)
	}
	accounts, err := pgx.CollectRows(rows, scanAccount)
	if err != nil {
		return nil, fmt.Errorf("external accounts: %w", err)
	}
	return accounts, nil
}

// AccountByName is an account by its internal name; ErrNotFound when there is none.
func (d *DB) AccountByName(ctx context.Context, name string) (ExtAccount, error) {
	return d.oneAccount(ctx, `internal_name = $1`, name)
}

// trimmed leaves out what accounts of the type do not have.
func (e AccountEdit) trimmed() AccountEdit {
	kind, _ := AccountKindOf(e.Type)
	for _, field := range []*string{&e.Name, &e.Label, &e.Server, &e.Port, &e.Login} {
		*field = strings.TrimSpace(*field)
	}
	if e.Label == "" {
		e.Label = e.Name
	}
	if !kind.Has("server") && !kind.Has("url") && !kind.Has("address") {
		e.Server = ""
	}
	if !kind.Has("port") {
		e.Port = ""
	}
	if !kind.Has("encryption") {
		e.Encryption = ""
	}
	kept := map[string]string{}
	for name := range strings.FieldsSeq(accountParams) {
		if value := strings.TrimSpace(e.Params[name]); kind.Has(name) {
			kept[name] = value
		}
	}
	e.Params = kept
	return e
}

// check says which fields cannot be taken, as an *Invalid.
func (e AccountEdit) check() error {
	kind, known := AccountKindOf(e.Type)
	if !known {
		return &Invalid{Field: "type", Key: "accounts.type_invalid"}
	}
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-", r))
	}
	control := func(text string) bool { return strings.ContainsFunc(text, unicode.IsControl) }
	port, noPort := strconv.Atoi(e.Port)
	from, noFrom := mail.ParseAddress(e.Params["from"])
	pem := e.Params["authority"]
	var found faults
	found.when(e.Name == "" || e.Name == "new" || len(e.Name) > 64 || strings.ContainsFunc(e.Name, func(r rune) bool { return !plain(r) }), "name", "accounts.name_invalid")
	found.when(utf8.RuneCountInString(e.Label) > 100 || control(e.Label), "label", "accounts.label_invalid")
	found.when(kind.Has("server") && (e.Server == "" || len(e.Server) > 253 || strings.ContainsFunc(e.Server, notOfAHost)), "server", "accounts.server_invalid")
	found.when(kind.Has("url") && (e.Server != "" || kind.Server == "") && !webAddress(e.Server), "server", "accounts.url_invalid")
	found.when(kind.Has("address") && !hookAddress(e.Server, e.Params["private"] == "true"), "server", "accounts.address_invalid")
	found.when(kind.Has("port") && (noPort != nil || port < 1 || port > 65535), "port", "accounts.port_invalid")
	found.when(kind.Has("encryption") && !slices.Contains([]string{"starttls", "tls", "opportunistic", "none"}, e.Encryption), "encryption", "accounts.encryption_invalid")
	found.when(kind.Has("from") && (noFrom != nil || control(from.String())), "from", "accounts.from_invalid")
	found.when(len(e.Login) > 200 || control(e.Login), "login", "accounts.login_invalid")
	found.when(len(e.Secret) > 4000 || control(e.Secret), "secret", "accounts.secret_invalid")
	found.when(pem != "" && !strings.HasPrefix(pem, "-----BEGIN CERTIFICATE-----") || len(pem) > 20_000, "authority", "accounts.authority_invalid")
	return found.err()
}

func notOfAHost(r rune) bool {
	return r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".-:[]", r)
}

// webAddress reports an address like https://mid.example.com; http is for this machine only.
func webAddress(text string) bool {
	u, err := url.Parse(text)
	local := err == nil && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1")
	return err == nil && len(text) <= 500 && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http" && local)
}

// hookAddress reports an address that a webhook can have; http is for those of our own network only.
func hookAddress(text string, private bool) bool {
	u, err := url.Parse(text)
	return err == nil && len(text) <= 1000 && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && private)
}

// ShownServer is where an account leads, as far as it is told outside its form: the path of a webhook is a secret.
func (a ExtAccount) ShownServer() string {
	u, err := url.Parse(a.Server)
	switch {
	case a.Type == AccountWebhook && err == nil:
		return u.Scheme + "://" + u.Host + "/…"
	case a.Port > 0:
		return a.Server + ":" + strconv.Itoa(a.Port)
	}
	return a.Server
}

// facts are the fields of an account as they stand in the audit trail: of the secret, whether there is one.
func (a ExtAccount) facts() map[string]any {
	facts := map[string]any{"label": a.Label, "type": a.Type, "active": a.Active, "server": a.ShownServer(), "login": a.Login,
		"encryption": a.Encryption, "secret": ""}
	if a.HasSecret() {
		facts["secret"] = "***"
	}
	for name := range strings.FieldsSeq(accountParams) {
		if value := a.Params[name]; value != "" {
			facts[name] = value
		}
	}
	return facts
}

// SaveAccount makes an account, or changes the one of that name; name and type stay. The secret is stored sealed. When
// the account is to sign on elsewhere or as somebody else, the secret has to be given anew: a stored one never follows
// an address that somebody typed.
func (d *DB) SaveAccount(ctx context.Context, actor Actor, edit AccountEdit, add bool) error {
	edit = edit.trimmed()
	if err := errors.Join(actor.Require(Administration), edit.check()); err != nil {
		return err
	}
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		before, err := lockAccount(ctx, tx, edit, add)
		if err != nil {
			return err
		}
		moved := before.Server != edit.Server || before.Login != edit.Login || edit.Port != "" && strconv.Itoa(before.Port) != edit.Port
		if before.HasSecret() && edit.Secret == "" && !edit.ForgetSecret && moved {
			return &Invalid{Field: "secret", Key: "accounts.secret_again"}
		}
		var sealed []byte
		if edit.Secret != "" {
			if sealed, err = d.Seal(edit.Name, edit.Secret); err != nil {
				return err
			}
		}
		if err := writeAccount(ctx, tx, actor, edit, sealed); err != nil {
			return err
		}
		after, err := readAccount(ctx, tx, `internal_name = $1`, edit.Name)
		if err != nil {
			return err
		}
		return d.auditAccount(ctx, tx, actor, before, after, add)
	})
	if err != nil {
		return fmt.Errorf("save the account %s: %w", edit.Name, err)
	}
	return nil
}

// lockAccount reads the account that is changed, or makes the row of a new one.
func lockAccount(ctx context.Context, tx pgx.Tx, edit AccountEdit, add bool) (ExtAccount, error) {
	if !add {
		return readAccount(ctx, tx, `internal_name = $1 AND type = $2 FOR UPDATE`, edit.Name, edit.Type)
	}
	made, err := tx.Exec(ctx, `
		INSERT INTO nms.ext_account (internal_name, label, type)
		VALUES ($1, $2, $3)
		ON CONFLICT (internal_name) DO NOTHING`, edit.Name, edit.Label, edit.Type)
	if err != nil {
		return ExtAccount{}, err
	}
	if made.RowsAffected() == 0 {
		return ExtAccount{}, &Invalid{Field: "name", Key: "accounts.name_taken", Args: []any{edit.Name}}
	}
	return ExtAccount{}, nil
}

// writeAccount writes an edit; what waits for the account is tried again at once.
func writeAccount(ctx context.Context, tx pgx.Tx, actor Actor, edit AccountEdit, sealed []byte) error {
	port, _ := strconv.Atoi(edit.Port)
	_, err := tx.Exec(ctx, `
		UPDATE nms.ext_account
		SET label = @label, active = @active, server = NULLIF(@server, ''), port = NULLIF(@port, 0), account = NULLIF(@login, ''),
		    encryption = NULLIF(@encryption, ''), params = params || @params, modified_by_id = NULLIF(@actor::bigint, 0),
		    created_by_id = COALESCE(created_by_id, NULLIF(@actor::bigint, 0)),
		    secret = CASE WHEN @forget THEN NULL ELSE COALESCE(@sealed, secret) END,
		    secret_set_at = CASE WHEN @forget THEN NULL WHEN @sealed::bytea IS NULL THEN secret_set_at ELSE clock_timestamp() END
		WHERE internal_name = @name`, pgx.StrictNamedArgs{"name": edit.Name, "label": edit.Label, "active": edit.Active, "server": edit.Server,
		"port": port, "login": edit.Login, "encryption": edit.Encryption, "params": edit.Params, "actor": actor.ID,
		"forget": edit.ForgetSecret && sealed == nil, "sealed": sealed})
	if err != nil {
		return err
	}
	return retryPending(ctx, tx, edit.Name)
}

// retryPending makes due what waits for an account, and rings for who sends it.
func retryPending(ctx context.Context, tx pgx.Tx, account string) error {
	if _, err := tx.Exec(ctx, `
		UPDATE nms.notification n
		SET next_try_at = clock_timestamp()
		FROM nms.ext_account a
		WHERE a.internal_name = $1
		  AND n.state = 'pending'
		  AND n.next_try_at > clock_timestamp()
		  AND (a.type = $2 AND n.channel = 'mail' OR n.account_id = a.id)`, account, AccountSMTP); err != nil {
		return fmt.Errorf("what waits for account %s: %w", account, err)
	}
	return Notify(ctx, tx, ChannelOutbox, 0)
}

func (d *DB) auditAccount(ctx context.Context, tx pgx.Tx, actor Actor, before, after ExtAccount, add bool) error {
	entry := AuditEntry{EntityType: "account", Entity: after.Name, Action: "Modified", Actor: actor, Allowed: true}
	is := after.facts()
	if add {
		entry.Action, entry.Detail = "Created", map[string]any{"after": is}
		return d.Audit(ctx, tx, entry)
	}
	if after.Type == AccountWebhook && before.Server != after.Server {
		is["server"] = is["server"].(string) + " (replaced)"
	}
	if before.HasSecret() && after.HasSecret() && string(before.secret) != string(after.secret) {
		is["secret"] = "*** (replaced)"
	}
	was := before.facts()
	for name := range was {
		if _, set := is[name]; !set {
			is[name] = ""
		}
	}
	entry.Detail = changed(was, is)
	return d.Audit(ctx, tx, entry)
}

// TestedAccount notes what a test of an account came to (nil: it works), in the account and in the audit trail.
func (d *DB) TestedAccount(ctx context.Context, actor Actor, a ExtAccount, problem *AccountProblem) error {
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		result := "it works"
		if problem != nil {
			result = problem.Kind + ": " + problem.Text
			if err := accountFailed(ctx, tx, a.ID, problem); err != nil {
				return err
			}
		} else {
			if err := accountWorked(ctx, tx, a.ID); err != nil {
				return err
			}
			if err := retryPending(ctx, tx, a.Name); err != nil {
				return err
			}
		}
		return d.Audit(ctx, tx, AuditEntry{EntityType: "account", Entity: a.Name, Action: "Tested", Actor: actor, Allowed: true,
			Detail: map[string]any{"result": result}})
	})
	if err != nil {
		return fmt.Errorf("note the test of account %s: %w", a.Name, err)
	}
	return nil
}
