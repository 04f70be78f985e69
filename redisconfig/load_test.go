package redisconfig

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/redismanager"
)

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	config, err := LoadRedisConfig(WithoutEnv())
	require.NoError(t, err)
	require.Equal(t, redismanager.DefaultConfig(), *config)

	// The defaults that the contract names.
	require.Equal(t, "localhost:6379", config.Addr)
	require.Equal(t, 10, config.PoolSize)
	require.Equal(t, 5, config.MinIdleConns)
	require.Equal(t, 3, config.MaxRetries)
	require.Equal(t, 5*time.Second, config.DialTimeout)
	require.Equal(t, 3*time.Second, config.ReadTimeout)
	require.Equal(t, 3*time.Second, config.WriteTimeout)
}

const yamlFile = `
server:
  port: 8080
redis:
  mode: cluster
  addrs: [a:7000, "b:7001"]
  username: app
  password: secret
  pool_size: 0x20
  max_retries: 0
  read_timeout: 500ms
  conn_max_idle_time: -1
  tls:
    enabled: true
    ca_file: /ca.pem
`

const tomlFile = `
[server]
port = 8080
[redis]
mode = "cluster"
addrs = ["a:7000", "b:7001"]
username = "app"
password = "secret"
pool_size = 32
max_retries = 0
read_timeout = "500ms"
conn_max_idle_time = "-1"
tls.enabled = true
tls.ca_file = "/ca.pem"
`

const jsonFile = `{
"server": {"port": 8080, "port": 8081},
"redis": {
  "mode": "cluster",
  "addrs": ["a:7000", "b:7001"],
  "username": "app",
  "password": "secret",
  "pool_size": 32,
  "max_retries": 0,
  "read_timeout": "500ms",
  "conn_max_idle_time": -1,
  "tls": {"enabled": true, "ca_file": "/ca.pem"}
}}`

func TestLoadFormats(t *testing.T) {
	t.Parallel()
	want := redismanager.RedisConfig{
		Mode: redismanager.ModeCluster, Addrs: []string{"a:7000", "b:7001"},
		Username: "app", Password: "secret",
		PoolSize: 32, MaxRetries: -1, ReadTimeout: 500 * time.Millisecond, ConnMaxIdleTime: -1,
		TLS: redismanager.TLSConfig{Enabled: true, CAFile: "/ca.pem"},
	}.WithDefaults()
	for name, content := range map[string]string{
		"c.yaml": yamlFile, "c.yml": yamlFile, "c.YAML": yamlFile, "c.toml": tomlFile, "c.json": jsonFile,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := LoadRedisConfig(WithFile(writeFile(t, name, content)), WithoutEnv())
			require.NoError(t, err)
			require.Equal(t, want, *config)
		})
	}
}

