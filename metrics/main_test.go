package metrics

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

func TestMain(m *testing.M) { redistest.Main(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// open makes an executor on a server, and a registry with its metrics.
func open(tb testing.TB, srv *redistest.Server, opts ...Option) (*statelink.Executor, *prometheus.Registry) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	m, err := redismanager.New(ctx, redismanager.RedisConfig{Addr: srv.Addr(), MaxRetries: -1}, redismanager.WithLogger(quiet))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = m.Close() })
	e, err := statelink.NewExecutor(m)
	require.NoError(tb, err)
	reg := prometheus.NewPedanticRegistry()
	unregister, err := Register(reg, e, opts...)
	require.NoError(tb, err)
	tb.Cleanup(unregister)
	return e, reg
}

// fake is a manager as the health checker and a Cluster would show it.
type fake struct {
	pools  redismanager.PoolStats
	health redismanager.HealthStatus
}

func (f *fake) PoolStats() redismanager.PoolStats { return f.pools }
func (f *fake) Health() redismanager.HealthStatus { return f.health }
func (f *fake) Counters() redismanager.Counters {
	return redismanager.Counters{TopologyRefreshes: 5, TopologyRefreshFailures: 2}
}
func (f *fake) Scripts() []redismanager.ScriptInfo {
	return []redismanager.ScriptInfo{{Name: "set_link", SHA: "0123456789abcdef0123456789abcdef01234567", Version: 3}}
}

func newFake() *fake {
	now := time.Unix(1_700_000_000, 0)
	return &fake{
		pools: redismanager.PoolStats{
			Mode: redismanager.ModeCluster, Leases: 2, Draining: 1,
			Nodes: []redismanager.NodePoolStats{{Addr: "127.0.0.1:7001", Commands: redismanager.PoolNumbers{
				Size: 20, InUse: 3, Idle: 4, Waiting: 5, Hits: 100, Misses: 6, Waits: 7, WaitTime: 1500 * time.Millisecond, Timeouts: 8, Stale: 9, Unusable: 10,
			}}},
		},
		health: redismanager.HealthStatus{
			State: redismanager.Degraded, CheckedAt: now, Duration: redismanager.Millis(4 * time.Millisecond), SlotsServed: 10923,
			Nodes: []redismanager.NodeHealth{
				{Addr: "127.0.0.1:7001", Role: "master", State: redismanager.Healthy, Latency: redismanager.Millis(time.Millisecond), Replicas: 1, MissingScripts: 2, LagBytes: -1},
				{Addr: "127.0.0.1:7002", Role: "replica", State: redismanager.Healthy, LagBytes: 4096},
				{Addr: "127.0.0.1:7003", State: redismanager.Down},
			},
		},
	}
}

// everything gives the registry of a program in which all has happened once, so
// that each metric has a series.
func everything(tb testing.TB, opts ...Option) *prometheus.Registry {
	tb.Helper()
	reg := prometheus.NewPedanticRegistry()
	s, err := newSettings(reg, opts)
	require.NoError(tb, err)
	ops := newOperations(s)
	c := newCollector(newFake(), s, ops)
	reg.MustRegister(c)
	_, end := ops.Begin(tb.Context(), statelink.Op{Name: "set_linked_pod", Service: "game", UID: "u42"})
	end(nil)
	c.CallDone(tb.Context(), redismanager.CallInfo{Name: "set_link", IsScript: true, Version: 3, Tries: 2, Repairs: 1})
	c.CallDone(tb.Context(), redismanager.CallInfo{Name: "get", Tries: 1})
	c.Changed(redismanager.Event{Kind: redismanager.EventPoolResized, Node: "127.0.0.1:7001", From: "10", To: "20"})
	return reg
}

// value gives the value of the series that has all the labels, given in pairs.
func value(tb testing.TB, reg prometheus.Gatherer, name string, labels ...string) float64 {
	tb.Helper()
	for _, m := range family(tb, reg, name).GetMetric() {
		if !hasLabels(m, labels) {
			continue
		}
		switch {
		case m.Counter != nil:
			return m.Counter.GetValue()
		case m.Histogram != nil:
			return float64(m.Histogram.GetSampleCount())
		default:
			return m.Gauge.GetValue()
		}
	}
	tb.Fatalf("no series %s %v", name, labels)
	return 0
}

func hasLabels(m *dto.Metric, want []string) bool {
	found := 0
	for _, l := range m.GetLabel() {
		for i := 0; i < len(want); i += 2 {
			if l.GetName() == want[i] && l.GetValue() == want[i+1] {
				found++
			}
		}
	}
	return found == len(want)/2
}

// family gives the series of one metric, nil if there are none.
func family(tb testing.TB, reg prometheus.Gatherer, name string) *dto.MetricFamily {
	tb.Helper()
	families, err := reg.Gather()
	require.NoError(tb, err)
	for _, f := range families {
		if f.GetName() == name {
			return f
		}
	}
	return nil
}

var errStrange = errors.New("strange")
