package redisconfig

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/redismanager"
)

const wantDuration = "want a duration with its unit (ms, s, m, h) such as 3s"

func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content string
		want    []string
	}{
		"unknown key":           {"redis: {pol_size: 3}", []string{"redis.pol_size in FILE: unknown key, did you mean redis.pool_size?"}},
		"camel case":            {"redis: {poolSize: 3}", []string{"redis.poolSize in FILE: unknown key, did you mean redis.pool_size?"}},
		"upper case":            {"redis: {POOL_SIZE: 3}", []string{"redis.POOL_SIZE in FILE: unknown key, did you mean redis.pool_size?"}},
		"name used elsewhere":   {"redis: {host: h, database: 2}", []string{"redis.database in FILE: unknown key, did you mean redis.db?", "redis.host in FILE: unknown key, did you mean redis.addr?"}},
		"unknown, nothing near": {"redis: {colour: red}", []string{"redis.colour in FILE: unknown key"}},
		"unknown in tls":        {"redis: {tls: {cafile: x}}", []string{"redis.tls.cafile in FILE: unknown key, did you mean redis.tls.ca_file?"}},
		"unknown with newline":  {`redis: {"a\nb": 1}`, []string{`"redis.a\nb" in FILE: unknown key`}},
		"verification off":      {"redis: {tls: {insecure_skip_verify: true}}", []string{"redis.tls.insecure_skip_verify in FILE: unknown key"}},
		"number as text":        {`redis: {pool_size: "ten"}`, []string{`redis.pool_size in FILE: got "ten", want a whole number such as 10`}},
		"number in quotes":      {`redis: {pool_size: "10"}`, []string{`redis.pool_size in FILE: got "10", want a whole number such as 10`}},
		"fraction":              {"redis: {pool_size: 10.5}", []string{"redis.pool_size in FILE: got 10.5, want a whole number such as 10"}},
		"too large":             {"redis: {pool_size: 99999999999999999999}", []string{"redis.pool_size in FILE: got 1e+20, want a whole number such as 10"}},
		"no value":              {"redis:\n  pool_size:\n", []string{"redis.pool_size in FILE: got no value, want a whole number such as 10"}},
		"list for a number":     {"redis: {pool_size: [1]}", []string{"redis.pool_size in FILE: got a list, want a whole number such as 10"}},
		"duration as number":    {"redis: {read_timeout: 3}", []string{"redis.read_timeout in FILE: got 3, " + wantDuration}},
		"duration without unit": {`redis: {read_timeout: "3"}`, []string{`redis.read_timeout in FILE: got "3", ` + wantDuration}},
		"duration in days":      {"redis: {conn_max_lifetime: 1d}", []string{`redis.conn_max_lifetime in FILE: got "1d", ` + wantDuration}},
		"bool as text":          {`redis: {tls: {enabled: "true"}}`, []string{`redis.tls.enabled in FILE: got "true", want true or false`}},
		"bool as yes":           {"redis: {tls: {enabled: yes}}", []string{`redis.tls.enabled in FILE: got "yes", want true or false`}},
		"text as number":        {"redis: {username: 12, password: x}", []string{"redis.username in FILE: got 12, want a text in quotes"}},
		"text as date":          {"redis: {client_name: 2024-01-02}", []string{"redis.client_name in FILE: got a value of another type, want a text in quotes"}},
		"list as text":          {"redis: {mode: cluster, addrs: 'a:1,b:1'}", []string{`redis.addrs in FILE: got "a:1,b:1", want a list of texts, none of them empty`}},
		"list with a number":    {"redis: {mode: cluster, addrs: [a:1, 2]}", []string{"redis.addrs in FILE: got a list, want a list of texts, none of them empty"}},
		"tls as bool":           {"redis: {tls: true}", []string{"redis.tls in FILE: got true, want a section with text keys such as enabled"}},
		"section is a text":     {"redis: " + canary, []string{"redis in FILE: got a text, want a section with text keys such as addr"}},
		"section is a list":     {"redis: [addr]", []string{"redis in FILE: got a list, want a section with text keys such as addr"}},
		"keys that are numbers": {"redis: {1: x}", []string{"redis in FILE: got a section, want a section with text keys such as addr"}},
		"no section":            {"server: {port: 1}", []string{"FILE: no key redis, below which the settings belong"}},
		"empty file":            {"", []string{"FILE: no key redis, below which the settings belong"}},
		"section in capitals":   {"Redis: {db: 1}", []string{"FILE: no key redis; Redis is not it, keys are lower case"}},
		"dotted keys at the top": {"redis: {}\nredis.pool_size: 3\nredis.other: 4", []string{
			"redis.pool_size in FILE: a dotted key; write it below the key redis",
		}},
		"dotted and nested":          {"redis: {tls.enabled: true, tls: {enabled: true}}", []string{"redis.tls.enabled in FILE: given twice"}},
		"two passwords":              {"redis: {password: " + canary + ", password_file: /x}", []string{"redis.password_file in FILE: conflicts with redis.password of the same source; keep one"}},
		"two sentinel passwords":     {"redis: {mode: sentinel, addr: a:1, master_name: m, sentinel_password: " + canary + ", sentinel_password_file: /x}", []string{"redis.sentinel_password_file in FILE: conflicts with redis.sentinel_password of the same source; keep one"}},
		"password in url and file":   {"redis: {url: 'redis://:" + canary + "@h', password_file: /x}", []string{"redis.password_file in FILE: conflicts with password of redis.url of the same source; keep one"}},
		"url and addr":               {"redis: {url: 'redis://h', addr: h:6379}", []string{"redis.addr in FILE: conflicts with redis.url of the same source; keep one"}},
		"url and addrs":              {"redis: {url: 'redis+cluster://h', addrs: [h:6379]}", []string{"redis.addrs in FILE: conflicts with redis.url of the same source; keep one"}},
		"url and other values":       {"redis: {url: 'redis://h/1?pool_size=3', pool_size: 4, mode: cluster, db: 2}", []string{"redis.db in FILE: conflicts with redis.url of the same source; keep one", "redis.mode in FILE: conflicts with redis.url of the same source; keep one", "redis.pool_size in FILE: conflicts with redis.url of the same source; keep one"}},
		"url in addr":                {"redis: {addr: 'redis://app:" + canary + "@h:6379'}", []string{"redis.addr in FILE: got an address with a scheme or credentials, want host:port; a URL belongs into redis.url"}},
		"credentials in addrs":       {"redis: {mode: cluster, addrs: ['h:1', 'app:" + canary + "@h:1']}", []string{"redis.addrs in FILE: got an address with a scheme or credentials, want host:port; a URL belongs into redis.url"}},
		"url in another key":         {"redis: {db: 'redis://app:" + canary + "@h:6379'}", []string{"redis.db in FILE: got a text, want a whole number such as 0"}},
		"zero that is no value":      {"redis: {pool_size: 0, read_timeout: 0}", []string{"redis.pool_size in FILE: got 0, want it left out for the default (10) or another value", "redis.read_timeout in FILE: got 0, want it left out for the default (3s) or another value"}},
		"range":                      {"redis: {pool_size: 10001, db: -1, read_timeout: 10m}", []string{"redis.db in FILE: got -1, want 0 to 1000000", "redis.pool_size in FILE: got 10001, want 1 to 10000", "redis.read_timeout in FILE: got 10m0s, want 1ms to 5m0s"}},
		"never where not possible":   {"redis: {read_timeout: -1}", []string{"redis.read_timeout in FILE: got -1ns, want 1ms to 5m0s"}},
		"mode":                       {"redis: {mode: clutser}", []string{`redis.mode in FILE: got "clutser", want standalone, sentinel or cluster`}},
		"missing settings":           {"redis: {mode: sentinel}", []string{"redis.addrs: got nothing, want at least one host:port in mode sentinel", "redis.master_name: got nothing, want the master's name in mode sentinel"}},
		"one of several addresses":   {"redis: {mode: cluster, addrs: [h:1, h]}", []string{`redis.addrs[1] in FILE: got "h", want host:port`}},
		"seed":                       {"redis: {mode: cluster, addr: h}", []string{`redis.addr in FILE: got "h", want host:port`}},
		"tls files without tls":      {"redis: {tls: {ca_file: /ca}}", []string{`redis.tls.ca_file in FILE: got "/ca", want tls.enabled: true with it`}},
		"addr and addrs":             {"redis: {mode: cluster, addr: 'h:1', addrs: [h:2]}", []string{`redis.addr in FILE: got "h:1", want either addr or addrs, not both`}},
		"user without password":      {"redis: {username: app}", []string{"redis.password: got nothing, want a password for the username"}},
		"no follow-ups of a problem": {"redis: {pool_size: ten, min_idle_conns: 20, mode: 3, addrs: [h:1], master_name: m}", []string{"redis.mode in FILE: got 3, want a text in quotes", `redis.pool_size in FILE: got "ten", want a whole number such as 10`}},
		"no follow-ups of a typo":    {"redis: {pol_size: 30, min_idle_conns: 20, tsl: {enabled: true}}", []string{"redis.pol_size in FILE: unknown key, did you mean redis.pool_size?", "redis.tsl in FILE: unknown key"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, "c.yaml", tc.content)
			config, err := LoadRedisConfig(WithFile(path), WithoutEnv())
			require.Nil(t, config)
			requireProblems(t, err, path, tc.want...)
		})
	}
}