func TestLoadEmptySections(t *testing.T) {
	t.Parallel()
	for _, content := range []string{
		"redis:\n  # addr: localhost:6379\n",
		"redis: {}\n",
		"redis:\n  tls:\n    # enabled: true\n",
		"redis:\n  password: ''\n  addrs: []\n  url: ''\n",
	} {
		config, err := LoadRedisConfig(WithFile(writeFile(t, "c.yaml", content)), WithoutEnv())
		require.NoError(t, err, content)
		require.Equal(t, redismanager.DefaultConfig(), *config, content)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", "redis:\n  pool_size: 20\n  max_retries: 7\n  read_timeout: 1s\n  tls: {enabled: true}\n")
	env := withVariables("STATELINK_REDIS_MAX_RETRIES=8", "STATELINK_REDIS_READ_TIMEOUT=2s", "STATELINK_REDIS_TLS_SERVER_NAME=redis.test")
	config, err := LoadRedisConfig(WithFile(path), env, WithOverrides(map[string]any{"read_timeout": 4 * time.Second}))
	require.NoError(t, err)
	require.Equal(t, 20, config.PoolSize)
	require.Equal(t, 8, config.MaxRetries)
	require.Equal(t, 4*time.Second, config.ReadTimeout)
	require.Equal(t, redismanager.TLSConfig{Enabled: true, ServerName: "redis.test"}, config.TLS)
	require.Equal(t, 5, config.MinIdleConns, "untouched default")
}

// Keys that say the same in other ways are replaced as a whole.
func TestPrecedenceOfAlternatives(t *testing.T) {
	t.Parallel()
	secret := writeFile(t, "secret", "from-file\n")
	cluster := "redis:\n  mode: cluster\n  addrs: [a:1, b:1]\n  username: app\n  password: weak\n  pool_size: 3\n"
	sentinel := "redis:\n  url: redis+sentinel://app:weak@a,b/main?pool_size=30\n"
	for name, tc := range map[string]struct {
		file string
		env  []string
		over map[string]any
		want redismanager.RedisConfig
	}{
		"default of min_idle_conns follows pool_size": {
			file: "redis: {pool_size: 2}",
			want: redismanager.RedisConfig{PoolSize: 2, MinIdleConns: 2},
		},
		"addr over addrs": {
			file: cluster, env: []string{"STATELINK_REDIS_ADDR=c:2"},
			want: redismanager.RedisConfig{Mode: "cluster", Addrs: []string{"c:2"}, Username: "app", Password: "weak", PoolSize: 3},
		},
		"addrs over addr": {
			file: "redis: {mode: cluster, addr: x:1}", env: []string{"STATELINK_REDIS_ADDRS=a:1, b:2"},
			want: redismanager.RedisConfig{Mode: "cluster", Addrs: []string{"a:1", "b:2"}},
		},
		"url over addrs and mode, credentials stay": {
			file: cluster, env: []string{"STATELINK_REDIS_URL=redis://c/2"},
			want: redismanager.RedisConfig{Addr: "c:6379", DB: 2, Username: "app", Password: "weak", PoolSize: 3},
		},
		"url with a password does not take a weaker user": {
			file: cluster, env: []string{"STATELINK_REDIS_URL=redis+cluster://:strong@c"},
			want: redismanager.RedisConfig{Mode: "cluster", Addrs: []string{"c:6379"}, Password: "strong", PoolSize: 3},
		},
		"url over url": {
			file: sentinel, over: map[string]any{"url": "redis+cluster://c"},
			want: redismanager.RedisConfig{Mode: "cluster", Addrs: []string{"c:6379"}, Username: "app", Password: "weak", PoolSize: 30},
		},
		"single keys over url": {
			file: sentinel, env: []string{"STATELINK_REDIS_POOL_SIZE=31", "STATELINK_REDIS_DB=4", "STATELINK_REDIS_MASTER_NAME=other"},
			want: redismanager.RedisConfig{
				Mode: "sentinel", Addrs: []string{"a:26379", "b:26379"}, MasterName: "other", DB: 4,
				Username: "app", Password: "weak", PoolSize: 31,
			},
		},
		"password file over password": {
			file: cluster, env: []string{"STATELINK_REDIS_PASSWORD_FILE=" + secret},
			want: redismanager.RedisConfig{Mode: "cluster", Addrs: []string{"a:1", "b:1"}, Username: "app", Password: "from-file", PoolSize: 3},
		},
		"password over password file": {
			file: "redis: {password_file: /does/not/exist}", over: map[string]any{"password": "strong"},
			want: redismanager.RedisConfig{Password: "strong"},
		},
		"url with a user, password file beside it": {
			file: "redis:\n  url: redis://app@h\n  password_file: " + secret,
			want: redismanager.RedisConfig{Addr: "h:6379", Username: "app", Password: "from-file"},
		},
		"url that agrees with other keys": {
			file: "redis: {url: 'rediss://h?pool_size=7', pool_size: 7, mode: standalone, tls: {enabled: true}}",
			want: redismanager.RedisConfig{Addr: "h:6379", PoolSize: 7, TLS: redismanager.TLSConfig{Enabled: true}},
		},
		"empty variables and overrides change nothing": {
			file: "redis: {password: weak, pool_size: 6}",
			env:  []string{"STATELINK_REDIS_PASSWORD=", "STATELINK_REDIS_POOL_SIZE="},
			over: map[string]any{"pool_size": "", "addrs": []string{}},
			want: redismanager.RedisConfig{Password: "weak", PoolSize: 6},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := LoadRedisConfig(WithFile(writeFile(t, "c.yaml", tc.file)), withVariables(tc.env...), WithOverrides(tc.over))
			require.NoError(t, err)
			require.Equal(t, tc.want.WithDefaults(), *config)
		})
	}
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	config, err := LoadRedisConfig(WithoutEnv(),
		WithOverrides(map[string]any{
			"mode": redismanager.ModeSentinel, "addrs": "a:1,b:2", "master_name": "main",
			"pool_size": "12", "min_idle_conns": int64(0), "read_timeout": "250ms", "db": uint8(3),
		}),
		WithOverrides(map[string]any{"tls.enabled": "true", "tls": map[string]any{"ca_file": "/ca.pem"}, "max_retries": 4}))
	require.NoError(t, err)
	require.Equal(t, redismanager.RedisConfig{
		Mode: redismanager.ModeSentinel, Addrs: []string{"a:1", "b:2"}, MasterName: "main",
		PoolSize: 12, MinIdleConns: -1, ReadTimeout: 250 * time.Millisecond, DB: 3, MaxRetries: 4,
		TLS: redismanager.TLSConfig{Enabled: true, CAFile: "/ca.pem"},
	}.WithDefaults(), *config)

	config, err = LoadRedisConfig(WithoutEnv(), WithURL("redis://h:1/2"), WithOverrides(map[string]any{"pool_size": 9}), nil)
	require.NoError(t, err)
	require.Equal(t, redismanager.RedisConfig{Addr: "h:1", DB: 2, PoolSize: 9}.WithDefaults(), *config)
}

