package midsourcing

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"nightshift/jobs/external/outbound"
)

const (
	deliveriesPath = "/api/v1/mid/deliveries"
	logsPath       = "/api/v1/mid/broad-logs"
	messagesPath   = "/api/v1/mid/broad-log-msgs"
	// logsLimit bounds an answer of logs in bytes: a second is never divided, however many logs it has.
	logsLimit = 128 << 20
	// checksumsAtOnce is how many texts are asked for in one call.
	checksumsAtOnce = 200
)

// ErrNotSettled says that the server has nothing to tell yet of the time after a date: it is not over, or is still written.
var ErrNotSettled = errors.New("nothing after this date is settled yet")

// Delivery is what a server tells of a delivery that it carries for us. ID is its id there, EmitterID the one here.
type Delivery struct {
	ID                  int64      `json:"id"`
	EmitterID           int64      `json:"emitter_id"`
	State               string     `json:"state"`
	StartDate           *time.Time `json:"start_date"`
	BroadStart          *time.Time `json:"broad_start"`
	BroadEnd            *time.Time `json:"broad_end"`
	ToDeliver           int32      `json:"to_deliver"`
	Processed           int32      `json:"processed"`
	Success             int32      `json:"success"`
	SuccessWithoutSeeds int32      `json:"success_without_seeds"`
	Sent                int32      `json:"sent"`
	Error               int32      `json:"error"`
	Reject              int32      `json:"reject"`
	NewQuarantine       int32      `json:"new_quarantine"`
	UnknownUser         int32      `json:"unknown_user"`
	InvalidDomain       int32      `json:"invalid_domain"`
	Unreachable         int32      `json:"unreachable"`
	Disabled            int32      `json:"disabled"`
	MailboxFull         int32      `json:"mailbox_full"`
	NotConnected        int32      `json:"not_connected"`
	Refused             int32      `json:"refused"`
	FailedMessage       *string    `json:"failed_message"`
	LastModified        time.Time  `json:"last_modified"`
}

// DeliveryPage is a list of deliveries. Settled is up to where a cursor may go: beyond it the server may still be writing.
type DeliveryPage struct {
	Deliveries []Delivery `json:"deliveries"`
	Settled    time.Time  `json:"settled_date"`
}

// Deliveries lists what the server carries for us and has changed since a moment, in the order of change, limit at most;
// at the moment itself only what has an id there above after. A list that would lead in a circle is an error.
func (c *Client) Deliveries(ctx context.Context, since time.Time, after int64, limit int) (DeliveryPage, error) {
	var page DeliveryPage
	err := c.get(ctx, deliveriesPath, url.Values{"modified_since": {moment(since)}, "after_id": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(limit)}}, &page)
	if err != nil {
		return page, err
	}
	if page.Deliveries == nil || page.Settled.IsZero() {
		return page, &outbound.UnfitError{Path: deliveriesPath, Why: "no list of deliveries with its date"}
	}
	for _, d := range page.Deliveries {
		if d.ID < 1 || d.EmitterID < 1 || d.State == "" || d.LastModified.Before(since) || d.LastModified.Equal(since) && d.ID <= after {
			return page, &outbound.UnfitError{Path: deliveriesPath, Why: "a delivery without id or state, or not after the last one"}
		}
		since, after = d.LastModified, d.ID
	}
	return page, nil
}

// Log is what became of a message: RemoteID is its id here, EmitterDeliveryID that of its delivery here. EventDate is by
// our clock, LastModified by the server's.
type Log struct {
	RemoteID          int64      `json:"remote_id"`
	EmitterDeliveryID int64      `json:"emitter_delivery_id"`
	Address           *string    `json:"address"`
	Status            string     `json:"status"`
	FailureType       *string    `json:"failure_type"`
	FailureReason     int16      `json:"failure_reason"`
	MsgMD5            *string    `json:"msg_md5"`
	EventDate         *time.Time `json:"event_date"`
	Flags             int32      `json:"flags"`
	LastModified      time.Time  `json:"last_modified"`
}

// Window is which logs are asked for: changed at Start or later, and before End where that is not zero. Now is our clock.
type Window struct {
	Start, End, Now time.Time
	Count           int
}

// Logs are a page: all that was changed from the window's start up to Next. A page that holds as many as were asked for
// may have another after it. Left is about how many there were, this page included.
type Logs struct {
	Logs []Log     `json:"logs"`
	Next time.Time `json:"next_date"`
	Left int64     `json:"left"`
}

// Logs fetches a page of logs. ErrNotSettled: there is no page yet. A date that does not advance is an error: who went on
// with it would never end.
func (c *Client) Logs(ctx context.Context, w Window) (Logs, error) {
	query := url.Values{"start_date": {moment(w.Start)}, "log_count": {strconv.Itoa(w.Count)}, "emitter_date": {moment(w.Now)}}
	if !w.End.IsZero() {
		query.Set("end_date", moment(w.End))
	}
	var page Logs
	err := c.get(ctx, logsPath, query, &page)
	var refused *outbound.StatusError
	switch {
	case errors.As(err, &refused) && refused.Code == http.StatusConflict:
		return page, ErrNotSettled
	case err != nil:
		return page, err
	case !page.Next.After(w.Start):
		return page, &outbound.UnfitError{Path: logsPath, Why: "server returned a non-advancing date"}
	}
	incomplete := func(l Log) bool {
		return l.RemoteID < 1 || l.EmitterDeliveryID < 1 || l.Status == "" || l.LastModified.IsZero()
	}
	if slices.ContainsFunc(page.Logs, incomplete) {
		return page, &outbound.UnfitError{Path: logsPath, Why: "a log without id, status or date"}
	}
	return page, nil
}

// Message is a distinct text of an error and what the server takes it for.
type Message struct {
	MD5           string `json:"md5"`
	Text          string `json:"text"`
	MessageType   int16  `json:"message_type"`
	FailureType   string `json:"failure_type"`
	FailureReason int16  `json:"failure_reason"`
	QualifStatus  string `json:"qualif_status"`
}

// Messages fetches the texts with the checksums given; those that the server does not have are not among them.
func (c *Client) Messages(ctx context.Context, checksums []string) ([]Message, error) {
	var all []Message
	for some := range slices.Chunk(checksums, checksumsAtOnce) {
		var page struct {
			Messages []Message `json:"messages"`
		}
		if err := c.get(ctx, messagesPath, url.Values{"md5": {strings.Join(some, ",")}}, &page); err != nil {
			return nil, err
		}
		for _, m := range page.Messages {
			if slices.Contains(some, m.MD5) {
				all = append(all, m)
			}
		}
	}
	return all, nil
}

func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	answer, err := c.Do(ctx, outbound.Call{Method: http.MethodGet, Path: path, Query: query, Limit: logsLimit})
	if err != nil {
		return err
	}
	return answer.Decode(out)
}

// moment writes a date as the API wants it: UTC, with the microseconds that PostgreSQL keeps.
func moment(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z") }
