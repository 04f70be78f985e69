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
	"addr":              {"addrs", "mode", "url"},
	"addrs":             {"addr", "mode", "url"},
	"db":                {"mode", "url"},
	"master_name":       {"mode", "url"},
	"sentinel_username": {"mode", "url"},
	"sentinel_password": {"mode", "url", "sentinel_username"},
	"password":          {"url", "username"},
	"min_idle_conns":    {"pool_size"},
	"max_idle_conns":    {"pool_size", "min_idle_conns"},
	"max_retry_backoff": {"min_retry_backoff"},
	"tls.ca_file":       {"tls.enabled", "url"},
	"tls.cert_file":     {"tls.enabled", "tls.key_file", "url"},
	"tls.key_file":      {"tls.enabled", "tls.cert_file", "url"},
	"tls.server_name":   {"tls.enabled", "url"},
}

// validate reports what RedisConfig.Validate finds, at the place that each
// setting came from. Spell names those that no source gave.
func (p *problems) validate(config redismanager.RedisConfig, settings layer, spell func(string) string) {
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
		at, shown := locate(field, name, settings)
		if at.key == "" {
			at.key = spell(field.Field)
		}
		p.report(&SettingError{
			Key: at.key, Source: at.source, Cause: shown,
			Problem: fmt.Sprintf("got %s, want %s%s", shown.Got, shown.Want, plainURL(name, settings)),
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

// locate finds where a refused field came from, and gives the part of the
// complaint that may be shown: no text of a URL is. The place of a setting
// that no source gave is empty.
func locate(field *redismanager.FieldError, name string, settings layer) (place, *redismanager.FieldError) {
	s, given := settings[name]
	index := strings.TrimPrefix(field.Field, name)
	if !given && name == "addrs" && index != "" { // the seed was given as addr
		s, given = settings["addr"]
		index = ""
	}
	if !given {
		return place{}, field
	}
	s.at.key += index
	if s.inURL && keyByName[name].kind == kindText {
		field = &redismanager.FieldError{Field: field.Field, Got: "a text", Want: field.Want}
	}
	return s.at, field
}

// plainURL adds to a complaint about TLS that a URL without TLS caused it: the
// source of the complaint may well have tls.enabled: true.
func plainURL(name string, settings layer) string {
	enabled, given := settings["tls.enabled"]
	if !strings.HasPrefix(name, "tls.") || !given || !enabled.inURL || enabled.value == true {
		return ""
	}
	source := ""
	if enabled.at.source != "" {
		source = " in " + oneLine(enabled.at.source)
	}
	return fmt.Sprintf(" (%s%s is false; rediss in its scheme turns TLS on)", enabled.at.key, source)
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