// A file that is no file: no word of it may be in the error.
func TestMalformedFiles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, content, want string }{
		{"c.yaml", "redis:\n  password: *" + canary + "\n", "not valid YAML"},
		{"c.yaml", "redis:\n  password: " + canary + "\n a: b\n", "not valid YAML, near line 2: did not find expected key"},
		{"c.yaml", "redis:\n  password: \"" + canary + "\n", "not valid YAML, near line 2: found unexpected end of stream"},
		{"c.yaml", "redis:\n  password: " + canary + ": b: c\n", "not valid YAML, near line 2: mapping values are not allowed in this context"},
		{"c.yaml", "redis:\n  password: !!int " + canary + "\n", "not valid YAML"},
		{"c.yaml", "redis:\n\tpassword: " + canary + "\n", "not valid YAML, near line 2: found character that cannot start any token"},
		{"c.yaml", "redis:\n  " + canary + ": 1\n  " + canary + ": 2\n", "not valid YAML, near line 3: a key is given twice"},
		{"c.yaml", canary, "not valid YAML, near line 1"},
		{"c.yaml", "- " + canary, "not valid YAML, near line 1"},
		{"c.toml", "[redis]\npassword = " + canary + "\n", "not valid TOML, near line 2"},
		{"c.toml", "[redis]\npassword = \"x\"\npassword = \"" + canary + "\"\n", "not valid TOML: a key is given twice"},
		{"c.json", "{\"redis\": {\n\"password\": " + canary + "}}", "not valid JSON, near line 2"},
		{"c.json", "[\"" + canary + "\"]", "not valid JSON"},
		{"c.json", `{"redis": {"db": 1, "tls": {"enabled": true, "enabled": false}}}`, "redis.tls.enabled is given twice"},
		{"c.json", `{"other": [{"a": 1, "a": 2}], "redis": {"password": "` + canary + `"}, "redis": {}}`, "redis is given twice"},
		{"c.ini", "[redis]\npassword=" + canary, "unknown format, want a name that ends in .yaml, .yml, .toml or .json"},
		{"c", "password=" + canary, "unknown format, want a name that ends in .yaml, .yml, .toml or .json"},
		{"c.yaml", "redis:\n  password: " + strings.Repeat(canary, 1<<20/len(canary)), "larger than 1024 KiB"},
	} {
		path := writeFile(t, tc.name, tc.content)
		// The other sources are judged too, as far as they can be alone.
		config, err := LoadRedisConfig(WithFile(path), withVariables("STATELINK_REDIS_DB=x", "STATELINK_REDIS_USERNAME=app"))
		require.Nil(t, config)
		requireProblems(t, err, path, "FILE: "+tc.want, `STATELINK_REDIS_DB in the environment: got "x", want a whole number such as 0`)
	}
}

