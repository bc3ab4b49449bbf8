package web

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/jobs/redirlog"
)

// How many raw lines another instance gets unless it says, and at most (logCountPerRequest).
const rawLinesAtOnce, rawLinesAtMost = 30, 10_000

// trackingLogsAnswer has the names of Campaign's GetTrackingLogs.
type trackingLogsAnswer struct {
	Pointer    string   `json:"pointer"`
	LogCount   int      `json:"logCount"`
	Logs       string   `json:"logs"`
	ServerDate db.Stamp `json:"serverDate"`
}

// trackingLogs gives another instance the raw lines of this node after a pointer. The date is that of this node's clock,
// by which the lines are dated.
func (s *Server) trackingLogs(c echo.Context) error {
	in := struct {
		Instance, Pointer string
		LogCount          *int
	}{Pointer: "0x0"}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	count := rawLinesAtOnce
	if in.LogCount != nil {
		count = *in.LogCount
	}
	digits, ok := strings.CutPrefix(in.Pointer, "0x")
	after, err := strconv.ParseUint(digits, 16, 64)
	switch {
	case !strings.EqualFold(in.Instance, s.visit(c).Operator.Login):
		return badRequest("instance is not the login that the token was given to")
	case !ok || err != nil:
		return badRequest("pointer is not 0x and up to 16 hexadecimal digits")
	case count < 1 || count > rawLinesAtMost:
		return badRequest("logCount is not between 1 and 10000")
	case s.config.RawLog == nil:
		return &apiProblem{status: http.StatusServiceUnavailable, code: "no_raw_log", detail: "this process keeps no raw log", wait: time.Minute}
	}
	lines, last, err := redirlog.Read(s.config.RawLog.Dir(), after, count)
	if err != nil {
		return err
	}
	var logs []byte
	for _, line := range lines {
		logs = append(append(logs, line...), '\n')
	}
	return s.answerJSON(c, http.StatusOK, trackingLogsAnswer{Pointer: fmt.Sprintf("0x%016X", last), LogCount: len(lines),
		Logs: string(bytes.ToValidUTF8(logs, []byte("?"))), ServerDate: db.Stamp{Time: time.Now()}})
}
