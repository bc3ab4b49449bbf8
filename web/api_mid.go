package web

import (
	"errors"

	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
)

// How much an instance may ask for at once.
const (
	deliveriesAtOnce, deliveriesAtMost = 500, 1000
	logsAtOnce, logsAtMost             = 5000, 50_000
	addressesAtOnce, addressesAtMost   = 1000, 10_000
	checksumsAtMost                    = 200
)

// midDeliveries lists what is carried for the caller and has changed.
func (s *Server) midDeliveries(c echo.Context) error {
	q := query{c: c}
	at := q.place("modified_since", deliveriesAtOnce, deliveriesAtMost)
	if q.err != nil {
		return q.err
	}
	page, err := s.db.MidDeliveries(c.Request().Context(), s.caller(c), at.since, at.after, at.limit)
	if err != nil {
		return err
	}
	return s.answerJSON(c, http.StatusOK, page)
}

// midLogs gives the caller the logs of its messages that changed since a date.
func (s *Server) midLogs(c echo.Context) error {
	q := query{c: c}
	window := db.LogWindow{Start: q.moment("start_date"), End: q.moment("end_date"), EmitterDate: q.moment("emitter_date"),
		Count: int(q.number("log_count", logsAtOnce, 1, logsAtMost))}
	switch {
	case q.err != nil:
		return q.err
	case window.Start.IsZero():
		return badRequest("start_date is needed")
	case !window.End.IsZero() && !window.End.After(window.Start):
		return badRequest("end_date is not after start_date")
	}
	page, err := s.db.MidLogs(c.Request().Context(), s.caller(c), window)
	if errors.Is(err, db.ErrNotSettled) {
		return &apiProblem{status: http.StatusConflict, code: "not_settled", wait: time.Second,
			detail: "no second after start_date is over yet, or a transaction still writes in it"}
	}
	if err != nil {
		return err
	}
	return s.answerJSON(c, http.StatusOK, page)
}

type midMessagesAnswer struct {
	Messages []db.MidMessage `json:"messages"`
}

var checksum = regexp.MustCompile(`^[0-9a-f]{32}$`)

// midMessages explains texts of errors: those with the checksums given, else those that changed.
func (s *Server) midMessages(c echo.Context) error {
	q := query{c: c}
	at := q.place("since", addressesAtOnce, addressesAtMost)
	if q.err != nil {
		return q.err
	}
	var page []db.MidMessage
	var err error
	if asked := c.QueryParam("md5"); asked != "" {
		checksums := strings.Split(asked, ",")
		if len(checksums) > checksumsAtMost || slices.ContainsFunc(checksums, func(sum string) bool { return !checksum.MatchString(sum) }) {
			return badRequest("md5 is not a list of up to 200 checksums of 32 hexadecimal digits")
		}
		page, err = s.db.MidMessages(c.Request().Context(), checksums)
	} else {
		page, err = s.db.MidMessagesSince(c.Request().Context(), at.since, at.after, at.limit)
	}
	if err != nil {
		return err
	}
	return s.answerJSON(c, http.StatusOK, midMessagesAnswer{page})
}

type midAddressesAnswer struct {
	Addresses []db.MidAddress `json:"addresses"`
}

// midAddresses lists the state of addresses that the caller's messages went to.
func (s *Server) midAddresses(c echo.Context) error {
	q := query{c: c}
	at := q.place("since", addressesAtOnce, addressesAtMost)
	if q.err != nil {
		return q.err
	}
	page, err := s.db.MidAddresses(c.Request().Context(), s.caller(c), at.since, at.after, at.limit)
	if err != nil {
		return err
	}
	return s.answerJSON(c, http.StatusOK, midAddressesAnswer{page})
}

// cleanupIDs are the deliveries that an instance no longer needs: its own ids, and optionally ours in the same order.
type cleanupIDs struct {
	EmitterIDs []int64 `json:"emitter_ids"`
	RemoteIDs  []int64 `json:"remote_ids"`
}

type cleanupAnswer struct {
	Deleted int64 `json:"deleted"`
}

// cleanupDeliveries stops and deletes deliveries of the caller. What is not there, or not the caller's, is passed over.
func (s *Server) cleanupDeliveries(c echo.Context) error {
	var in cleanupIDs
	if err := readJSON(c, &in); err != nil {
		return err
	}
	remote := make([]*int64, len(in.EmitterIDs))
	switch {
	case len(in.EmitterIDs) == 0:
		return badRequest("emitter_ids are needed")
	case len(in.RemoteIDs) == len(in.EmitterIDs):
		for i := range in.RemoteIDs {
			remote[i] = &in.RemoteIDs[i]
		}
	case len(in.RemoteIDs) > 0:
		return badRequest("remote_ids are not as many as emitter_ids")
	}
	deleted, err := s.db.CleanupDeliveries(c.Request().Context(), s.caller(c), s.actor(c), in.EmitterIDs, remote)
	if err != nil {
		return err
	}
	return s.answerJSON(c, http.StatusOK, cleanupAnswer{deleted})
}