// The caller's map is read, never kept or changed, and neither is a list in it.
func TestOverridesAreCopied(t *testing.T) {
	t.Parallel()
	addrs := []string{"a:1", "b:1"}
	config, err := LoadRedisConfig(WithoutEnv(), WithOverrides(map[string]any{"mode": "cluster", "addrs": addrs}))
	require.NoError(t, err)
	config.Addrs[0] = "changed:1"
	require.Equal(t, "a:1", addrs[0])
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"s3cret": "s3cret", "s3cret\n": "s3cret", "s3cret\r\n": "s3cret", "s3cret\n\n": "s3cret\n", " s3 ": " s3 ", "s3cret\r": "s3cret\r",
	} {
		path := writeFile(t, "secret", content)
		config, err := LoadRedisConfig(WithoutEnv(), WithOverrides(map[string]any{
			"mode": "sentinel", "addr": "a:1", "master_name": "m", "password_file": path, "sentinel_password_file": path,
		}))
		require.NoError(t, err, "%q", content)
		require.Equal(t, want, config.Password, "%q", content)
		require.Equal(t, want, config.SentinelPassword, "%q", content)
	}
}

func TestParallelLoads(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", yamlFile)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10 {
				config, err := LoadRedisConfig(WithFile(path), WithURL("rediss+cluster://h"), WithOverrides(map[string]any{"pool_size": 3}))
				if err != nil || config.PoolSize != 3 || len(Keys()) == 0 || Default() == "" {
					t.Errorf("got %v, %v", config, err)
				}
			}
		})
	}
	wg.Wait()
}

