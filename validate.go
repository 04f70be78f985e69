package statelink

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/statelink/statelink/redismanager"
)

const (
	maxNameBytes     = 253
	maxUIDBytes      = 512
	maxWorkloadBytes = 1024
)

// firstError runs checks in order and gives the first refusal.
func firstError(checks ...error) error {
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

func refuse(field, got, want string) error {
	return &redismanager.FieldError{Field: field, Got: got, Want: want}
}

func checkNamespace(s string) error { return checkName("namespace", s) }

func checkService(s string) error { return checkName("service", s) }

// checkName accepts [A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?. A colon or brace
// would let one name forge the keys of another.
func checkName(field, s string) error {
	if s == "" || len(s) > maxNameBytes {
		return refuse(field, fmt.Sprintf("%d bytes", len(s)), fmt.Sprintf("1 to %d bytes", maxNameBytes))
	}
	if !isAlphanumeric(s[0]) || !isAlphanumeric(s[len(s)-1]) {
		return refuse(field, quote(s), "a letter or digit at both ends")
	}
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return refuse(field, quote(s), "only letters, digits and . _ -")
		}
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// checkUID refuses what could leave the hash tag, and what another language
// could not keep apart (bytes that are not UTF-8).
func checkUID(s string) error {
	if s == "" || len(s) > maxUIDBytes {
		return refuse("uid", fmt.Sprintf("%d bytes", len(s)), fmt.Sprintf("1 to %d bytes", maxUIDBytes))
	}
	if !utf8.ValidString(s) {
		return refuse("uid", quote(s), "valid UTF-8")
	}
	for _, r := range s {
		if r == '{' || r == '}' || unicode.IsControl(r) {
			return refuse("uid", quote(s), "no braces and no control characters")
		}
	}
	return nil
}

func checkPod(pod int) error {
	if pod < 0 || pod > MaxPod {
		return refuse("pod", strconv.Itoa(pod), fmt.Sprintf("0 to %d", MaxPod))
	}
	return nil
}

func checkPersist(seconds int) error {
	if seconds != PersistForever && (seconds < 1 || seconds > MaxPersistSeconds) {
		return refuse("persistSeconds", strconv.Itoa(seconds), fmt.Sprintf("-1 (persistent) or 1 to %d", MaxPersistSeconds))
	}
	return nil
}

func checkRemoval(seconds int) error {
	if seconds < -1 || seconds > MaxPersistSeconds {
		return refuse("persistSeconds", strconv.Itoa(seconds), fmt.Sprintf("-1 or 0 (now) or 1 to %d", MaxPersistSeconds))
	}
	return nil
}

func checkLoad(load int64) error {
	if load < 0 || load > MaxLoad {
		return refuse("load", strconv.FormatInt(load, 10), fmt.Sprintf("0 to %d", int64(MaxLoad)))
	}
	return nil
}

func checkRouting(r Routing) error {
	if r < RoutingUnavailable || r > RoutingDraining {
		return refuse("routing", strconv.Itoa(int(r)), "0 (unavailable), 1 (ready) or 2 (draining)")
	}
	return nil
}

func checkWorkload(s string) error {
	if s == "" || len(s) > maxWorkloadBytes {
		return refuse("workload state", fmt.Sprintf("%d bytes", len(s)), fmt.Sprintf("1 to %d bytes", maxWorkloadBytes))
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return refuse("workload state", quote(s), "UTF-8 without control characters")
	}
	return nil
}

// quote shows what a caller gave, at most its first 40 bytes.
func quote(s string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%q... (%d bytes)", s[:40], len(s))
	}
	return strconv.Quote(s)
}

// clip shortens stored data for an error text.
func clip(s string) string { return s[:min(len(s), 80)] }

// parseUnsigned reads digits only: no sign, no space, no leading zeros, since
// another spelling of a number would be another pod to a script.
func parseUnsigned(s string, highest int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > highest || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%w: %q is not a number from 0 to %d", ErrMalformedData, clip(s), highest)
	}
	return n, nil
}
