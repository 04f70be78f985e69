package redisconfig

import (
	"fmt"
	"os"
	"strings"
)

// DefaultPrefix is the prefix of the environment variables: STATELINK_CONFIG,
// STATELINK_REDIS_ADDR and so on.
const DefaultPrefix = "STATELINK"

// Option says where [LoadRedisConfig] and [Watch] look. Without any it reads the
// environment with [DefaultPrefix], and the file which that names, if any.
type Option func(*options)

type options struct {
	file      string
	prefix    string
	noEnv     bool
	environ   func() []string
	overrides map[string]any
	url       string
	watch     watchOptions
}

func newOptions(opts []Option) options {
	o := options{prefix: DefaultPrefix, environ: os.Environ, watch: defaultWatch()}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// WithFile reads the file at path, whose extension tells its format: .yaml,
// .yml, .toml or .json. The settings are below its key redis, which must be
// there; its other keys are left alone, so it may be the application's own
// file. Of a YAML file with several documents the first counts. It takes the
// place of the variable STATELINK_CONFIG. An empty path means no such option.
func WithFile(path string) Option { return func(o *options) { o.file = path } }

// WithEnv sets the prefix of the environment variables instead of
// [DefaultPrefix]: with "SHOP" they are SHOP_REDIS_ADDR and SHOP_CONFIG. It
// must be capitals, digits and underscores and begin with a capital; one
// underscore at its end is dropped.
func WithEnv(prefix string) Option {
	return func(o *options) { o.prefix, o.noEnv = strings.TrimSuffix(prefix, "_"), false }
}

// WithoutEnv reads no environment variable at all.
func WithoutEnv() Option { return func(o *options) { o.noEnv = true } }

// WithEnvironment takes the variables, each "NAME=value", from environ instead
// of [os.Environ]. It is for tests.
func WithEnvironment(environ func() []string) Option {
	return func(o *options) {
		if environ != nil {
			o.environ = environ
		}
	}
}

// WithOverrides sets keys above every other source. The names are those of
// [Keys] without "redis.": "pool_size", "tls.ca_file". The values are of the
// key's type (int, bool, [time.Duration], []string, string) or texts as in an
// environment variable, such as those of command line flags. An empty text or
// list overrides nothing. Later calls add to earlier ones.
func WithOverrides(overrides map[string]any) Option {
	return func(o *options) {
		if o.overrides == nil {
			o.overrides = map[string]any{}
		}
		for name, value := range overrides {
			o.overrides[name] = value
		}
	}
}

// WithURL is the override of the key url, in the form of [ParseURL]. An empty
// URL means no such option.
func WithURL(url string) Option { return func(o *options) { o.url = url } }

func (o *options) validate() error {
	if o.noEnv || validPrefix(o.prefix) {
		return nil
	}
	return &SettingError{
		Key: "WithEnv",
		Problem: fmt.Sprintf("got %s, want capitals, digits and underscores beginning with a capital, or WithoutEnv",
			quoted(o.prefix)),
	}
}

func validPrefix(prefix string) bool {
	for i, r := range prefix {
		capital, other := 'A' <= r && r <= 'Z', '0' <= r && r <= '9' || r == '_'
		if !capital && (i == 0 || !other) {
			return false
		}
	}
	return prefix != ""
}
