package redisconfig

import (
	"errors"
	"fmt"
	"strings"

	"github.com/statelink/statelink/redismanager"
)

// judgedBy lists, for settings that RedisConfig.Validate holds against others,
// those others. A complaint that rests on one that could not be read would be
// a wrong one, so it is left out until that is repaired.
var judgedBy = map[string][]string{
	"addr":               {"addrs", "mode", "url"},
	"addrs":              {"addr", "mode", "url"},
	"db":                 {"mode", "url"},
	"master_name":        {"mode", "url"},
	"sentinel_username":  {"mode", "url"},
	"sentinel_password":  {"mode", "url", "sentinel_username"},
	"password":           {"url", "username"},
	"min_idle_conns":     {"pool_size"},
	"max_idle_conns":     {"pool_size", "min_idle_conns"},
	"max_retry_backoff":  {"min_retry_backoff"},
	"tls.ca_file":        {"tls.enabled", "url"},
	"tls.cert_file":      {"tls.enabled", "tls.key_file", "url"},
	"tls.key_file":       {"tls.enabled", "tls.cert_file", "url"},
	"tls.server_name":    {"tls.enabled", "url"},
}

// validate reports what RedisConfig.Validate finds, at the place that each
// setting came from.
func (p *problems) validate(config redismanager.RedisConfig, settings layer) {
	for _, err := range split(config.Validate()) {
		var field *redismanager.FieldError
		if !errors.As(err, &field) {
			p.report(&SettingError{Key: section, Problem: "refused", Cause: err})
			continue
		}
		name, _, _ := strings.Cut(field.Field, "[")
		if p.isBroken(name) {
			continue
		}
		at, got := locate(field, name, settings)
		p.report(&SettingError{
			Key: at.key, Source: at.source, Cause: err,
			Problem: fmt.Sprintf("got %s, want %s", got, field.Want),
		})
	}
}

func (p *problems) isBroken(name string) bool {
	if p.broken[name] {
		return true
	}
	for _, other := range judgedBy[name] {
		if p.broken[other] {
			return true
		}
	}
	return false
}

// locate finds where a refused field came from, and what may be shown of it.
func locate(field *redismanager.FieldError, name string, settings layer) (at place, got string) {
	s, given := settings[name]
	index := strings.TrimPrefix(field.Field, name)
	if !given && name == "addrs" && index != "" { // the seed was given as addr
		s, given = settings["addr"]
		index = ""
	}
	if !given {
		return place{key: fullName(field.Field)}, field.Got
	}
	at, got = s.at, field.Got
	at.key += index
	if k := keyByName[name]; s.inURL && k.kind == kindText {
		got = "a text"
	}
	return at, got
}

// split undoes errors.Join.
func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
