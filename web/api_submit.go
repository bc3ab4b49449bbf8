package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"nightshift/db"
)

// messagesAtMost is how many messages one part of a delivery may bring.
const messagesAtMost = 20_000

// preparing bounds how many calls that prepare deliveries are answered at a time, over all instances.
func (s *Server) preparing(handle echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		text, err := s.db.Option(c.Request().Context(), "NmsMidSourcing_PrepareFlow")
		if err != nil {
			return err
		}
		flow, err := strconv.ParseInt(text, 10, 32)
		if err != nil || flow < 1 {
			flow = 3
		}
		defer s.prepared.Add(-1)
		if int64(s.prepared.Add(1)) > flow {
			return &apiProblem{status: http.StatusTooManyRequests, code: "prepare_flow", wait: time.Second,
				detail: fmt.Sprintf("%d calls are preparing deliveries already", flow)}
		}
		return handle(c)
	}
}

// submission is a delivery as an instance describes it.
type submission struct {
	EmitterID   int64           `json:"emitter_id"`
	Label       string          `json:"label"`
	MessageType int16           `json:"message_type"`
	Priority    *int16          `json:"priority"`
	ContactDate *time.Time      `json:"contact_date"`
	Validity    *time.Time      `json:"validity"`
	Content     json.RawMessage `json:"content"`
}

func (in submission) check() error {
	switch {
	case in.EmitterID < 1:
		return badRequest("emitter_id is needed")
	case strings.TrimSpace(in.Label) == "" || utf8.RuneCountInString(in.Label) > 200:
		return badRequest("label is needed, of 200 characters at most")
	case in.MessageType < 0 || in.MessageType > 120:
		return badRequest("message_type is not one of the platform")
	case in.ContactDate != nil && !plausible(*in.ContactDate), in.Validity != nil && !plausible(*in.Validity):
		return badRequest("a date is not plausible")
	}
	return nil
}

// submitDelivery takes a delivery that the caller wants sent.
func (s *Server) submitDelivery(c echo.Context) error {
	var in submission
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	wanted := db.MidSubmission{EmitterID: in.EmitterID, Label: in.Label, MessageType: in.MessageType, Priority: 3,
		ContactDate: in.ContactDate, Validity: in.Validity, Content: in.Content}
	if in.Priority != nil {
		wanted.Priority = *in.Priority
	}
	if s.caller(c).FolderID == 0 {
		return &apiProblem{status: http.StatusForbidden, code: "no_folder", detail: "the operator has no folder for its deliveries"}
	}
	one, made, err := s.db.SubmitDelivery(c.Request().Context(), s.caller(c), wanted)
	if errors.Is(err, db.ErrConflict) {
		return &apiProblem{status: http.StatusConflict, code: "deleted", detail: "the delivery was submitted before and deleted"}
	}
	if errors.Is(err, db.ErrContent) {
		return badRequest("content is more than the database holds")
	}
	if err != nil {
		return err
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	return s.answerJSON(c, status, one)
}

// partAnswer says how many messages of a part were new.
type partAnswer struct {
	db.Submitted
	Added int64 `json:"added"`
}

// addPart adds messages to a delivery of the caller.
func (s *Server) addPart(c echo.Context) error {
	q := query{c: c}
	id, err := q.id()
	if err != nil {
		return err
	}
	var in struct {
		Messages []struct {
			RemoteID int64  `json:"remote_id"`
			Address  string `json:"address"`
			Flags    int32  `json:"flags"`
		} `json:"messages"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if len(in.Messages) == 0 || len(in.Messages) > messagesAtMost {
		return badRequest(fmt.Sprintf("messages are needed, %d at most", messagesAtMost))
	}
	var part db.MidPart
	for i, m := range in.Messages {
		if m.RemoteID < 1 || m.Address == "" || len(m.Address) > 1000 {
			return badRequest(fmt.Sprintf("message %d has no remote_id or no address of 1000 bytes at most", i))
		}
		part.RemoteIDs, part.Addresses, part.Flags = append(part.RemoteIDs, m.RemoteID), append(part.Addresses, m.Address), append(part.Flags, m.Flags)
	}
	one, added, err := s.db.AddPart(c.Request().Context(), s.caller(c), id, part)
	if err != nil {
		return inState(err)
	}
	return s.answerJSON(c, http.StatusOK, partAnswer{one, added})
}

// orderDelivery starts, stops or pauses a delivery of the caller.
func (s *Server) orderDelivery(order db.MidOrder) echo.HandlerFunc {
	return func(c echo.Context) error {
		q := query{c: c}
		id, err := q.id()
		if err != nil {
			return err
		}
		one, err := s.db.OrderDelivery(c.Request().Context(), s.caller(c), s.actor(c), id, order)
		if err != nil {
			return inState(err)
		}
		return s.answerJSON(c, http.StatusOK, one)
	}
}

// inState says in which state a delivery refuses what was asked for.
func inState(err error) error {
	var refused *db.StateError
	if errors.As(err, &refused) {
		return &apiProblem{status: http.StatusConflict, code: "wrong_state", detail: "the delivery has no messages, or its state does not allow this: " + refused.State}
	}
	return err
}
