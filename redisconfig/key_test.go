package redisconfig

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/redismanager"
)

// taggedNames walks the struct by itself, as a second witness.
func taggedNames(t reflect.Type, prefix string) []string {
	var names []string
	for i := range t.NumField() {
		name := prefix + t.Field(i).Tag.Get("mapstructure")
		if t.Field(i).Type.Kind() == reflect.Struct {
			names = append(names, taggedNames(t.Field(i).Type, name+".")...)
		} else {
			names = append(names, name)
		}
	}
	return names
}

func TestKeysAreComplete(t *testing.T) {
	t.Parallel()
	keys := map[string]Key{}
	for _, k := range Keys() {
		require.NotContains(t, keys, k.Name, "twice")
		keys[k.Name] = k
		require.NotEmpty(t, k.Type, "%s: a type that settings cannot have", k.Name)
		require.NotEmpty(t, k.Doc, "%s: no line in keyDocs", k.Name)
	}
	want := append(taggedNames(reflect.TypeFor[redismanager.RedisConfig](), ""), "url", "password_file", "sentinel_password_file")
	for _, name := range want {
		require.Contains(t, keys, "redis."+name)
	}
	require.Len(t, keys, len(want))
	require.Len(t, keyDocs, len(want), "keyDocs has a line for no key")
	for name := range judgedBy {
		require.Contains(t, keyByName, name)
	}
	for _, name := range otherNames {
		require.Contains(t, keyByName, name)
	}
}

func TestKeyContent(t *testing.T) {
	t.Parallel()
	got := map[string]Key{}
	for _, k := range Keys() {
		k.Doc = ""
		got[k.Name] = k
	}
	for _, want := range []Key{
		{Name: "redis.addr", Env: "STATELINK_REDIS_ADDR", Type: "text", Default: "localhost:6379"},
		{Name: "redis.mode", Env: "STATELINK_REDIS_MODE", Type: "text", Default: "standalone"},
		{Name: "redis.addrs", Env: "STATELINK_REDIS_ADDRS", Type: "list"},
		{Name: "redis.pool_size", Env: "STATELINK_REDIS_POOL_SIZE", Type: "int", Default: "10"},
		{Name: "redis.read_timeout", Env: "STATELINK_REDIS_READ_TIMEOUT", Type: "duration", Default: "3s"},
		{Name: "redis.conn_max_idle_time", Env: "STATELINK_REDIS_CONN_MAX_IDLE_TIME", Type: "duration", Default: "30m"},
		{Name: "redis.tls.enabled", Env: "STATELINK_REDIS_TLS_ENABLED", Type: "bool", Default: "false"},
		{Name: "redis.tls.ca_file", Env: "STATELINK_REDIS_TLS_CA_FILE", Type: "text"},
		{Name: "redis.password", Env: "STATELINK_REDIS_PASSWORD", Type: "text", Secret: true},
		{Name: "redis.sentinel_password", Env: "STATELINK_REDIS_SENTINEL_PASSWORD", Type: "text", Secret: true},
		{Name: "redis.url", Env: "STATELINK_REDIS_URL", Type: "text", Secret: true},
		{Name: "redis.password_file", Env: "STATELINK_REDIS_PASSWORD_FILE", Type: "text"},
	} {
		require.Equal(t, want, got[want.Name])
	}
}

// Each default, written into a variable, is the default.
func TestDefaultsAreReadable(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, k := range Keys() {
		lines = append(lines, k.Env+"="+k.Default)
	}
	config, err := LoadRedisConfig(withVariables(lines...))
	require.NoError(t, err)
	require.Equal(t, redismanager.DefaultConfig(), *config)
}

func TestDefaultYAML(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, WriteDefaultYAML(&out))
	require.Equal(t, Default(), out.String())
	golden, err := os.ReadFile("testdata/default.yaml")
	require.NoError(t, err)
	require.Equal(t, string(golden), out.String(), "if the change is meant, write Default() to testdata/default.yaml")

	// As it is, and with every key that is commented out put in.
	all := regexp.MustCompile(`(?m)^( +)# ([a-z_]+: (""|\[\]))$`).ReplaceAllString(out.String(), "$1$2")
	require.NotEqual(t, out.String(), all)
	for _, content := range []string{out.String(), all} {
		config, err := LoadRedisConfig(WithFile(writeFile(t, "c.yaml", content)), WithoutEnv())
		require.NoError(t, err)
		require.Equal(t, redismanager.DefaultConfig(), *config)
	}
	for _, k := range keyTable {
		last := k.name[strings.LastIndex(k.name, ".")+1:]
		require.Regexp(t, `(?m)^ +`+last+`: `, all, "every key is there")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteDefaultYAMLError(t *testing.T) {
	t.Parallel()
	require.EqualError(t, WriteDefaultYAML(brokenWriter{}), "disk full")
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"pool_sise": "pool_size", "pool-size": "pool_size", "paswword": "password", "tls_ca_fil": "tls.ca_file",
		"adr": "addr", "dbs": "", "x": "", "": "", "user": "username", "colour": "", "minIdleConn": "min_idle_conns",
		strings.Repeat("pool_size", 100): "",
	} {
		require.Equal(t, want, suggest(name), name)
	}
}

func TestShortDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", 30 * time.Minute: "30m", 24 * time.Hour: "24h",
		time.Hour + time.Minute: "1h1m", time.Hour + time.Second: "1h0m1s", 20 * time.Minute: "20m", 10 * time.Second: "10s",
	} {
		require.Equal(t, want, shortDuration(d))
		back, err := time.ParseDuration(want)
		require.NoError(t, err)
		require.Equal(t, d, back)
	}
}
