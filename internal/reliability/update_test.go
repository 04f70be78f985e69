package reliability

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// TestUpdateConfig changes password, pool and address, and turns TLS on, under
// 200 callers.
func TestUpdateConfig(t *testing.T) {
	watchLeaks(t)
	first := redistest.StartServer(t, redistest.WithACL("app on >old ~* &* +@all"))
	second := redistest.StartServer(t)
	certs := redistest.NewCerts(t)
	encrypted := redistest.StartServer(t, redistest.WithTLS(certs))
	key := redistest.NewPrefix(t)
	cfg := redismanager.RedisConfig{Addr: first.Addr(), Username: "app", Password: "old"}
	e := open(t, cfg, counting)
	calm := updateRun(t, e, key, func() {})
	changes := []struct {
		name   string
		change func() redismanager.RedisConfig
	}{
		{"password", func() redismanager.RedisConfig {
			require.NoError(t, first.Client(t).Do(context.Background(), "acl", "setuser", "app", ">new", "<old").Err())
			cfg.Password = "new"
			return cfg
		}},
		{"pool size", func() redismanager.RedisConfig { cfg.PoolSize = 30; return cfg }},
		{"address", func() redismanager.RedisConfig { return redismanager.RedisConfig{Addr: second.Addr()} }},
		{"TLS", func() redismanager.RedisConfig {
			return redismanager.RedisConfig{Addr: encrypted.Addr(), TLS: redismanager.TLSConfig{
				Enabled: true, CAFile: certs.CAFile, CertFile: certs.ClientCertFile, KeyFile: certs.ClientKeyFile,
			}}
		}},
	}
	done := calm.OK
	for _, c := range changes {
		tally := updateRun(t, e, key, func() {
			next := c.change()
			require.NoError(t, e.Manager().UpdateConfig(&next))
		})
		done += tally.OK
		reportUpdate(t, c.name, tally, calm)
	}
	f := newFigures(t, library+", all servers")
	executed := executions(t, first, key) + executions(t, second, key) + executions(t, encrypted, key)
	f.exactly("executions beyond the successes", executed-done, 0)
	f.atLeast("executions on the second server", executions(t, second, key), 1)
	f.atLeast("executions on the server with TLS", executions(t, encrypted, key), 1)
}

// updateRun lets 200 callers call while something is changed.
func updateRun(t *testing.T, e *statelink.Executor, key string, change func()) Tally {
	t.Helper()
	load := Load{Callers: 200, Timeout: 5 * time.Second, Pause: 50 * time.Millisecond, Call: countWith(e, key)}.Start()
	requireTraffic(t, load, 1000)
	change()
	awaitCalls(t, load, pick[int64](5000, 1000))
	return load.StopAll()
}

func reportUpdate(t *testing.T, what string, tally, calm Tally) {
	t.Helper()
	f := newFigures(t, library+", "+what)
	f.load(tally)
	f.exactly("failed calls", tally.Failed(), 0)
	f.took("longest call", tally.Latency.Max())
	f.took("longest call beyond that of a calm run", max(tally.Latency.Max()-calm.Latency.Max(), 0))
}
