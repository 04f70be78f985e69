package redismanager_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

func TestDefaultsAreThoseOfTheCard(t *testing.T) {
	c := redismanager.DefaultConfig()
	require.NoError(t, c.Validate())
	require.Equal(t, "localhost:6379", c.Addr)
	require.Equal(t, redismanager.ModeStandalone, c.Mode)
	require.Equal(t, 10, c.PoolSize)
	require.Equal(t, 5, c.MinIdleConns)
	require.Equal(t, 3, c.MaxRetries)
	require.Equal(t, 5*time.Second, c.DialTimeout)
	require.Equal(t, 3*time.Second, c.ReadTimeout)
	require.Equal(t, 3*time.Second, c.WriteTimeout)
	require.Equal(t, c, c.WithDefaults())
}

func TestEachBadSettingIsNamedWithItsBound(t *testing.T) {
	standalone := func(change func(c *redismanager.RedisConfig)) redismanager.RedisConfig {
		c := redismanager.RedisConfig{}
		change(&c)
		return c
	}
	for _, tc := range []struct {
		field, want string
		cfg         redismanager.RedisConfig
	}{
		{"mode", "standalone, sentinel or cluster", redismanager.RedisConfig{Mode: "ring"}},
		{"addr", "host:port", redismanager.RedisConfig{Addr: "localhost"}},
		{"addr", "port from 1 to 65535", redismanager.RedisConfig{Addr: "localhost:99999"}},
		{"addr", "host:port", redismanager.RedisConfig{Addr: "redis://localhost:6379"}},
		{"addrs", "addr in mode standalone", redismanager.RedisConfig{Addrs: []string{"a:1"}}},
		{"addrs", "at least one host:port in mode cluster", redismanager.RedisConfig{Mode: "cluster"}},
		{"addrs[1]", "host:port", redismanager.RedisConfig{Mode: "cluster", Addrs: []string{"a:1", "b"}}},
		{"addr", "not both", redismanager.RedisConfig{Mode: "cluster", Addr: "a:1", Addrs: []string{"a:1"}}},
		{"db", "0 in mode cluster", redismanager.RedisConfig{Mode: "cluster", Addr: "a:1", DB: 2}},
		{"db", "0 to 1000000", redismanager.RedisConfig{DB: -1}},
		{"master_name", "in mode sentinel", redismanager.RedisConfig{Mode: "sentinel", Addr: "a:1"}},
		{"master_name", "nothing in mode standalone", redismanager.RedisConfig{MasterName: "m"}},
		{"sentinel_password", "nothing in mode cluster", redismanager.RedisConfig{Mode: "cluster", Addr: "a:1", SentinelPassword: "x"}},
		{"password", "a password for the username", redismanager.RedisConfig{Username: "u"}},
		{"client_name", "without spaces", redismanager.RedisConfig{ClientName: "a b"}},
		{"pool_size", "1 to 10000", redismanager.RedisConfig{PoolSize: 10001}},
		{"min_idle_conns", "0 to 10", redismanager.RedisConfig{MinIdleConns: 11}},
		{"max_idle_conns", "at least min_idle_conns (5)", redismanager.RedisConfig{MaxIdleConns: 2}},
		{"pipeline_pool_size", "1 to 10000", redismanager.RedisConfig{PipelinePoolSize: -2}},
		{"max_retries", "0 to 100", redismanager.RedisConfig{MaxRetries: 101}},
		{"pool_timeout", "1ms to 5m0s", standalone(func(c *redismanager.RedisConfig) { c.PoolTimeout = -1 })},
		{"dial_timeout", "1ms to 5m0s", redismanager.RedisConfig{DialTimeout: time.Hour}},
		{"read_timeout", "1ms to 5m0s", redismanager.RedisConfig{ReadTimeout: time.Microsecond}},
		{"write_timeout", "1ms to 5m0s", redismanager.RedisConfig{WriteTimeout: -time.Second}},
		{"close_timeout", "1ms to 5m0s", redismanager.RedisConfig{CloseTimeout: time.Hour}},
		{"max_retry_backoff", "1s to 1m0s", redismanager.RedisConfig{MinRetryBackoff: time.Second, MaxRetryBackoff: time.Millisecond}},
		{"conn_max_idle_time", "1s to 24h0m0s", redismanager.RedisConfig{ConnMaxIdleTime: time.Millisecond}},
		{"conn_max_lifetime", "1s to 24h0m0s", redismanager.RedisConfig{ConnMaxLifetime: time.Millisecond}},
		{"tls.cert_file", "both or none", redismanager.RedisConfig{TLS: redismanager.TLSConfig{Enabled: true, CertFile: "x"}}},
		{"tls.ca_file", "tls.enabled: true", redismanager.RedisConfig{TLS: redismanager.TLSConfig{CAFile: "x"}}},
	} {
		t.Run(tc.field+" "+tc.want, func(t *testing.T) {
			err := tc.cfg.Validate()
			require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
			var field *redismanager.FieldError
			require.True(t, errors.As(err, &field))
			require.Equal(t, tc.field, field.Field)
			require.Contains(t, field.Want, tc.want)
		})
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	err := redismanager.RedisConfig{PoolSize: -1, DB: -1, ReadTimeout: time.Hour}.Validate()
	require.Len(t, strings.Split(err.Error(), "\n"), 3)
}

const canary = "canary-7c1f-secret"

// The password appears in no printed or encoded form, and in no error or log.
func TestPasswordIsNeverPrinted(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithPassword("another"))
	cfg := redismanager.RedisConfig{Addr: srv.Addr(), Username: "default", Password: canary}
	withSentinel := redismanager.RedisConfig{Mode: "sentinel", Addr: "127.0.0.1:1", MasterName: "m", SentinelUsername: "u", SentinelPassword: canary}
	var out bytes.Buffer
	misplaced := redismanager.RedisConfig{Addr: "redis://app:" + canary + "@host:6379"}
	fmt.Fprintf(&out, "%v", misplaced.Validate())
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, c := range []redismanager.RedisConfig{cfg, withSentinel} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", c)
			fmt.Fprintf(&out, verb+"\n", &c)
			fmt.Fprintf(&out, verb+"\n", []redismanager.RedisConfig{c})
			fmt.Fprintf(&out, verb+"\n", struct{ C redismanager.RedisConfig }{c})
		}
		encoded, err := json.Marshal(c)
		require.NoError(t, err)
		out.Write(encoded)
		masked, err := c.MarshalYAML()
		require.NoError(t, err)
		fmt.Fprintf(&out, "%+v", masked)
		log.Info("config", "cfg", c, "ptr", &c)
		_, err = redismanager.New(within(t, 2*time.Second), c, redismanager.WithLogger(log))
		require.Error(t, err)
		fmt.Fprintf(&out, "%v %+v %#v\n", err, err, err)
	}
	func() {
		defer func() { fmt.Fprint(&out, recover()) }()
		panic(cfg)
	}()
	require.NotContains(t, out.String(), canary)
	require.NotContains(t, out.String(), fmt.Sprintf("%x", canary))
	require.Contains(t, out.String(), "***")

	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), Password: "another"}, redismanager.WithLogger(log))
	fmt.Fprintf(&out, "%v %+v %#v", m, m, m)
	require.NotContains(t, out.String(), "another")
}