// Not parallel: it sets variables of the process.
func TestProcessEnvironment(t *testing.T) {
	for _, name := range []string{"USERNAME", "DB", "PASSWORD", "ADDR", "MODE", "REDIS_ADDR", "POOL_SIZE", "URL"} {
		t.Setenv(name, canary)
	}
	config, err := LoadRedisConfig()
	require.NoError(t, err)
	require.Equal(t, redismanager.DefaultConfig(), *config)

	t.Setenv("STATELINK_CONFIG", writeFile(t, "c.yaml", "redis: {pool_size: 21}"))
	t.Setenv("STATELINK_REDIS_DB", "3")
	config, err = LoadRedisConfig()
	require.NoError(t, err)
	require.Equal(t, redismanager.RedisConfig{PoolSize: 21, DB: 3}.WithDefaults(), *config)

	config, err = LoadRedisConfig(WithFile(writeFile(t, "d.yaml", "redis: {pool_size: 22}")))
	require.NoError(t, err)
	require.Equal(t, 22, config.PoolSize, "WithFile is instead of the variable's file")

	config, err = LoadRedisConfig(WithoutEnv())
	require.NoError(t, err)
	require.Equal(t, redismanager.DefaultConfig(), *config)

	require.NoError(t, os.Unsetenv("STATELINK_CONFIG"))
	t.Setenv("SHOP_REDIS_DB", "5")
	for _, prefix := range []string{"SHOP", "SHOP_"} {
		config, err = LoadRedisConfig(WithEnv(prefix))
		require.NoError(t, err)
		require.Equal(t, 5, config.DB)
	}
}

// kubelet sets these for Services named statelink, statelink-redis and statelink-redis-master.
func TestKubernetesVariables(t *testing.T) {
	t.Parallel()
	config, err := LoadRedisConfig(withVariables(
		"STATELINK_SERVICE_HOST=10.0.0.1",
		"STATELINK_REDIS_SERVICE_HOST=10.0.0.2",
		"STATELINK_REDIS_SERVICE_PORT=6379",
		"STATELINK_REDIS_SERVICE_PORT_TCP_REDIS=6379",
		"STATELINK_REDIS_PORT=tcp://10.0.0.2:6379",
		"STATELINK_REDIS_PORT_6379_TCP=tcp://10.0.0.2:6379",
		"STATELINK_REDIS_PORT_6379_TCP_PROTO=tcp",
		"STATELINK_REDIS_PORT_6379_TCP_PORT=6379",
		"STATELINK_REDIS_PORT_6379_TCP_ADDR=10.0.0.2",
		"STATELINK_REDIS_MASTER_SERVICE_HOST=10.0.0.3",
		"STATELINK_REDIS_MASTER_PORT=tcp://10.0.0.3:6379",
		"STATELINK_REDIS_MASTER_PORT_6379_TCP_ADDR=10.0.0.3",
		"STATELINK_REDIS_ADDR=statelink-redis-master:6379",
	))
	require.NoError(t, err)
	require.Equal(t, redismanager.RedisConfig{Addr: "statelink-redis-master:6379"}.WithDefaults(), *config)

	_, err = LoadRedisConfig(withVariables("STATELINK_REDIS_PORT=6379"))
	requireProblems(t, err, "", "STATELINK_REDIS_PORT in the environment: unknown variable, did you mean STATELINK_REDIS_ADDR?")
}

// Every variable reaches its field, and no other.
func TestEveryVariable(t *testing.T) {
	t.Parallel()
	samples := map[kind]string{kindText: "x", kindInt: "7", kindBool: "true", kindDuration: "70ms", kindList: "a:1,b:2"}
	for _, k := range keyTable {
		if k.name == "url" || k.name == "password_file" || k.name == "sentinel_password_file" {
			continue
		}
		l := &loader{settings: layer{}}
		o := newOptions([]Option{withVariables(envName(DefaultPrefix, k.name) + "=" + samples[k.kind])})
		l.addEnvironment(o, l.variables(o))
		require.NoError(t, l.err(), k.name)
		got, err := l.settings.decode()
		require.NoError(t, err, k.name)
		require.NotEqual(t, redismanager.RedisConfig{}, got, k.name)
		require.Len(t, l.settings, 1)
		require.Contains(t, l.settings, k.name)
	}
}
