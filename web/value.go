package web

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

func oneOf(value string, allowed ...string) bool { return slices.Contains(allowed, value) }

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// retryAfter is a wait as the header of that name wants it: whole seconds, rounded up.
func retryAfter(wait time.Duration) string { return strconv.Itoa(int(math.Ceil(wait.Seconds()))) }

// readable reports whether a text is one that the database can hold.
func readable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

func cleanValues(fields url.Values) bool {
	for name, values := range fields {
		if !readable(name) || !readable(strings.Join(values, "")) {
			return false
		}
	}
	return true
}

// placeParam is a number from 1 on that an address may have, of so many bits; 0: it has none.
func placeParam(c echo.Context, name string, bits int) (int64, error) {
	text := c.QueryParam(name)
	if text == "" {
		return 0, nil
	}
	place, err := strconv.ParseInt(text, 10, bits)
	if err != nil || place < 1 {
		return 0, badInput(name)
	}
	return place, nil
}
