package web

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"nightshift/static"
)

// staticFile serves a file by its exact name, which carries the hash of its content and so may be kept for ever.
func (s *Server) staticFile(c echo.Context) error {
	file, ok := static.Find(c.Param("name"))
	if !ok {
		return &problem{status: http.StatusNotFound, key: "error.not_found"}
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	accepted := accepted(c)
	switch {
	case strings.Contains(accepted, "br"):
		return encoded(c, "br", http.StatusOK, file.Type, file.Brotli)
	case strings.Contains(accepted, "gzip"):
		return encoded(c, "gzip", http.StatusOK, file.Type, file.Gzip)
	}
	return c.Blob(http.StatusOK, file.Type, file.Content)
}

func (s *Server) favicon(c echo.Context) error {
	return c.Redirect(http.StatusMovedPermanently, static.Path("favicon.svg"))
}
