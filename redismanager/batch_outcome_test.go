package redismanager_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// The reply to a pipeline is lost. What may have been applied is not sent again
// and reported unknown, what only reads or is idempotent is answered.
func TestLostReplyOfABatch(t *testing.T) {
	for name, how := range map[string]redistest.Fault{"closed": redistest.FaultClose, "silent": redistest.FaultSilence} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := redistest.SharedStandalone(t)
			proxy := redistest.NewProxy(t, srv.Addr())
			m := open(t, throughProxy(proxy), redismanager.WithScripts(counting, setting, reading))
			ctx, prefix := within(t, 10*time.Second), redistest.NewPrefix(t)
			get := command("GET", prefix+"absent")
			get.ReadOnly = true
			items := []redismanager.BatchItem{
				run("setting", prefix+"early"), run("counting", prefix), run("reading", prefix+"absent"), get, command("INCR", prefix+"n"),
			}
			requireAllOK(ctx, t, m, items)

			proxy.DropReplies(prefix+"early", 2, how) // the second time what is sent again
			items[0].Keys = []string{prefix + "early"}
			results, err := m.Batch(ctx, items)
			require.NoError(t, err)
			require.Equal(t, 2, proxy.Dropped())
			require.Equal(t, "done", results[0].Value, "idempotent: %v", results[0].Err)
			require.ErrorIs(t, results[1].Err, redismanager.ErrOutcomeUnknown)
			require.NoError(t, results[2].Err)
			require.NoError(t, results[3].Err)
			require.ErrorIs(t, results[4].Err, redismanager.ErrOutcomeUnknown)
			c := srv.Client(t)
			require.Equal(t, "2", c.Get(ctx, prefix).Val(), "executions")
			require.Equal(t, "2", c.Get(ctx, prefix+"n").Val(), "executions")
		})
	}
}

// After a lost reply neither an idempotent write nor a read is sent again when a
// later write of its slot may have been applied: it would run after that.
func TestLostReplyKeepsTheOrderOfASlot(t *testing.T) {
	srv := redistest.SharedStandalone(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	put := redismanager.Script{Name: "put", Source: "#!lua\nreturn redis.call('SET', KEYS[1], ARGV[1])\n", Idempotent: true}
	m := open(t, throughProxy(proxy), redismanager.WithScripts(put, reading))
	ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
	requireAllOK(ctx, t, m, []redismanager.BatchItem{run("put", key, "warm"), run("reading", key)})
	proxy.DropReplies("evalsha", 1, redistest.FaultClose)
	results, err := m.Batch(ctx, []redismanager.BatchItem{
		run("reading", key), run("put", key, "first"), command("SET", key, "second"), run("reading", key), run("put", key+"other", "x"),
	})
	require.NoError(t, err)
	require.True(t, redismanager.Retryable(results[0].Err), "a read changes nothing: %v", results[0].Err)
	require.ErrorIs(t, results[1].Err, redismanager.ErrOutcomeUnknown)
	require.ErrorIs(t, results[2].Err, redismanager.ErrOutcomeUnknown)
	require.Equal(t, "second", results[3].Value, "nothing was overtaken: %v", results[3].Err)
	require.NoError(t, results[4].Err, "of another slot")
	require.Equal(t, "second", srv.Client(t).Get(ctx, key).Val())
}

// The reply to EXEC is lost: unknown, and not sent again.
func TestLostReplyOfATransaction(t *testing.T) {
	for name, how := range map[string]redistest.Fault{"closed": redistest.FaultClose, "silent": redistest.FaultSilence} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := redistest.SharedStandalone(t)
			proxy := redistest.NewProxy(t, srv.Addr())
			m := open(t, throughProxy(proxy), redismanager.WithScripts(setting, reading))
			ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
			items := []redismanager.BatchItem{command("INCR", key), run("setting", key)}
			proxy.DropReplies("exec\r\n", 3, how)
			results, err := m.Tx(ctx, items)
			require.ErrorIs(t, err, redismanager.ErrOutcomeUnknown)
			require.ErrorIs(t, results[0].Err, redismanager.ErrOutcomeUnknown)
			require.Equal(t, 1, proxy.Dropped())
			require.Equal(t, "2", srv.Client(t).Get(ctx, key).Val())

			proxy.DropReplies("exec\r\n", 2, how)
			results, err = m.Tx(ctx, []redismanager.BatchItem{run("reading", key)})
			require.NoError(t, err, "only reads: sent again")
			require.Equal(t, "2", results[0].Value)

			proxy.DropReplies("multi\r\n", 2, how) // nothing was applied yet: sent again
			results, err = m.Tx(ctx, items)
			require.NoError(t, err)
			require.EqualValues(t, 3, results[0].Value)
			require.Equal(t, "4", srv.Client(t).Get(ctx, key).Val())
		})
	}
}

