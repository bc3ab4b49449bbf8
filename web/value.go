package web

import (
	"math"
	"slices"
	"strconv"
	"time"
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
