package redisconfig

import (
	"errors"
	"maps"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"github.com/statelink/statelink/redismanager"
)

// LoadRedisConfig merges defaults, file, environment and overrides, in this
// order, checks the result and returns it with every default written out. With
// no option it reads the STATELINK_REDIS_ variables and the file that
// STATELINK_CONFIG names; without either the result is
// [redismanager.DefaultConfig].
//
// The error holds every problem found, one [*SettingError] per line, and
// matches [redismanager.ErrInvalidArgument]; for a missing file it matches
// [io/fs.ErrNotExist] too. password_file and the file are read once: [Watch]
// follows their changes.
//
// Calls may run at the same time: nothing of the process but its environment
// is read, and nothing is written.
func LoadRedisConfig(opts ...Option) (*redismanager.RedisConfig, error) {
	o := newOptions(opts)
	if err := o.validate(); err != nil {
		return nil, err
	}
	return gather(o).finish()
}

// gather reads every source.
func gather(o options) *loader {
	l := &loader{settings: layer{}}
	env := l.variables(o)
	l.addFile(o, env)
	l.addEnvironment(o, env)
	l.addOverrides(o)
	l.readSecretFiles()
	return l
}

// loader holds what the sources have said so far.
type loader struct {
	problems
	settings layer
	file     string   // the configuration file, empty for none
	others   []string // the files that the settings name, readable or not
	partial  bool     // a source is missing, so the settings cannot be judged as a whole
}

// finish turns the settings into a checked configuration.
func (l *loader) finish() (*redismanager.RedisConfig, error) {
	config, err := l.settings.decode()
	if err != nil {
		return nil, err
	}
	if !l.partial {
		l.validate(config, l.settings, fullName)
	}
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	config = config.WithDefaults()
	return &config, nil
}

// setting is one value, of the Go type of its key, and where it came from.
type setting struct {
	value any
	at    place
	inURL bool // no part of a URL is printed
}

// layer is what one source says, or several merged, by the names of keyTable.
type layer map[string]setting

// alternatives are keys that say the same thing in different ways: the
// strongest source that has one of them silences the others.
var alternatives = [][]string{
	{"addr", "addrs"},
	{"password", "password_file"},
	{"sentinel_password", "sentinel_password_file"},
}

// merge lays a stronger layer over l. The names in replaced do not shine
// through even if the stronger layer lacks them.
func (l layer) merge(stronger layer, replaced []string) {
	for _, names := range alternatives {
		if stronger.hasAny(names) {
			l.drop(names)
		}
	}
	l.drop(replaced)
	maps.Copy(l, stronger)
}

func (l layer) hasAny(names []string) bool {
	for _, name := range names {
		if _, ok := l[name]; ok {
			return true
		}
	}
	return false
}

func (l layer) drop(names []string) {
	for _, name := range names {
		delete(l, name)
	}
}

// errDecode is a defect of this package: every value was checked before. The
// decoder's own words are left out, since they may hold values.
var errDecode = errors.New("redisconfig: checked settings do not fit RedisConfig")

// decode fills the struct, strictly. Keys without a setting stay zero, so that
// defaults that depend on others (min_idle_conns on pool_size) see them.
func (l layer) decode() (redismanager.RedisConfig, error) {
	v := viper.New()
	for name, s := range l {
		v.Set(section+"."+name, s.value)
	}
	var out struct {
		Redis redismanager.RedisConfig `mapstructure:"redis"`
	}
	err := v.UnmarshalExact(&out, func(c *mapstructure.DecoderConfig) {
		c.WeaklyTypedInput = false
		c.DecodeHook = nil
	})
	if err != nil {
		return redismanager.RedisConfig{}, errDecode
	}
	return out.Redis, nil
}
