package metrics

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// TestScrapeWithoutRedis: a scrape works, and is quick, while the server is
// stopped, when every call of it would hang.
func TestScrapeWithoutRedis(t *testing.T) {
	srv := redistest.StartServer(t)
	e, reg := open(t, srv)
	_, err := e.GetLinkedPod(t.Context(), "default", "alice", "chat")
	require.NoError(t, err)
	srv.Pause()
	defer srv.Resume()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = e.GetLinkedPod(ctx, "default", "alice", "chat")
	require.ErrorIs(t, err, context.DeadlineExceeded, "the server must not answer")

	start := time.Now()
	families, err := reg.Gather()
	took := time.Since(start)
	require.NoError(t, err)
	require.NotEmpty(t, families)
	require.Less(t, took, 50*time.Millisecond)
	require.Equal(t, 1.0, value(t, reg, "statelink_operations_total", "op", "get_linked_pod", "class", "timeout"))
	require.Equal(t, 1.0, value(t, reg, "statelink_redis_health", "state", "unknown"))
	t.Logf("a scrape took %v", took)
}

// TestUnregister: all is gone, nothing is counted any more, and it can be
// registered again.
func TestUnregister(t *testing.T) {
	e, first := open(t, redistest.SharedStandalone(t))
	reg := prometheus.NewPedanticRegistry()
	unregister, err := Register(reg, e)
	require.NoError(t, err)
	_, err = Register(reg, e)
	require.ErrorAs(t, err, &prometheus.AlreadyRegisteredError{})
	_, err = e.GetLinkedPod(t.Context(), "default", "alice", "chat")
	require.NoError(t, err)
	require.Equal(t, 1.0, value(t, first, "statelink_operations_total", "op", "get_linked_pod"), "the second one that failed does not count")

	unregister()
	unregister()
	families, err := reg.Gather()
	require.NoError(t, err)
	require.Empty(t, families)
	unregister, err = Register(reg, e)
	require.NoError(t, err)
	defer unregister()
	require.Nil(t, family(t, reg, "statelink_operations_total"))
}

// TestTwoOnOneRegisterer: each with a label of its own.
func TestTwoOnOneRegisterer(t *testing.T) {
	e, _ := open(t, redistest.SharedStandalone(t))
	reg := prometheus.NewPedanticRegistry()
	for _, name := range []string{"a", "b"} {
		unregister, err := Register(prometheus.WrapRegistererWith(prometheus.Labels{"deployment": name}, reg), e)
		require.NoError(t, err)
		t.Cleanup(unregister)
	}
	require.Len(t, family(t, reg, "statelink_redis_leases").GetMetric(), 2)
}

// TestManagerAlone: everything but operations.
func TestManagerAlone(t *testing.T) {
	m, err := redismanager.New(t.Context(), redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()}, redismanager.WithLogger(quiet))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	reg := prometheus.NewPedanticRegistry()
	unregister, err := RegisterManager(reg, m)
	require.NoError(t, err)
	defer unregister()
	_, err = m.ExecuteScript(t.Context(), "return 7", []string{"k"}, nil)
	require.NoError(t, err)
	require.Equal(t, 1.0, value(t, reg, "statelink_script_runs_total", "script", "source", "class", "ok"))
	require.Nil(t, family(t, reg, "statelink_operations_total"))
	require.Equal(t, 1.0, value(t, reg, "statelink_build_info"))
}

// TestRefusedArguments: nothing is registered.
func TestRefusedArguments(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	e, _ := open(t, redistest.SharedStandalone(t))
	for name, call := range map[string]func() (func(), error){
		"no registerer":  func() (func(), error) { return Register(nil, e) },
		"no executor":    func() (func(), error) { return Register(reg, nil) },
		"no manager":     func() (func(), error) { return RegisterManager(reg, nil) },
		"no buckets":     func() (func(), error) { return Register(reg, e, WithBuckets()) },
		"equal buckets":  func() (func(), error) { return Register(reg, e, WithBuckets(1, 1)) },
		"no number":      func() (func(), error) { return Register(reg, e, WithBuckets(math.NaN())) },
		"no service":     func() (func(), error) { return Register(reg, e, WithServiceLabel(0)) },
		"many services":  func() (func(), error) { return RegisterManager(reg, e.Manager(), WithServiceLabel(1001)) },
		"falling bounds": func() (func(), error) { return Register(reg, e, WithBuckets(2, 1)) },
	} {
		_, err := call()
		require.ErrorIs(t, err, statelink.ErrInvalidArgument, name)
	}
	families, err := reg.Gather()
	require.NoError(t, err)
	require.Empty(t, families)
}
