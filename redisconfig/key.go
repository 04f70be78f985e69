package redisconfig

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/statelink/statelink/redismanager"
)

// Key describes one setting, for command lines and documentation.
type Key struct {
	Name    string // full name in a file: redis.pool_size, redis.tls.ca_file
	Env     string // environment variable: STATELINK_REDIS_POOL_SIZE
	Type    string // text, int, bool, duration or list
	Default string // as it would be written in a variable; empty for none
	Doc     string // one or two sentences: meaning, range, unit
	Secret  bool   // the value must not be shown
}

// Keys lists every setting in the order of the default file. The slice is the
// caller's own.
func Keys() []Key {
	out := make([]Key, len(keyTable))
	for i, k := range keyTable {
		out[i] = Key{
			Name:    section + "." + k.name,
			Env:     envName(DefaultPrefix, k.name),
			Type:    string(k.kind),
			Default: k.text(),
			Doc:     keyDocs[k.name],
			Secret:  k.secret,
		}
	}
	return out
}

// section is the key of a file that holds all settings.
const section = "redis"

// kind is the type of a setting's value, by the name that users see.
type kind string

const (
	kindText     kind = "text"
	kindInt      kind = "int"
	kindBool     kind = "bool"
	kindDuration kind = "duration"
	kindList     kind = "list"
)

// key is one setting; its name is below the section: pool_size, tls.ca_file.
type key struct {
	name   string
	kind   kind
	def    any // the default, of the kind's Go type
	secret bool
}

// extraKeys exist only in this package. Each stands in the list after the
// named field of RedisConfig.
var extraKeys = map[string]key{
	"":                  {name: "url", kind: kindText, def: "", secret: true},
	"password":          {name: "password_file", kind: kindText, def: ""},
	"sentinel_password": {name: "sentinel_password_file", kind: kindText, def: ""},
}

var secretKeys = map[string]bool{"password": true, "sentinel_password": true}

// keyTable is every key: the fields of RedisConfig by their tags, in their
// order, and the extra ones.
var keyTable = append([]key{extraKeys[""]},
	readKeys("", reflect.ValueOf(redismanager.DefaultConfig()))...)

var keyByName = indexKeys()

// subsections are the keys that hold keys: tls.
var subsections = findSubsections()

func readKeys(prefix string, config reflect.Value) []key {
	var keys []key
	for i := range config.NumField() {
		tag, value := config.Type().Field(i).Tag.Get("mapstructure"), config.Field(i)
		if tag == "" || tag == "-" {
			continue
		}
		name := prefix + tag
		if value.Kind() == reflect.Struct {
			keys = append(keys, readKeys(name+".", value)...)
			continue
		}
		keys = append(keys, key{name: name, kind: kindOf(value.Type()), def: value.Interface(), secret: secretKeys[name]})
		if extra, ok := extraKeys[name]; ok {
			keys = append(keys, extra)
		}
	}
	return keys
}

// kindOf is empty for a type that settings cannot have; a test looks for it.
func kindOf(t reflect.Type) kind {
	if t == reflect.TypeFor[time.Duration]() {
		return kindDuration
	}
	if t == reflect.TypeFor[[]string]() {
		return kindList
	}
	switch t.Kind() {
	case reflect.String:
		return kindText
	case reflect.Int:
		return kindInt
	case reflect.Bool:
		return kindBool
	default:
		return ""
	}
}

func indexKeys() map[string]key {
	index := make(map[string]key, len(keyTable))
	for _, k := range keyTable {
		index[k.name] = k
	}
	return index
}

func findSubsections() map[string]bool {
	found := map[string]bool{}
	for _, k := range keyTable {
		if parent, _, ok := strings.Cut(k.name, "."); ok {
			found[parent] = true
		}
	}
	return found
}

// envName is the variable of a setting: STATELINK_REDIS_TLS_CA_FILE.
func envName(prefix, name string) string {
	return prefix + "_" + strings.ToUpper(section+"_"+strings.ReplaceAll(name, ".", "_"))
}

// text writes the default as in an environment variable.
func (k key) text() string {
	switch value := reflect.ValueOf(k.def); k.kind {
	case kindText:
		return value.String()
	case kindInt:
		return strconv.FormatInt(value.Int(), 10)
	case kindBool:
		return strconv.FormatBool(value.Bool())
	case kindDuration:
		return shortDuration(time.Duration(value.Int()))
	default: // a list: none has a default
		return ""
	}
}

// shortDuration is 30m where [time.Duration.String] has 30m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