// Every connection is cut again and again: no item runs twice, and a transaction
// has all its effects or none.
func TestCutConnectionsUnderBatchesAndTransactions(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, prefix := within(t, 60*time.Second), redistest.NewPrefix(t)
		require.NoError(t, m.Register(ctx, counting))
		stop := every(t, 7*time.Millisecond, func() { killNormalConnections(ctx, m) })
		const callers, calls = 6, 40
		var mu sync.Mutex
		ok, unknown, txs, unknownTxs := 0, 0, 0, 0
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range calls {
					items := make([]redismanager.BatchItem, 50)
					for i := range items {
						items[i] = run("counting", prefix+strconv.Itoa(i))
					}
					results, err := m.Batch(ctx, items)
					_, txErr := m.Tx(ctx, []redismanager.BatchItem{run("counting", prefix+"{t}a"), command("INCR", prefix+"{t}b"), run("counting", prefix+"{t}c")})
					mu.Lock()
					for _, r := range results {
						count(t, r.Err, &ok, &unknown)
					}
					count(t, err, new(int), new(int))
					count(t, txErr, &txs, &unknownTxs)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		stop()
		executed := 0
		for i := range 50 {
			executed += counterValue(ctx, t, m, prefix+strconv.Itoa(i))
		}
		a, b, c := counterValue(ctx, t, m, prefix+"{t}a"), counterValue(ctx, t, m, prefix+"{t}b"), counterValue(ctx, t, m, prefix+"{t}c")
		t.Logf("items: ok %d, unknown %d, executed %d; transactions: ok %d, unknown %d, executed %d", ok, unknown, executed, txs, unknownTxs, a)
		require.GreaterOrEqual(t, executed, ok)
		require.LessOrEqual(t, executed, ok+unknown)
		require.Equal(t, []int{a, a}, []int{b, c}, "half transactions")
		require.GreaterOrEqual(t, a, txs)
		require.LessOrEqual(t, a, txs+unknownTxs)
	})
}

// count sorts an outcome; any other than these two is a failure of the test.
func count(t *testing.T, err error, ok, unknown *int) {
	t.Helper()
	switch {
	case err == nil:
		*ok++
	case errors.Is(err, redismanager.ErrOutcomeUnknown):
		*unknown++
	default:
		t.Errorf("neither done nor unknown: %v", err)
	}
}