func TestMissingFiles(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "no.yaml")
	_, err := LoadRedisConfig(WithFile(missing), WithoutEnv())
	requireProblems(t, err, missing, "FILE: no such file or directory")
	require.ErrorIs(t, err, fs.ErrNotExist)

	_, err = LoadRedisConfig(withVariables("STATELINK_CONFIG=" + missing))
	requireProblems(t, err, missing, "STATELINK_CONFIG in the environment: FILE: no such file or directory")
	require.ErrorIs(t, err, fs.ErrNotExist)

	empty := writeFile(t, "c.yaml", "a: 1")
	_, err = LoadRedisConfig(withVariables("STATELINK_CONFIG=" + empty))
	requireProblems(t, err, empty, "STATELINK_CONFIG in the environment: FILE: no key redis, below which the settings belong")
}

func TestRefusedSecretFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for path, want := range map[string]string{
		writeFile(t, "empty", ""):                                 "FILE: empty",
		writeFile(t, "newline", "\n"):                             "FILE: empty",
		writeFile(t, "large", strings.Repeat(canary, 4096/7+1)):   "FILE: larger than 4 KiB",
		filepath.Join(folder, "missing"):                          "FILE: no such file or directory",
		folder:                                                    "FILE: is a directory",
		writeFile(t, "largest", strings.Repeat("x", 4096)) + "no": "FILE: no such file or directory",
	} {
		_, err := LoadRedisConfig(withVariables("STATELINK_REDIS_PASSWORD_FILE="+path, "STATELINK_REDIS_USERNAME=app"))
		requireProblems(t, err, path, "STATELINK_REDIS_PASSWORD_FILE in the environment: "+want)
	}
	_, err := LoadRedisConfig(withVariables("STATELINK_REDIS_PASSWORD_FILE=" + filepath.Join(folder, "missing")))
	require.ErrorIs(t, err, fs.ErrNotExist)
	path := writeFile(t, "c.yaml", "redis: {mode: sentinel, addr: h:1, master_name: m, sentinel_password_file: /does/not/exist}")
	_, err = LoadRedisConfig(WithFile(path), WithoutEnv())
	requireProblems(t, err, path, "redis.sentinel_password_file in FILE: /does/not/exist: no such file or directory")
}