func TestConfigJSONHasEveryField(t *testing.T) {
	encoded, err := json.Marshal(redismanager.DefaultConfig())
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(encoded, &fields))
	require.Equal(t, "3s", fields["read_timeout"])
	require.EqualValues(t, 10, fields["pool_size"])
	for f := range reflect.TypeFor[redismanager.RedisConfig]().Fields() {
		if f.Type == reflect.TypeFor[time.Duration]() {
			require.IsType(t, "", fields[f.Tag.Get("mapstructure")], f.Name)
		}
	}
}

func TestTLS(t *testing.T) {
	certs := redistest.NewCerts(t)
	srv := redistest.StartServer(t, redistest.WithTLS(certs))
	good := redismanager.TLSConfig{Enabled: true, CAFile: certs.CAFile, CertFile: certs.ClientCertFile, KeyFile: certs.ClientKeyFile}
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), TLS: good}, redismanager.WithScripts(counting))
	_, err := m.ExecuteScript(within(t, time.Second), "counting", []string{"k"}, nil)
	require.NoError(t, err)

	named := good
	named.ServerName = "localhost"
	open(t, redismanager.RedisConfig{Addr: srv.Addr(), TLS: named})

	for name, change := range map[string]func(c *redismanager.TLSConfig){
		"no CA":                 func(c *redismanager.TLSConfig) { c.CAFile = "" },
		"other CA":              func(c *redismanager.TLSConfig) { c.CAFile = certs.OtherCAFile },
		"wrong name":            func(c *redismanager.TLSConfig) { c.ServerName = "redis.example" },
		"no client certificate": func(c *redismanager.TLSConfig) { c.CertFile, c.KeyFile = "", "" },
		"plain text":            func(c *redismanager.TLSConfig) { *c = redismanager.TLSConfig{} },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			change(&bad)
			start := time.Now()
			_, err := redismanager.New(within(t, 2*time.Second), redismanager.RedisConfig{Addr: srv.Addr(), TLS: bad, MaxRetries: -1}, redismanager.WithLogger(quiet))
			require.ErrorIs(t, err, redismanager.ErrUnavailable)
			require.Less(t, time.Since(start), time.Second)
		})
	}
	t.Run("key is no key", func(t *testing.T) {
		bad := good
		bad.KeyFile = certs.CAFile
		_, err := redismanager.New(within(t, time.Second), redismanager.RedisConfig{Addr: srv.Addr(), TLS: bad})
		require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
	})
}

