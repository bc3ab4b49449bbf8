package transfer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
	"nightshift/jobs/external/midsourcing"
	"nightshift/jobs/nms"
)

const (
	// lastLog begins the name of the option that keeps up to where the logs of an account were fetched. Cleanup reads it,
	// too: a delivery whose validity lies before it has no log to come.
	lastLog = "NmsMidSourcing_LastBroadLog_"
	// logsAtOnce is how many logs are asked for in one call.
	logsAtOnce = 5000
)

// DefaultMidSourcingLog fetches from each mid-sourcing server the logs of the messages that it carries for this instance,
// and does with them what the sending instance does with its own: status, error text, state of the address.
func DefaultMidSourcingLog(ctx context.Context, r *jobs.Run) error {
	return eachAccount(ctx, r, func(ctx context.Context, a account, client *midsourcing.Client) error {
		f := fetch{account: a, run: r, client: client, counts: map[string]int{}}
		return f.logs(ctx)
	})
}

// fetch is the logs of one account while they are fetched, and what became of them.
type fetch struct {
	account    account
	run        *jobs.Run
	client     *midsourcing.Client
	tolerances map[string]nms.Tolerance // by type of address

	fetched, pages, unknown, quarantined int
	counts                               map[string]int // by status
	cursor                               time.Time
}

// logs fetches page by page until one is not full. Each page is applied with its cursor in one transaction: whatever
// happens in between, the next run goes on after the last page that was.
func (f *fetch) logs(ctx context.Context) error {
	r := f.run
	start, end, err := f.window(ctx)
	if err != nil || start.IsZero() {
		return err
	}
	if f.tolerances, err = tolerances(ctx, r); err != nil {
		return err
	}
	f.cursor = start
	for {
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
		page, err := f.client.Logs(ctx, midsourcing.Window{Start: f.cursor, End: end, Now: time.Now(), Count: logsAtOnce})
		if errors.Is(err, midsourcing.ErrNotSettled) {
			break
		}
		if err != nil {
			return err
		}
		texts, err := f.newTexts(ctx, page.Logs)
		if err != nil {
			return err
		}
		if err := f.apply(ctx, page, texts); err != nil {
			return fmt.Errorf("apply a page of logs: %w", err)
		}
		r.Progress(int64(f.fetched), max(page.Left+int64(f.fetched-len(page.Logs)), int64(f.fetched)), "logs")
		// A simulation shows what the first page would do.
		if len(page.Logs) < logsAtOnce || r.Simulated() {
			break
		}
	}
	f.tell()
	return f.recount(ctx)
}

// window is from where to where logs are fetched: from the cursor, or the creation of the account's first delivery, and for
// NmsMidSourcing_LogsPeriodHour hours at most, zero for no end. A zero start: there is nothing to fetch.
func (f *fetch) window(ctx context.Context) (start, end time.Time, err error) {
	start, ok, err := f.account.cursor(ctx, f.run, lastLog)
	if err != nil {
		return start, end, err
	}
	if !ok {
		if start, err = f.oldest(ctx); err != nil || start.IsZero() {
			return start, end, err
		}
		f.run.Warn("%s: no %s%s: starts from the oldest delivery, %s", f.account.name, lastLog, f.account.name, start.UTC().Format(time.DateTime))
	}
	value, _, err := f.run.Option(ctx, "NmsMidSourcing_LogsPeriodHour")
	if err != nil {
		return start, end, fmt.Errorf("read NmsMidSourcing_LogsPeriodHour: %w", err)
	}
	if hours, err := strconv.ParseFloat(value, 64); err == nil && hours > 0 && hours < 1e6 {
		end = start.Add(time.Duration(hours * float64(time.Hour)))
	}
	return start, end, nil
}

// oldest is when the first delivery of the account was made.
func (f *fetch) oldest(ctx context.Context) (time.Time, error) {
	var at *time.Time
	err := f.run.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&at) }, `
		SELECT min(created)
		FROM nms.delivery
		WHERE delivery_mode = 'mid_sourcing'
		  AND provider_id = $1
		  AND mid_remote_id IS NOT NULL`, f.account.id)
	if err != nil {
		return time.Time{}, fmt.Errorf("the oldest delivery of %s: %w", f.account.name, err)
	}
	if at == nil {
		f.run.Log("%s: no delivery was transferred yet, nothing to fetch", f.account.name)
		return time.Time{}, nil
	}
	return *at, nil
}

// newTexts fetches the texts of errors that are not known here yet.
func (f *fetch) newTexts(ctx context.Context, logs []midsourcing.Log) ([]midsourcing.Message, error) {
	var missing []string
	err := f.run.Query(ctx, func(rows pgx.Rows) error {
		var md5 string
		err := rows.Scan(&md5)
		missing = append(missing, md5)
		return err
	}, `
		SELECT DISTINCT t.msg_md5
		FROM jsonb_to_recordset($1::jsonb) AS t (msg_md5 text)
		WHERE t.msg_md5 IS NOT NULL
		  AND NOT EXISTS (SELECT FROM nms.broad_log_msg m WHERE m.md5 = t.msg_md5)`, logs)
	if err != nil {
		return nil, fmt.Errorf("texts of errors: %w", err)
	}
	if len(missing) == 0 {
		return nil, nil
	}
	return f.client.Messages(ctx, missing)
}

// tell says in words what the logs were.
func (f *fetch) tell() {
	other := f.fetched - f.counts["sent"] - f.counts["failed"]
	f.run.Read(int64(f.fetched))
	f.run.Say("%d logs in %d pages (%d sent, %d failed, %d other), %d addresses quarantined, %d unknown, cursor %s", f.fetched, f.pages,
		f.counts["sent"], f.counts["failed"], other, f.quarantined, f.unknown, f.cursor.UTC().Format(time.DateTime))
}