func TestRefusedVariables(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ variables, want []string }{
		"unknown": {[]string{"STATELINK_REDIS_POOLSIZE=3", "STATELINK_REDIS_COLOUR=red", "STATELINK_REDIS_TLS=true", "OTHER_REDIS_X=1"}, []string{
			"STATELINK_REDIS_COLOUR in the environment: unknown variable",
			"STATELINK_REDIS_POOLSIZE in the environment: unknown variable, did you mean STATELINK_REDIS_POOL_SIZE?",
			"STATELINK_REDIS_TLS in the environment: unknown variable, did you mean STATELINK_REDIS_TLS_ENABLED?",
		}},
		"lower case": {[]string{"STATELINK_REDIS_addr=h:1"}, []string{"STATELINK_REDIS_addr in the environment: unknown variable, did you mean STATELINK_REDIS_ADDR?"}},
		"types": {[]string{"STATELINK_REDIS_DB=1.5", "STATELINK_REDIS_TLS_ENABLED=True", "STATELINK_REDIS_READ_TIMEOUT=3", "STATELINK_REDIS_ADDRS=a:1,,b:1"}, []string{
			`STATELINK_REDIS_ADDRS in the environment: got "a:1,,b:1", want texts separated by commas, none of them empty`,
			`STATELINK_REDIS_DB in the environment: got "1.5", want a whole number such as 0`,
			`STATELINK_REDIS_TLS_ENABLED in the environment: got "True", want true or false`,
			`STATELINK_REDIS_READ_TIMEOUT in the environment: got "3", ` + wantDuration,
		}},
		"range":    {[]string{"STATELINK_REDIS_POOL_SIZE=10001"}, []string{"STATELINK_REDIS_POOL_SIZE in the environment: got 10001, want 1 to 10000"}},
		"address":  {[]string{"STATELINK_REDIS_MODE=cluster", "STATELINK_REDIS_ADDRS=a:1,b"}, []string{`STATELINK_REDIS_ADDRS[1] in the environment: got "b", want host:port`}},
		"secret":   {[]string{"STATELINK_REDIS_PASSWORD=" + canary, "STATELINK_REDIS_SENTINEL_PASSWORD=" + canary}, []string{"STATELINK_REDIS_SENTINEL_PASSWORD in the environment: got a value, want nothing in mode standalone (it belongs to mode sentinel)"}},
		"conflict": {[]string{"STATELINK_REDIS_URL=redis://h", "STATELINK_REDIS_ADDR=h:1"}, []string{"STATELINK_REDIS_ADDR in the environment: conflicts with STATELINK_REDIS_URL of the same source; keep one"}},
		"url": {[]string{"STATELINK_REDIS_URL=redis://:" + canary + "@h:x?pool_size=" + canary + "&" + canary}, []string{
			"STATELINK_REDIS_URL in the environment: the host has a port that is no number from 1 to 65535",
			"option pool_size of STATELINK_REDIS_URL in the environment: got a text, want a whole number such as 10",
			"option 2 of STATELINK_REDIS_URL in the environment: unknown option; options are the keys of a file, such as pool_size",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := LoadRedisConfig(withVariables(tc.variables...))
			requireProblems(t, err, "", tc.want...)
		})
	}
}

