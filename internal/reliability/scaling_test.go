package reliability

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// TestPoolScaling lets 200 callers come to a pool of 5 connections, 5 ms away
// from the server: it grows until nobody waits, and when they have gone it
// shrinks again.
func TestPoolScaling(t *testing.T) {
	watchLeaks(t)
	srv := redistest.StartServer(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	proxy.SetDelay(5 * time.Millisecond)
	key := redistest.NewPrefix(t)
	e := open(t, redismanager.RedisConfig{
		Addr: proxy.Addr(), PoolSize: 5, PoolMin: 5, PoolMax: 300, PoolScaleInterval: 200 * time.Millisecond, PoolTimeout: 5 * time.Second,
	}, counting)
	size := func() int { return e.Manager().PoolStats().Nodes[0].CommandSize }

	load := Load{Callers: 200, Timeout: 5 * time.Second, Call: countWith(e, key)}.Start()
	require.Eventually(t, func() bool { return size() >= 200 }, 30*time.Second, 10*time.Millisecond, "the pool grows")
	awaitCalls(t, load, pick[int64](50_000, 5_000))
	tally, grown := load.StopAll(), size()
	require.Eventually(t, func() bool { return size() < 50 }, 60*time.Second, 50*time.Millisecond, "the pool shrinks")

	f := newFigures(t, library)
	f.load(tally)
	f.exactly("failed calls", tally.Failed(), 0)
	f.exactly("executions beyond the successes", executions(t, srv, key)-tally.OK, 0)
	f.count("pool size under load", grown)
	f.count("pool size when quiet again", size())
	f.tookAtMost("longest call", tally.Latency.Max(), 5*time.Second)
	for _, event := range e.Manager().Events() {
		if event.Kind == redismanager.EventPoolResized {
			t.Logf("%s to %s: %s", event.From, event.To, event.Reason)
		}
	}
}
