package metrics

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// TestOperationsAndScripts counts what really happens, by class.
func TestOperationsAndScripts(t *testing.T) {
	e, reg := open(t, redistest.StartServer(t)) // one that does not know the scripts
	ns := redistest.NewPrefix(t)
	_, err := e.SetLinkedPod(t.Context(), ns, "alice", "chat", 1, statelink.PersistForever)
	require.NoError(t, err)
	_, err = e.GetLinkedPod(t.Context(), ns, "alice", "chat")
	require.NoError(t, err)
	_, err = e.SetLinkedPod(t.Context(), ns, "alice", "chat", -7, statelink.PersistForever)
	require.ErrorIs(t, err, statelink.ErrInvalidArgument)
	_, err = e.ComputeLinkedPodIfAbsent(t.Context(), ns, "bob", "chat", statelink.PersistForever)
	require.ErrorIs(t, err, statelink.ErrNoReadyPod)

	for _, tc := range [][]string{
		{"op", "set_linked_pod", "class", "ok"},
		{"op", "set_linked_pod", "class", "invalid_argument"},
		{"op", "compute_linked_pod_if_absent", "class", "no_ready_pod"},
	} {
		require.Equal(t, 1.0, value(t, reg, "statelink_operations_total", tc...), tc)
		require.Equal(t, 1.0, value(t, reg, "statelink_operation_duration_seconds", tc...), tc)
	}
	require.Equal(t, 1.0, value(t, reg, "statelink_script_runs_total", "script", "statefulSetLink", "class", "ok"))
	require.Equal(t, 1.0, value(t, reg, "statelink_script_repairs_total", "script", "statefulSetLink"), "its first run on the server")
	require.GreaterOrEqual(t, value(t, reg, "statelink_redis_commands_total", "command", "get", "class", "ok"), 1.0)
	require.Len(t, family(t, reg, "statelink_script_info").GetMetric(), 11)

	_, err = e.RemoveLinkedPod(t.Context(), ns, "alice", "chat", 0)
	require.NoError(t, err)
}

// TestNothingPersonal: neither users nor namespaces nor texts of errors are in
// what a scrape gives.
func TestNothingPersonal(t *testing.T) {
	e, reg := open(t, redistest.SharedStandalone(t), WithServiceLabel(5))
	ns := redistest.NewPrefix(t)
	_, err := e.SetLinkedPod(t.Context(), ns, "secret-user", "chat", 1, 60)
	require.NoError(t, err)
	_, err = e.GetLinkedPod(t.Context(), ns, "bad{secret-user}", "chat")
	require.Error(t, err)
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		require.NotContains(t, f.String(), "secret-user")
		require.NotContains(t, f.String(), ns)
	}
	_, err = e.RemoveLinkedPod(t.Context(), ns, "secret-user", "chat", 0)
	require.NoError(t, err)
}

// TestServiceLabelIsBounded: a name that was refused takes no place, and what
// comes after the limit is "other".
func TestServiceLabelIsBounded(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	s, err := newSettings(reg, []Option{WithServiceLabel(2)})
	require.NoError(t, err)
	ops := newOperations(s)
	reg.MustRegister(ops)
	do := func(service string, err error) {
		_, end := ops.Begin(t.Context(), statelink.Op{Name: "op", Service: service})
		end(err)
	}
	for i := range 50 {
		do(fmt.Sprintf("refused-%d\xff", i), statelink.ErrInvalidArgument)
	}
	do("a", nil)
	do("b", errStrange)
	for i := range 50 {
		do(fmt.Sprintf("late-%d", i), nil)
	}
	do("\xff", nil)
	do("", nil)
	require.Equal(t, 50.0, value(t, reg, "statelink_operations_total", "service", "other", "class", "invalid_argument"))
	require.Equal(t, 1.0, value(t, reg, "statelink_operations_total", "service", "a", "class", "ok"))
	require.Equal(t, 1.0, value(t, reg, "statelink_operations_total", "service", "b", "class", "other"))
	require.Equal(t, 51.0, value(t, reg, "statelink_operations_total", "service", "other", "class", "ok"))
	require.Equal(t, 1.0, value(t, reg, "statelink_operations_total", "service", "", "class", "ok"))
	require.Len(t, family(t, reg, "statelink_operations_total").GetMetric(), 5)
}

