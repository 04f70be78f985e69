package redismanager_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// onAll is onEach, and on the server in the process too.
func onAll(t *testing.T, test func(t *testing.T, m *redismanager.Manager)) {
	onEach(t, test)
	t.Run("embedded", func(t *testing.T) {
		srv, err := embedded.Start()
		require.NoError(t, err)
		t.Cleanup(func() { _ = srv.Close() })
		test(t, open(t, redismanager.RedisConfig{Addr: srv.Addr()}))
	})
}

func run(script string, key string, args ...any) redismanager.BatchItem {
	return redismanager.BatchItem{Script: script, Keys: []string{key}, Args: args}
}

func command(args ...any) redismanager.BatchItem { return redismanager.BatchItem{Args: args} }

// Scripts and commands over many slots: each has its result, in its place.
func TestBatchGivesEachItemItsResult(t *testing.T) {
	onAll(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, prefix := within(t, 20*time.Second), redistest.NewPrefix(t)
		require.NoError(t, m.Register(ctx, counting, reading))
		var items []redismanager.BatchItem
		for i := range 600 {
			key := prefix + strconv.Itoa(i)
			items = append(items,
				command("SET", key, i),
				run("counting", key),
				run("return {KEYS[1], ARGV[1]}", key, "x"),
				run("reading", key),
				command("LPUSH", key, "x"), // the wrong type
				command("GET", key+"absent"))
		}
		results, err := m.Batch(ctx, items)
		require.NoError(t, err)
		require.Len(t, results, len(items))
		for i := range 600 {
			key, r := prefix+strconv.Itoa(i), results[6*i:]
			require.Equal(t, redismanager.BatchResult{Value: "OK"}, r[0])
			require.Equal(t, redismanager.BatchResult{Value: int64(i + 1)}, r[1])
			require.Equal(t, redismanager.BatchResult{Value: []any{key, "x"}}, r[2])
			require.Equal(t, redismanager.BatchResult{Value: strconv.Itoa(i + 1)}, r[3])
			require.ErrorIs(t, r[4].Err, redismanager.ErrWrongType)
			require.Equal(t, redismanager.BatchResult{}, r[5])
		}
	})
}

func TestBatchOfNothing(t *testing.T) {
	m := open(t, topologies[0].config(t))
	results, err := m.Batch(within(t, time.Second), nil)
	require.NoError(t, err)
	require.Empty(t, results)
	results, err = m.Tx(within(t, time.Second), nil)
	require.NoError(t, err)
	require.Empty(t, results)
}

// 5,000 pushes to 20 lists arrive in the order in which they were given.
func TestBatchKeepsTheOrderOfASlot(t *testing.T) {
	push := "return redis.call('RPUSH', KEYS[1], ARGV[1])"
	onAll(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, prefix := within(t, 30*time.Second), redistest.NewPrefix(t)
		const lists, total = 20, 5000
		items := make([]redismanager.BatchItem, total)
		for i := range items {
			key := prefix + strconv.Itoa(i%lists)
			if items[i] = command("RPUSH", key, i); i%3 == 0 {
				items[i] = run(push, key, i)
			}
		}
		requireAllOK(ctx, t, m, items)
		for list := range lists {
			value, err := m.Read(ctx, "lrange", prefix+strconv.Itoa(list), 0, -1)
			require.NoError(t, err)
			want := []any{}
			for i := list; i < total; i += lists {
				want = append(want, strconv.Itoa(i))
			}
			require.Equal(t, want, value)
		}
	})
}

func requireAllOK(ctx context.Context, tb testing.TB, m *redismanager.Manager, items []redismanager.BatchItem) (repaired int) {
	tb.Helper()
	results, err := m.Batch(ctx, items)
	require.NoError(tb, err)
	for i, r := range results {
		if r.Err != nil {
			require.NoError(tb, r.Err, "item %d", i)
		}
		if r.Repaired {
			repaired++
		}
	}
	return repaired
}

// A script that a node has lost is repaired for the items that met that.
func TestBatchRepairsOnlyWhatLacksItsScript(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, prefix := within(t, 20*time.Second), redistest.NewPrefix(t)
		require.NoError(t, m.Register(ctx, counting))
		var items []redismanager.BatchItem
		for i := range 300 {
			items = append(items, run("counting", prefix+strconv.Itoa(i%50)), command("INCR", prefix+"n"+strconv.Itoa(i%50)))
		}
		require.Zero(t, requireAllOK(ctx, t, m, items))
		flushScripts(t, m)
		require.Equal(t, 300, requireAllOK(ctx, t, m, items))
		require.Zero(t, requireAllOK(ctx, t, m, items))
		for i := range 50 {
			require.Equal(t, 18, counterValue(ctx, t, m, prefix+strconv.Itoa(i)))
			require.Equal(t, 18, counterValue(ctx, t, m, prefix+"n"+strconv.Itoa(i)))
		}
	})
}