// A connection that ends between MULTI and EXEC leaves nothing behind.
func TestTransactionCutBeforeExec(t *testing.T) {
	srv := redistest.SharedStandalone(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	m := open(t, throughProxy(proxy))
	ctx, prefix := within(t, 20*time.Second), redistest.NewPrefix(t)
	stop := every(t, 2*time.Millisecond, proxy.CutAll)
	big := make([]byte, 256<<10) // EXEC comes many packets after the first item
	ok, unknown, never := 0, 0, 0
	for i := range 60 {
		tag := fmt.Sprintf("{%s-%d}", prefix, i)
		_, err := m.Tx(within(t, 200*time.Millisecond), []redismanager.BatchItem{command("SET", tag+"a", big), command("SET", tag+"b", big), command("SET", tag+"c", "x")})
		applied := srv.Client(t).Exists(ctx, tag+"a", tag+"b", tag+"c").Val()
		require.Contains(t, []int64{0, 3}, applied, "a half transaction: %v", err)
		if redismanager.Retryable(err) {
			require.Zero(t, applied, "it was said that it surely was not applied: %v", err)
			never++
			continue
		}
		count(t, err, &ok, &unknown)
	}
	stop()
	t.Logf("ok %d, unknown %d, surely not applied %d", ok, unknown, never)
	require.NotZero(t, unknown+never, "no transaction was cut")
}

// Redis is away for a moment: everything is sent when it is back, within the
// deadline.
func TestBatchAndTransactionWaitOutAnOutage(t *testing.T) {
	srv := redistest.SharedStandalone(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	m := open(t, throughProxy(proxy), redismanager.WithScripts(counting))
	ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
	proxy.Refuse(true)
	proxy.CutAll()
	time.AfterFunc(150*time.Millisecond, func() { proxy.Refuse(false) })
	items := make([]redismanager.BatchItem, 2500) // several pipelines
	for i := range items {
		items[i] = run("counting", key)
	}
	results, err := m.Batch(ctx, items)
	require.NoError(t, err)
	ok, unknown := 0, 0
	for _, r := range results {
		count(t, r.Err, &ok, &unknown)
	}
	require.GreaterOrEqual(t, ok, 1500, "at most one pipeline went out on a connection that was just cut")

	proxy.Refuse(true)
	proxy.CutAll()
	time.AfterFunc(150*time.Millisecond, func() { proxy.Refuse(false) })
	results, err = m.Tx(ctx, items[:3])
	require.NoError(t, err)
	require.Len(t, results, 3)
}

// Nothing can be reached until the deadline: nothing was sent, and each item
// says so.
func TestBatchThatCannotBeSent(t *testing.T) {
	proxy := redistest.NewProxy(t, redistest.SharedStandalone(t).Addr())
	m := open(t, throughProxy(proxy), redismanager.WithScripts(counting))
	proxy.Refuse(true)
	proxy.CutAll()
	key := redistest.NewPrefix(t)
	items := make([]redismanager.BatchItem, 2500)
	for i := range items {
		items[i] = run("counting", key)
	}
	_, _ = m.Batch(within(t, 300*time.Millisecond), items) // may meet connections that were just cut
	start := time.Now()
	results, err := m.Batch(within(t, 300*time.Millisecond), items)
	require.NoError(t, err)
	for _, r := range results {
		require.True(t, redismanager.Retryable(r.Err), "%v", r.Err)
	}
	require.Less(t, time.Since(start), 2*time.Second)
	_, err = m.Tx(within(t, 300*time.Millisecond), items[:2])
	require.True(t, redismanager.Retryable(err), "%v", err)
}

func TestBatchAndTransactionEndWithTheirContext(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), MinIdleConns: -1}, redismanager.WithScripts(counting))
	items := []redismanager.BatchItem{run("counting", "k"), command("INCR", "k")}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, call := range []func(context.Context, []redismanager.BatchItem) ([]redismanager.BatchResult, error){m.Batch, m.Tx} {
		_, err := call(ended, items)
		require.Equal(t, redismanager.ClassCanceled, redismanager.Classify(err), "%v", err)
		results, err := call(within(t, 5*time.Second), items)
		require.True(t, noFailure(results, err), "%v %v", results, err)
	}
	srv.Pause()
	start := time.Now()
	results, err := m.Batch(within(t, 100*time.Millisecond), items)
	require.NoError(t, err)
	require.ErrorIs(t, results[0].Err, redismanager.ErrOutcomeUnknown)
	require.ErrorIs(t, results[0].Err, context.DeadlineExceeded)
	_, err = m.Tx(within(t, 100*time.Millisecond), items)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), time.Second)
	srv.Resume()
	require.NoError(t, m.Close())
	for _, call := range []func(context.Context, []redismanager.BatchItem) ([]redismanager.BatchResult, error){m.Batch, m.Tx} {
		_, err := call(within(t, time.Second), items)
		require.ErrorIs(t, err, redismanager.ErrClosed)
	}
}
