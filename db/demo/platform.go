package demo

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// loadMobile: an application whose service was deleted, subscriptions of an application that is gone, and subscriptions
// that have been disabled for about 180 days.
func loadMobile(ctx context.Context, l *loader) error {
	apps := []struct {
		label, platform string
		service         int64
	}{{"Shop for iOS", "ios", 4}, {"Shop for Android", "android", 4}, {"Old shop", "android", 5}, {"Lost shop", "ios", 99}}
	err := l.copy(ctx, "nms.mobile_app", "id label uuid platform service_id created last_modified",
		numbered(int64(len(apps)), func(i int64) []any {
			var id pgtype.UUID
			binary.BigEndian.PutUint64(id.Bytes[:], mix(i, 40))
			id.Valid = true
			return []any{i + 1, apps[i].label, id, apps[i].platform, apps[i].service, l.ago(700 * day), l.ago(100 * day)}
		}))
	if err != nil {
		return err
	}
	err = l.copy(ctx, "nms.app_subscription_rcp", "id recipient_id mobile_app_id registration_token registered_at disabled disabled_at created last_modified",
		numbered(l.plan.appSubscriptions, func(i int64) []any {
			app, at := 1+i%2, l.ago(l.age(i, 180*day))
			disabled, disabledAt := i < 10 || i%9 == 0, any(nil)
			if disabled {
				disabledAt = at
			}
			if i >= 10 && i%10 == 0 {
				app = 4 + i%20/10 // a service, then an application that does not exist
			}
			return []any{i + 1, 1 + i%l.plan.recipients, app, fmt.Sprintf("reg-%016x", mix(i, 41)), at.Add(-100 * day), disabled, disabledAt, at.Add(-100 * day), at}
		}))
	if err != nil {
		return err
	}
	err = l.exec(ctx, `
		INSERT INTO nms.hypothesis (id, internal_name, label, state, created, last_modified)
		VALUES (1, 'spring', 'Spring offer', 'finished', $1, $1)`, l.ago(200*day))
	if err != nil {
		return err
	}
	return l.copy(ctx, "nms.rema_match", "id hypothesis_id recipient_id amount transaction_ref",
		numbered(l.plan.reactions, func(i int64) []any {
			return []any{i + 1, 1 + i%3/2, 1 + i%l.plan.recipients, int64(10 + i%90), fmt.Sprintf("T%d", i)}
		}))
}

// loadEnumerations turns the cleansing of companies on. Of the aliases, those that were mapped since the last cleansing
// concern every row, old ones too.
func loadEnumerations(ctx context.Context, l *loader) error {
	last := l.ago(day)
	err := l.exec(ctx, `
		UPDATE xtk.enum
		SET alias_cleansing = internal_name <> 'domain', last_alias_cleansing = $1
		WHERE internal_name IN ('company', 'origin', 'domain')`, last)
	if err != nil {
		return err
	}
	for i, company := range companies {
		err := l.exec(ctx, `
			INSERT INTO xtk.enum_value (enum_id, name, label, last_modified)
			SELECT id, $1, $2, $3
			FROM xtk.enum
			WHERE internal_name = 'company'`, fmt.Sprintf("c%02d", i+1), company, l.ago(300*day))
		if err != nil {
			return err
		}
	}
	for i, alias := range aliasLabels {
		modified := l.ago(100 * day)
		if i%2 == 0 {
			modified = l.ago(3 * hour)
		}
		err := l.exec(ctx, `
			INSERT INTO xtk.enum_alias (enum_id, enum_value_id, label, last_modified)
			SELECT v.enum_id, v.id, $1, $3
			FROM xtk.enum_value v
			JOIN xtk.enum e ON e.id = v.enum_id
			WHERE e.internal_name = 'company'
			  AND v.label = $2`, alias, aliases[alias], modified)
		if err != nil {
			return err
		}
	}
	return nil
}

// loadPlatform: imports with the rows they refused, sessions, attempts to sign in, mails sent and orders applied, each on
// both sides of its limit.
func loadPlatform(ctx context.Context, l *loader) error {
	if err := l.billed(ctx); err != nil {
		return err
	}
	err := l.copy(ctx, "xtk.job", "id internal_name label type status start_date end_date created last_modified",
		numbered(12, func(i int64) []any {
			at := l.ago(time.Duration(i*30) * day)
			return []any{i + 1, fmt.Sprintf("imp%d", i+1), fmt.Sprintf("Import of customers %d", i+1), "import", "finished", at, at.Add(hour), at, at}
		}))
	if err != nil {
		return err
	}
	err = l.copy(ctx, "xtk.reject", "id job_id log_date message origin",
		numbered(l.plan.rejects, func(i int64) []any {
			job := 1 + i%12
			if i >= 10 && i%20 == 0 {
				job = 1000 + i // its job is gone
			}
			return []any{i + 1, job, l.ago(l.age(i, 180*day)), "Line " + fmt.Sprint(i+2) + ": the e-mail address is not valid", "customers.csv"}
		}))
	if err != nil {
		return err
	}
	err = l.copy(ctx, "xtk.session_info", "token_hash data expiration user_agent created last_seen",
		numbered(12, func(i int64) []any {
			// Nobody can use these: no token has such a hash.
			token := fmt.Appendf(nil, "demo %032d", i)
			end := l.ago(time.Duration(i+1) * hour)
			if i%4 == 3 {
				end = l.now.Add(2 * day)
			}
			return []any{token, []byte{}, end, "Demo browser", l.ago(3 * day), l.ago(2 * day)}
		}))
	if err != nil {
		return err
	}
	err = l.copy(ctx, "xtk.login_attempt", "id login ip success reason created",
		numbered(l.plan.logins, func(i int64) []any {
			var reason any
			if i%9 == 0 {
				reason = "password"
			}
			// All older than a day: nobody is locked out by what was invented.
			return []any{i + 1, fmt.Sprintf("demo%d", i%7), nil, i%9 != 0, reason, l.ago(day + l.age(i, 365*day))}
		}))
	if err != nil {
		return err
	}
	return l.notices(ctx)
}

// billed names the customer, and gives the operator who gets the activity report an address.
func (l *loader) billed(ctx context.Context) error {
	if err := l.exec(ctx, `
		UPDATE xtk.operator
		SET email = 'billing@example.com'
		WHERE login = 'billing'`); err != nil {
		return err
	}
	return l.exec(ctx, `
		UPDATE xtk.option
		SET string_value = 'demo'
		WHERE name = 'NmsServer_CustomerId'`)
}
