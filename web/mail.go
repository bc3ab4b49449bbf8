package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

const outboxPageSize = 50

// outboxPage lists what is to be sent and what was sent.
func (s *Server) outboxPage(c echo.Context) error {
	ctx := c.Request().Context()
	filter := db.OutboxFilter{Channel: c.QueryParam("channel"), State: c.QueryParam("state"), Limit: outboxPageSize}
	if filter.State != "" && !oneOf(filter.State, strings.Fields(db.OutboxStates)...) {
		return badInput("state")
	}
	if !oneOf(filter.Channel, "", "mail", "webhook") {
		return badInput("channel")
	}
	var err error
	if filter.Before, err = placeParam(c, "before", 64); err != nil {
		return err
	}
	messages, more, err := s.db.Messages(ctx, filter)
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionMail, "")
	page.Title = page.T("rail.mail")
	page.Crumbs = []views.Crumb{{Text: page.T("rail.accounts"), Href: "/accounts"}, {Text: page.Title}}
	view := views.Outbox{Page: page, Channel: filter.Channel, State: filter.State, States: []views.Option{{Text: page.T("mail.state_")}}}
	for state := range strings.FieldsSeq(db.OutboxStates) {
		view.States = append(view.States, views.Option{Value: state, Text: page.T("mail.state_" + state)})
	}
	for _, m := range messages {
		view.Rows = append(view.Rows, messageRow(page, m))
	}
	if view.Need, err = s.mailNeed(ctx); err != nil {
		return err
	}
	view.Paging = outboxPaging(c.QueryParams(), messages, more)
	return s.render(c, http.StatusOK, views.OutboxPage(view))
}

func outboxPaging(query url.Values, messages []db.Message, more bool) views.Paging {
	var paging views.Paging
	older := url.Values{}
	for _, name := range []string{"channel", "state"} {
		if value := query.Get(name); value != "" {
			older.Set(name, value)
		}
	}
	if query.Get("before") != "" {
		paging.Newer = "/mail?" + older.Encode()
	}
	if more {
		older.Set("before", strconv.FormatInt(messages[len(messages)-1].ID, 10))
		paging.Older = "/mail?" + older.Encode()
	}
	return paging
}

func (s *Server) mailNeed(ctx context.Context) (views.MailNeed, error) {
	counts, err := s.db.OutboxCounts(ctx)
	return views.MailNeed{Waiting: counts.Waiting, Errors: counts.Errors, Unknown: counts.Unknown, Since: counts.OldestDue,
		NoAccount: counts.NoMailAccount, None: counts.None}, err
}

// messageStates are the glyphs of a message's states; their words are its own.
var messageStates = map[string]views.State{"pending": views.Waiting, "sending": views.Running, "sent": views.Finished, "error": views.Failed,
	"unknown": views.Interrupted}

func messageRow(page views.Page, m db.Message) views.MessageRow {
	row := views.MessageRow{ID: m.ID, State: messageStates[m.State], Word: page.T("mail.state_" + m.State), To: m.To, Subject: m.Subject,
		Workflow: m.Workflow, Channel: page.T("mail.channel_" + m.Channel), Tries: m.Attempts, Note: m.Error, At: m.Changed,
		AtWord: page.T("mail.when_" + m.State), Again: m.State == "error" || m.State == "unknown"}
	switch m.State {
	case "pending":
		if row.At = m.NextTry; row.At.Before(page.Now) {
			row.AtWord = page.T("mail.when_due")
		}
	case "sent":
		row.At = m.Sent
	}
	if m.Account != "" {
		row.Channel += " " + m.Account
	}
	return row
}

// messagePage shows one message as it is sent; the HTML of a mail is not put into a page.
func (s *Server) messagePage(c echo.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	m, err := s.db.Message(c.Request().Context(), id)
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionMail, "")
	page.Title = m.Subject
	page.Crumbs = []views.Crumb{{Text: page.T("rail.mail"), Href: "/mail"}, {Text: strconv.FormatInt(m.ID, 10)}}
	view := views.Message{Page: page, MessageRow: messageRow(page, m), Key: m.Key, Text: m.Text, Made: m.Created, Answer: m.Answer}
	if m.FileName != "" {
		view.File = page.T("mail.file_size", m.FileName, views.Size(m.FileBytes))
	}
	return s.render(c, http.StatusOK, views.MessagePage(view))
}

// sendAgain puts a message that failed, or whose result is unknown, back into the outbox.
func (s *Server) sendAgain(c echo.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	page, to := s.plainPage(c), "/mail/"+strconv.FormatInt(id, 10)
	err = s.db.SendAgain(c.Request().Context(), s.actor(c), id)
	if errors.Is(err, db.ErrNotRepeatable) {
		return s.done(c, to, views.Flash{State: views.Late, Text: page.R("mail.not_repeatable")})
	}
	if err != nil {
		return err
	}
	return s.done(c, to, views.Flash{State: views.Finished, Text: page.R("mail.repeated", strconv.FormatInt(id, 10))})
}