func TestTLSOnSentinelAndCluster(t *testing.T) {
	certs := redistest.NewCerts(t)
	good := redismanager.TLSConfig{Enabled: true, CAFile: certs.CAFile, CertFile: certs.ClientCertFile, KeyFile: certs.ClientKeyFile}
	set := redistest.StartSentinel(t, redistest.WithTLS(certs), redistest.WithPassword("data-secret"), redistest.WithSentinelPassword("sentinel-secret"))
	open(t, redismanager.RedisConfig{
		Mode: "sentinel", Addrs: set.Addrs(), MasterName: set.MasterName, TLS: good,
		Password: "data-secret", SentinelPassword: "sentinel-secret",
	})
	cluster := redistest.StartCluster(t, redistest.WithTLS(certs), redistest.WithPassword("data-secret"))
	open(t, redismanager.RedisConfig{Mode: "cluster", Addrs: cluster.Addrs(), TLS: good, Password: "data-secret"})
}

func TestSlotsOfTheSpecification(t *testing.T) {
	for key, slot := range map[string]int{
		"": 0, "123456789": 12739, "foo": 12182, "{foo}bar": 12182, "foo{}{bar}": 8363, "foo{{bar}}zap": 4015, "foo{bar}{zap}": 5061,
	} {
		require.Equal(t, slot, redismanager.Slot(key), key)
	}
	cluster := redistest.SharedCluster(t).Masters()[0].Client(t)
	for _, key := range []string{"a", "{", "}{", "{}", "sf:{default:lk:u1}game", "ü{ö}ä", "\x00\r\n"} {
		want, err := cluster.ClusterKeySlot(within(t, time.Second), key).Result()
		require.NoError(t, err)
		require.EqualValues(t, want, redismanager.Slot(key), "%q", key)
	}
}
