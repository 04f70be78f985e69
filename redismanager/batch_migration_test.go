package redismanager_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// slotMove moves a slot from one master to another, step by step.
type slotMove struct {
	tb       testing.TB
	slot     int
	from, to *redis.Client
	others   []*redis.Client
	target   string // its port
	ids      [2]string
}

// newSlotMove plans to move the slot of key away from the node that serves it.
func newSlotMove(tb testing.TB, c *redistest.Cluster, key string) *slotMove {
	tb.Helper()
	ctx := context.Background()
	from := c.NodeForKey(tb, key)
	move := &slotMove{tb: tb, slot: redismanager.Slot(key), from: from.Client(tb)}
	for _, srv := range c.Masters() {
		switch {
		case srv.Addr() == from.Addr():
		case move.to == nil:
			move.to = srv.Client(tb)
			_, move.target = split(tb, srv.Addr())
		default:
			move.others = append(move.others, srv.Client(tb))
		}
	}
	for i, node := range []*redis.Client{move.from, move.to} {
		id, err := node.Do(ctx, "cluster", "myid").Text()
		require.NoError(tb, err)
		move.ids[i] = id
	}
	return move
}

func (s *slotMove) set(node *redis.Client, state ...any) {
	s.tb.Helper()
	require.NoError(s.tb, node.Do(context.Background(), append([]any{"cluster", "setslot", s.slot}, state...)...).Err())
}

// begin makes the slot one that is moving.
func (s *slotMove) begin() {
	s.set(s.to, "importing", s.ids[0])
	s.set(s.from, "migrating", s.ids[1])
}

// some moves up to n keys and reports whether there were any.
func (s *slotMove) some(n int) bool {
	s.tb.Helper()
	ctx := context.Background()
	keys, err := s.from.ClusterGetKeysInSlot(ctx, s.slot, n).Result()
	require.NoError(s.tb, err)
	if len(keys) == 0 {
		return false
	}
	args := []any{"migrate", "127.0.0.1", s.target, "", 0, 5000, "keys"}
	for _, key := range keys {
		args = append(args, key)
	}
	require.NoError(s.tb, s.from.Do(ctx, args...).Err())
	return true
}

// end gives the slot to its new master.
func (s *slotMove) end() {
	for _, node := range append([]*redis.Client{s.to, s.from}, s.others...) {
		s.set(node, "node", s.ids[1])
	}
}

// A slot moves to another node and back, key by key, with its keys on both sides
// and no script on the node that takes it over: no caller notices.
func TestBatchesAndTransactionsWhileTheirSlotMoves(t *testing.T) {
	cluster := redistest.SharedCluster(t)
	both := redismanager.Script{Name: "both", Source: "#!lua\nredis.call('INCR', KEYS[1])\nreturn redis.call('INCR', KEYS[2])\n"}
	m := open(t, topologies[2].config(t), redismanager.WithScripts(counting, both))
	ctx, tag := within(t, 60*time.Second), "{"+redistest.NewPrefix(t)+"}"
	key := func(i int) string { return tag + strconv.Itoa(i%30) }
	var create []redismanager.BatchItem
	for i := range 30 {
		create = append(create, command("SET", key(i), 0))
	}
	requireAllOK(ctx, t, m, append(create, command("RPUSH", tag+"list", "begin")))

	var sums [3]atomic.Int64
	var done atomic.Bool
	var callers sync.WaitGroup
	call := func(sum *atomic.Int64, adds int64, send func(round int) ([]redismanager.BatchResult, error)) {
		callers.Go(func() {
			for round := 0; !done.Load(); round++ {
				if results, err := send(round); !noFailure(results, err) {
					t.Errorf("round %d: %v %v", round, err, results)
					return
				}
				sum.Add(adds)
			}
		})
	}
	pushed := 0
	call(&sums[0], 30, func(round int) ([]redismanager.BatchResult, error) {
		var items []redismanager.BatchItem
		for i := range 15 {
			items = append(items, run("counting", key(round+i)), command("INCR", key(round+2*i)), command("RPUSH", tag+"list", pushed))
			pushed++
		}
		return m.Batch(ctx, items)
	})
	call(&sums[1], 40, func(round int) ([]redismanager.BatchResult, error) {
		var items []redismanager.BatchItem
		for i := range 20 {
			items = append(items, redismanager.BatchItem{Script: "both", Keys: []string{key(round + i), key(round + i + 7)}})
		}
		return m.Batch(ctx, items)
	})
	call(&sums[2], 4, func(round int) ([]redismanager.BatchResult, error) {
		return m.Tx(ctx, []redismanager.BatchItem{
			run("counting", key(round)), command("INCR", key(round+3)), {Script: "both", Keys: []string{key(round), key(round + 11)}},
		})
	})

	progress := func() { // while callers run
		before := sums[0].Load()
		require.Eventually(t, func() bool { return sums[0].Load() > before+60 || t.Failed() }, 10*time.Second, time.Millisecond)
	}
	for range 4 {
		move := newSlotMove(t, cluster, tag)
		require.NoError(t, move.to.ScriptFlush(ctx).Err())
		move.begin()
		progress()
		for move.some(4) {
			progress()
		}
		progress()
		move.end()
		progress()
	}
	done.Store(true)
	callers.Wait()

	total := int64(0)
	for i := range 30 {
		total += int64(counterValue(ctx, t, m, key(i)))
	}
	t.Logf("single %d, two keys %d, transactions %d", sums[0].Load()/30, sums[1].Load()/40, sums[2].Load()/4)
	require.Equal(t, sums[0].Load()+sums[1].Load()+sums[2].Load(), total, "executions")
	list, err := m.Read(ctx, "lrange", tag+"list", 1, -1)
	require.NoError(t, err)
	for i, value := range list.([]any) {
		require.Equal(t, strconv.Itoa(i), value, "order of one key")
	}
	require.Len(t, list, pushed)
	for _, sum := range []*atomic.Int64{&sums[1], &sums[2]} {
		require.NotZero(t, sum.Load(), fmt.Sprint(sums[0].Load()))
	}
}