func TestRefusedOverrides(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		overrides map[string]any
		want      []string
	}{
		"unknown":           {map[string]any{"redis.pool_size": 3}, []string{"redis.redis.pool_size in the overrides: unknown key"}},
		"no value":          {map[string]any{"pool_size": nil}, []string{"redis.pool_size in the overrides: got no value, want a whole number such as 10"}},
		"duration for int":  {map[string]any{"pool_size": time.Second}, []string{"redis.pool_size in the overrides: got 1000000000, want a whole number such as 10"}},
		"number for text":   {map[string]any{"client_name": 7}, []string{"redis.client_name in the overrides: got 7, want a text"}},
		"bytes of a secret": {map[string]any{"password": []byte(canary)}, []string{"redis.password in the overrides: got a list, want a text"}},
		"number secret":     {map[string]any{"password": 1234567}, []string{"redis.password in the overrides: got a number, want a text"}},
		"range":             {map[string]any{"pool_size": 10001}, []string{"redis.pool_size in the overrides: got 10001, want 1 to 10000"}},
		"url twice":         {map[string]any{"url": "redis://a"}, []string{"redis.url in the overrides: given by both WithURL and WithOverrides"}},
		"url and addr":      {map[string]any{"addr": "a:1"}, []string{"redis.addr in the overrides: conflicts with redis.url of the same source; keep one"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := []Option{WithoutEnv(), WithOverrides(tc.overrides)}
			if strings.HasPrefix(name, "url") {
				opts = append(opts, WithURL("redis://b"))
			}
			_, err := LoadRedisConfig(opts...)
			requireProblems(t, err, "", tc.want...)
		})
	}
}

// All sources at once, each problem with its own.
func TestAllProblemsTogether(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", "redis:\n  password: ["+canary+"]\n  read_timeout: 3\n  pool_size: 20000\n")
	_, err := LoadRedisConfig(WithFile(path), withVariables("STATELINK_REDIS_DIAL_TIMEOUT=1h"), WithOverrides(map[string]any{"db": "two"}))
	requireProblems(t, err, path,
		"redis.password in FILE: got a list, want a text in quotes",
		"redis.read_timeout in FILE: got 3, "+wantDuration,
		`redis.db in the overrides: got "two", want a whole number such as 0`,
		"redis.pool_size in FILE: got 20000, want 1 to 10000",
		"STATELINK_REDIS_DIAL_TIMEOUT in the environment: got 1h0m0s, want 1ms to 5m0s")
	var field *redismanager.FieldError
	require.ErrorAs(t, err, &field)
	require.Equal(t, "pool_size", field.Field)
}

// The file is right by itself; the URL has turned TLS off.
func TestPlainURLOverTLS(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", "redis: {tls: {enabled: true, ca_file: /ca}}")
	_, err := LoadRedisConfig(WithFile(path), withVariables("STATELINK_REDIS_URL=redis://h"))
	requireProblems(t, err, path, `redis.tls.ca_file in FILE: got "/ca", want tls.enabled: true with it `+
		"(tls.enabled of STATELINK_REDIS_URL in the environment is false; rediss in its scheme turns TLS on)")
}

// In {password: abc,def} the second half is a key to YAML.
func TestPasswordWithComma(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", "redis: {password: abc,"+canary+"}")
	_, err := LoadRedisConfig(WithFile(path), WithoutEnv())
	requireProblems(t, err, path, "redis.? in FILE: unknown key")
}

func TestRefusedPrefixes(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "_", "shop", "1SHOP", "SHOP-A", "SHOP A"} {
		_, err := LoadRedisConfig(WithEnv(prefix), withVariables())
		require.ErrorIs(t, err, redismanager.ErrInvalidArgument, "%q", prefix)
		require.ErrorContains(t, err, "WithEnv: got ")
	}
	_, err := LoadRedisConfig(WithEnv(""), WithoutEnv())
	require.NoError(t, err)
}

// FuzzFileNeverShowsThePassword surrounds a password with anything.
func FuzzFileNeverShowsThePassword(f *testing.F) {
	f.Add("c.yaml", "", "")
	f.Add("c.yaml", "  db: x\n", "\n tls: [")
	f.Add("c.yaml", "  ? \n", "  - a")
	f.Add("c.toml", "[redis]\n", "=")
	f.Fuzz(func(t *testing.T, name, before, after string) {
		content := "redis:\n" + before + "\n  password: " + canary + "\n" + after
		format := ".yaml"
		if strings.HasSuffix(name, ".toml") {
			content, format = before+"\npassword = \""+canary+"\"\n"+after, ".toml"
		}
		_, err := LoadRedisConfig(WithFile(writeFile(t, "c"+format, content)), WithoutEnv())
		requireNoCanary(t, err)
	})
}
