package web

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
)

// query reads the parameters of a program's request and keeps the first thing that is wrong with them.
type query struct {
	c   echo.Context
	err error
}

// moment reads a date (RFC 3339); one that is not there is the zero time.
func (q *query) moment(name string) time.Time {
	text := q.c.QueryParam(name)
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !plausible(at) {
		q.fail(name, "is not a date like 2026-07-25T10:59:58.000000Z")
		return time.Time{}
	}
	return at
}

// plausible reports whether a moment lies where moments of a platform do: dates of the year 1 or 10000 are mistakes.
func plausible(at time.Time) bool {
	return !at.Before(time.Unix(0, 0)) && at.Year() < 10_000
}

// number reads a whole number between two bounds.
func (q *query) number(name string, byDefault, least, most int64) int64 {
	text := q.c.QueryParam(name)
	if text == "" {
		return byDefault
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		q.fail(name, fmt.Sprintf("is not a number from %d to %d", least, most))
		return byDefault
	}
	return n
}

func (q *query) fail(name, what string) {
	if q.err == nil {
		q.err = badRequest(name + " " + what)
	}
}

// place is where a list is to go on, by the moment of the last change and the id of the last row.
type place struct {
	since time.Time
	after int64
	limit int
}

// place reads a moment under its name, after_id and limit. Without the moment the list begins at its beginning.
func (q *query) place(since string, byDefault, most int64) place {
	return place{q.moment(since), q.number("after_id", 0, 0, math.MaxInt64), int(q.number("limit", byDefault, 1, most))}
}

// id reads the number in the path; whatever else stands there is not found.
func (q *query) id() (int64, error) {
	id, err := strconv.ParseInt(q.c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, db.ErrNotFound
	}
	return id, nil
}