// TestNamesAreBounded: commands and nodes that come from outside.
func TestNamesAreBounded(t *testing.T) {
	c := newCollector(newFake(), settings{buckets: defaultBuckets})
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(c)
	for i := range 3 * mostNodes {
		c.CallDone(t.Context(), redismanager.CallInfo{Name: fmt.Sprintf("command-%d", i)})
		c.Changed(redismanager.Event{Kind: redismanager.EventPoolResized, Node: fmt.Sprintf("node-%d", i), From: "20", To: "10", Reason: "dry run: idle"})
	}
	require.Len(t, family(t, reg, "statelink_redis_commands_total").GetMetric(), mostNames+1)
	const decisions = "statelink_redis_pool_autoscaler_decisions_total"
	require.Len(t, family(t, reg, decisions).GetMetric(), mostNodes+1)
	require.Equal(t, 2.0*mostNodes, value(t, reg, decisions, "node", "other", "direction", "down", "dry_run", "true"))
}

// TestManyAtOnce counts exactly while many goroutines begin and end.
func TestManyAtOnce(t *testing.T) {
	s := settings{buckets: defaultBuckets, services: 3}
	ops := newOperations(s)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(ops)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 500 {
				_, end := ops.Begin(context.Background(), statelink.Op{Name: "op", Service: fmt.Sprint(i)})
				end(nil)
			}
		})
	}
	group.Wait()
	total := 0.0
	for _, m := range family(t, reg, "statelink_operations_total").GetMetric() {
		total += m.Counter.GetValue()
	}
	require.Equal(t, 4000.0, total)
}

// TestNoAllocation: an operation that succeeds allocates nothing in this package.
func TestNoAllocation(t *testing.T) {
	if raceEnabled() {
		t.Log("the race detector drops pooled objects on purpose: only the count is looser")
	}
	ops := newOperations(settings{buckets: defaultBuckets, services: 10})
	op := statelink.Op{Name: "get_linked_pod", Service: "chat"}
	ctx := context.Background()
	perRun := testing.AllocsPerRun(1000, func() {
		_, end := ops.Begin(ctx, op)
		end(nil)
	})
	if !raceEnabled() {
		require.Zero(t, perRun)
	}
	c := newCalls(settings{buckets: defaultBuckets})
	info := redismanager.CallInfo{Name: "set_link", IsScript: true, Tries: 1}
	require.Zero(t, testing.AllocsPerRun(1000, func() { c.CallDone(ctx, info) }))
}

// raceEnabled reports whether sync.Pool forgets at random, as it does under the
// race detector.
func raceEnabled() bool {
	made := 0
	pool := sync.Pool{New: func() any { made++; return new(int) }}
	for range 200 {
		pool.Put(pool.Get())
	}
	return made > 20
}

func BenchmarkOperation(b *testing.B) {
	for _, services := range []int{0, 10} {
		b.Run(fmt.Sprintf("service_label_%t", services > 0), func(b *testing.B) {
			ops := newOperations(settings{buckets: defaultBuckets, services: services})
			op := statelink.Op{Name: strings.Clone("get_linked_pod"), Service: "chat"}
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				_, end := ops.Begin(ctx, op)
				end(nil)
			}
		})
	}
}

func BenchmarkCall(b *testing.B) {
	c := newCalls(settings{buckets: defaultBuckets})
	info := redismanager.CallInfo{Name: "set_link", IsScript: true, Tries: 1}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		c.CallDone(ctx, info)
	}
}

func BenchmarkScrape(b *testing.B) {
	reg := everything(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := reg.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
