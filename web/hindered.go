package web

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"nightshift/views"
)

// hindrances are the causes that a person can mend, by SQLSTATE.
var hindrances = map[string]string{
	"53100": "disk_full",
	"25006": "read_only",
	"53300": "connections",
}

// hindrance is what PostgreSQL lacks, when an error says that it is one of these; else empty.
func hindrance(err error) string {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return ""
	}
	return hindrances[refused.Code]
}

// hindered is what keeps the engine of this node from its work, as pages show it. Only administrators read the message.
func (s *Server) hindered(operator *views.Operator) views.Hindered {
	if s.config.Hindered == nil {
		return views.Hindered{}
	}
	since, err := s.config.Hindered()
	if err == nil {
		return views.Hindered{}
	}
	shown := views.Hindered{Since: since, Cause: "other"}
	if cause := hindrance(err); cause != "" {
		shown.Cause = cause
	}
	if operator != nil && operator.Admin {
		shown.Message = brief(strings.ReplaceAll(err.Error(), "\n", "; ")) // the log has all of it
	}
	return shown
}
