package redisconfig

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/statelink/statelink/redismanager"
)

// SettingError refuses one setting, or one source as a whole. It matches
// [redismanager.ErrInvalidArgument]. [LoadRedisConfig] and [ParseURL] return
// one or several of them joined.
type SettingError struct {
	// Key is the setting as its source spells it: redis.pool_size or
	// STATELINK_REDIS_POOL_SIZE. Empty when it is about a whole file.
	Key string
	// Source is the file's path, "the environment" or "the overrides". Empty
	// when no source gave the setting.
	Source string
	// Problem says what is wrong and what would be right, never with a secret.
	Problem string
	// Cause is the file system's error, or the [*redismanager.FieldError] of
	// [redismanager.RedisConfig.Validate]; often nil.
	Cause error
}

// Error names the setting, its source and the problem, on one line.
func (e *SettingError) Error() string {
	where := make([]string, 0, 2)
	for _, part := range []string{e.Key, e.Source} {
		if part != "" {
			where = append(where, oneLine(part))
		}
	}
	return fmt.Sprintf("%v: %s: %s", redismanager.ErrInvalidArgument, strings.Join(where, " in "), e.Problem)
}

// Is reports whether target is [redismanager.ErrInvalidArgument].
func (e *SettingError) Is(target error) bool { return target == redismanager.ErrInvalidArgument }

// Unwrap gives the cause, or nil.
func (e *SettingError) Unwrap() error { return e.Cause }

// place is where a setting came from, in the words for errors.
type place struct{ key, source string }

// within is the place of one part of the setting: "option pool_size of redis.url".
func (p place) within(part string) place {
	return place{key: part + " of " + p.key, source: p.source}
}

// problems collects what is wrong, so that one run shows all of it.
type problems struct {
	list []error
	// broken holds the keys whose value is not known because of a problem.
	broken map[string]bool
}

func (p *problems) refuse(at place, format string, args ...any) {
	p.report(&SettingError{Key: at.key, Source: at.source, Problem: fmt.Sprintf(format, args...)})
}

func (p *problems) report(err *SettingError) { p.list = append(p.list, err) }

// breaks notes that name was given but could not be understood.
func (p *problems) breaks(name string) {
	if p.broken == nil {
		p.broken = map[string]bool{}
	}
	p.broken[name] = true
}

func (p *problems) err() error { return errors.Join(p.list...) }

// oneLine quotes what would break a line or a terminal.
func oneLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