// SCRIPT FLUSH every 5 ms under batches and transactions: no error, and each
// item executed once.
func TestScriptFlushUnderBatchesAndTransactions(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, prefix := within(t, 60*time.Second), redistest.NewPrefix(t)
		require.NoError(t, m.Register(ctx, counting, setting))
		defer every(t, 5*time.Millisecond, func() { flushScripts(t, m) })()
		const callers, calls, each = 4, 15, 200
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				items := make([]redismanager.BatchItem, each)
				for i := range items {
					items[i] = run([]string{"counting", "setting", "return redis.call('INCR', KEYS[1])"}[i%3], fmt.Sprintf("%s-%d-%d", prefix, c, i%20))
				}
				tx := []redismanager.BatchItem{run("counting", prefix+"{tx}"), run("counting", prefix+"{tx}"), run("setting", prefix+"{tx}")}
				for range calls {
					if results, err := m.Batch(ctx, items); !noFailure(results, err) {
						t.Errorf("batch: %v %v", err, results)
					}
					if results, err := m.Tx(ctx, tx); !noFailure(results, err) {
						t.Errorf("tx: %v %v", err, results)
					}
				}
			})
		}
		wg.Wait()
		total := 0
		for c := range callers {
			for i := range 20 {
				total += counterValue(ctx, t, m, fmt.Sprintf("%s-%d-%d", prefix, c, i))
			}
		}
		require.Equal(t, callers*calls*each, total)
		require.Equal(t, callers*calls*3, counterValue(ctx, t, m, prefix+"{tx}"))
	})
}

func noFailure(results []redismanager.BatchResult, err error) bool {
	for _, r := range results {
		if r.Err != nil {
			return false
		}
	}
	return err == nil
}

// every does something again and again until stop is called.
func every(tb testing.TB, pause time.Duration, do func()) (stop func()) {
	tb.Helper()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(pause)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				do()
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// The plain client takes what is left of a table after an error inside it for the
// replies to the commands that follow.
func TestPlainPipelineShiftsReplies(t *testing.T) {
	c, ctx := redistest.SharedStandalone(t).Client(t), within(t, 5*time.Second)
	pipe := c.Pipeline()
	pipe.Eval(ctx, "return {1, redis.error_reply('NOPERM of my own'), 2}", []string{"k"})
	echo := pipe.Do(ctx, "echo", "mine")
	_, _ = pipe.Exec(ctx)
	require.EqualValues(t, 2, echo.Val(), "go-redis reads such replies well now: decodeReply may go")
}

// An error reply inside a table is an element, and the replies to the items that
// follow stay theirs.
func TestBatchWithErrorsInsideATable(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, key := within(t, 5*time.Second), redistest.NewPrefix(t)
		for _, code := range []string{"NOPERM", "OOM", "MOVED", "READONLY", "NOSCRIPT", "ERR", "MINE"} {
			items := []redismanager.BatchItem{
				run(fmt.Sprintf("return {1, redis.error_reply('%s of my own'), 2}", code), key),
				command("ECHO", key), run("return ARGV[1]", key, "last"),
			}
			for name, call := range map[string]func(context.Context, []redismanager.BatchItem) ([]redismanager.BatchResult, error){"batch": m.Batch, "tx": m.Tx} {
				results, err := call(ctx, items)
				require.NoError(t, err, "%s %s", name, code)
				list, ok := results[0].Value.([]any)
				require.True(t, ok, "%s %s: %v", name, code, results[0])
				require.Len(t, list, 3)
				require.EqualValues(t, 1, list[0])
				require.ErrorContains(t, list[1].(error), code+" of my own")
				require.EqualValues(t, 2, list[2])
				require.Equal(t, key, results[1].Value)
				require.Equal(t, "last", results[2].Value)
			}
		}
	})
}

// A script's own error that looks like a refusal of Redis is none: it ran once.
func TestBatchDoesNotRunAForgedRefusalAgain(t *testing.T) {
	m := open(t, topologies[2].config(t))
	ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
	for _, code := range []string{"NOSCRIPT", "TRYAGAIN", "LOADING", "MOVED", "ASK", "CLUSTERDOWN"} {
		script := fmt.Sprintf("redis.call('INCR', KEYS[1])\nreturn redis.error_reply('%s of my own')", code)
		results, err := m.Batch(ctx, []redismanager.BatchItem{run(script, key+code)})
		require.NoError(t, err)
		require.Equal(t, redismanager.ClassScriptRuntime, redismanager.Classify(results[0].Err), "%s: %v", code, results[0].Err)
		require.Equal(t, 1, counterValue(ctx, t, m, key+code))
	}
}

func TestBatchWithAScriptThatDoesNotCompile(t *testing.T) {
	onAll(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, key := within(t, 5*time.Second), redistest.NewPrefix(t)
		items := []redismanager.BatchItem{command("INCR", key), run("return = 1", key), run("return = 1", key), command("INCR", key)}
		results, err := m.Batch(ctx, items)
		require.NoError(t, err)
		require.EqualValues(t, 1, results[0].Value)
		require.ErrorIs(t, results[1].Err, redismanager.ErrScriptCompile)
		require.ErrorIs(t, results[2].Err, redismanager.ErrScriptCompile)
		require.EqualValues(t, 2, results[3].Value)

		_, err = m.Tx(ctx, items)
		require.ErrorIs(t, err, redismanager.ErrScriptCompile)
		require.ErrorContains(t, err, "items[1]")
		require.Equal(t, 2, counterValue(ctx, t, m, key), "nothing of the transaction was applied")
	})
}
