package reliability

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/scripts"
)

const (
	service = "game"
	forever = statelink.PersistForever
)

// pick gives what is meant for a full run or for a short one.
func pick[T any](inFull, inShort T) T {
	if full {
		return inFull
	}
	return inShort
}

func within(tb testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	tb.Cleanup(cancel)
	return ctx
}

// watchLeaks fails a test that leaves goroutines or files open behind. It must
// be called first: what is registered first is cleaned up last.
func watchLeaks(t *testing.T) {
	t.Helper()
	redistest.Prepare()
	before := ReadResources()
	t.Cleanup(func() {
		var now Resources
		back := func() bool {
			now = ReadResources()
			return now.Goroutines <= before.Goroutines && now.Files <= before.Files
		}
		for end := time.Now().Add(10 * time.Second); !back() && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
		}
		if !back() {
			stacks := make([]byte, 1<<20)
			t.Errorf("left behind: %+v, at the start %+v\n%s", now, before, stacks[:runtime.Stack(stacks, true)])
		}
	})
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func open(tb testing.TB, cfg redismanager.RedisConfig, list ...redismanager.Script) *statelink.Executor {
	tb.Helper()
	ctx := within(tb, 15*time.Second)
	m, err := redismanager.New(ctx, cfg, redismanager.WithLogger(quiet), redismanager.WithScripts(list...))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = m.Close() })
	e, err := statelink.NewExecutor(m)
	require.NoError(tb, err)
	require.NoError(tb, m.PreloadScripts(ctx))
	return e
}

func clusterConfig(c *redistest.Cluster) redismanager.RedisConfig {
	return redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: c.Addrs()}
}

func sentinelConfig(s *redistest.SentinelSet) redismanager.RedisConfig {
	return redismanager.RedisConfig{Mode: redismanager.ModeSentinel, Addrs: s.Addrs(), MasterName: s.MasterName}
}

// plainCluster is go-redis' client for a Cluster with its own defaults.
func plainCluster(tb testing.TB, c *redistest.Cluster) *redis.ClusterClient {
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs()})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func plainSentinel(tb testing.TB, s *redistest.SentinelSet) *redis.Client {
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: s.MasterName, SentinelAddrs: s.Addrs()})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func plainServer(tb testing.TB, addr string) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: addr})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// ours is the library as a Linker.
type ours struct {
	*statelink.Executor
	ns string
}

func (o ours) Set(ctx context.Context, uid string, pod int) (int, error) {
	return o.SetLinkedPod(ctx, o.ns, uid, service, pod, forever)
}

func (o ours) Get(ctx context.Context, uid string) (int, error) {
	return o.GetLinkedPod(ctx, o.ns, uid, service)
}

// plain is go-redis as a Linker: the same script, by its own Script.Run.
type plain struct {
	redis.UniversalClient
	ns string
}

var (
	keys       = statelink.NewKeys(statelink.DefaultKeyPrefix)
	plainLinks = redis.NewScript(mustScript(scripts.SetLink))
)

func mustScript(name string) string {
	s, found := scripts.Get(name)
	if !found {
		panic("no script " + name)
	}
	return s.Source
}

func (p plain) Set(ctx context.Context, uid string, pod int) (int, error) {
	link := []string{keys.Link(p.ns, uid, service), keys.User(p.ns, uid)}
	reply, err := plainLinks.Run(ctx, p, link, service, pod, forever).StringSlice()
	if err != nil || len(reply) == 0 || reply[0] == "" {
		return statelink.NoPod, err
	}
	return podOf(reply[0])
}

func (p plain) Get(ctx context.Context, uid string) (int, error) {
	value, err := p.UniversalClient.Get(ctx, keys.Link(p.ns, uid, service)).Result()
	if err == redis.Nil { //nolint:errorlint // go-redis returns it bare
		return statelink.NoPod, nil
	}
	if err != nil {
		return statelink.NoPod, err
	}
	return podOf(value)
}

// podOf reads a stored pod, "7" or, with a service, "7 ...".
func podOf(stored string) (int, error) {
	var pod int
	if _, err := fmt.Sscanf(stored, "%d", &pod); err != nil {
		return statelink.NoPod, fmt.Errorf("stored pod %q: %w", stored, err)
	}
	return pod, nil
}

// uidsOf gives uids with a prefix of their own.
func uidsOf(prefix string, n int) []string {
	uids := make([]string, n)
	for i := range uids {
		uids[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return uids
}

// requireTraffic is the gate before a fault: without enough calls the run would
// prove nothing.
func requireTraffic(t *testing.T, r *Running, perSecond float64) {
	t.Helper()
	time.Sleep(time.Second) // the rate is measured over this time
	require.GreaterOrEqual(t, r.Rate(), perSecond, "too few calls before the fault: the run says nothing")
}

// awaitCalls waits until a load has made n more calls.
func awaitCalls(t *testing.T, r *Running, n int64) {
	t.Helper()
	want := r.Calls() + n
	require.Eventually(t, func() bool { return r.Calls() >= want }, time.Minute, time.Millisecond)
}
