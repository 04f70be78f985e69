package redismanager_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// itemOf makes one of many kinds of items on a key.
func itemOf(kind int, key string, arg any) redismanager.BatchItem {
	switch kind {
	case 0:
		return command("SET", key, arg)
	case 1:
		return command("GET", key)
	case 2:
		return command("APPEND", key, arg)
	case 3:
		return command("INCR", key)
	case 4:
		return command("DEL", key)
	case 5:
		return run("return redis.call('APPEND', KEYS[1], ARGV[1])", key, arg)
	case 6:
		return run("counting", key)
	case 7:
		return run("reading", key)
	default:
		return run("return redis.error_reply('MINE ' .. ARGV[1])", key, arg)
	}
}

// single sends an item as a call of its own.
func single(ctx context.Context, m *redismanager.Manager, item redismanager.BatchItem) (any, error) {
	if item.Script == "" {
		return m.Write(ctx, item.Args...)
	}
	return m.ExecuteScript(ctx, item.Script, item.Keys, item.Args)
}

// Any batch, and any transaction, answers what its items answer one by one.
func TestBatchAnswersAsSingleCallsDo(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx := within(t, 60*time.Second)
		require.NoError(t, m.Register(ctx, counting, reading))
		prefix, run := redistest.NewPrefix(t), 0
		rapid.Check(t, func(t *rapid.T) {
			run++
			inTx := rapid.Bool().Draw(t, "tx")
			var items, alone []redismanager.BatchItem
			for range rapid.IntRange(1, 30).Draw(t, "items") {
				kind, key := rapid.IntRange(0, 8).Draw(t, "kind"), rapid.IntRange(0, 3).Draw(t, "key")
				arg := rapid.SampledFrom([]any{"x", 7, 1.5, true, []byte("\r\n\x00"), ""}).Draw(t, "arg")
				name := fmt.Sprintf("%s-%d-%d", prefix, run, key)
				if inTx {
					name = fmt.Sprintf("{%s-%d}%d", prefix, run, key)
				}
				items = append(items, itemOf(kind, name+"b", arg))
				alone = append(alone, itemOf(kind, name+"s", arg))
			}
			send := m.Batch
			if inTx {
				send = m.Tx
			}
			results, err := send(ctx, items)
			require.NoError(t, err)
			for i, item := range alone {
				value, err := single(ctx, m, item)
				require.Equal(t, value, results[i].Value, "item %d: %v", i, item)
				require.Equal(t, redismanager.Classify(err), redismanager.Classify(results[i].Err), "item %d: %v", i, item)
			}
		})
	})
}

// Replies of every kind of RESP 2 and 3 come out of a batch as out of a call.
func TestBatchDecodesAsSingleCallsDo(t *testing.T) {
	m := open(t, topologies[0].config(t))
	ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
	for _, source := range []string{
		"return 1", "return 'text'", "return false", "return {}", "return {1, {'a', false, 'b'}}", "return redis.status_reply('FINE')",
		"redis.setresp(3)\nreturn {double = 1.5}", "redis.setresp(3)\nreturn {map = {a = 1, b = {double = 2}}}", "redis.setresp(3)\nreturn true",
		"redis.setresp(3)\nreturn {set = {a = true}}", "redis.setresp(3)\nreturn {big_number = '123456789012345678901234567890'}",
		"redis.setresp(3)\nreturn {verbatim_string = {format = 'txt', string = 'plain'}}", "return string.rep('x', 100000)",
	} {
		want, err := m.ExecuteScript(ctx, source, []string{key}, nil)
		require.NoError(t, err)
		for _, send := range []func(context.Context, []redismanager.BatchItem) ([]redismanager.BatchResult, error){m.Batch, m.Tx} {
			results, err := send(ctx, []redismanager.BatchItem{run(source, key)})
			require.NoError(t, err)
			require.Equal(t, redismanager.BatchResult{Value: want}, results[0], source)
		}
	}
}

// callLog is an observer that keeps the calls.
type callLog struct {
	mu    sync.Mutex
	calls map[string][]redismanager.CallInfo
}

func (l *callLog) CallDone(_ context.Context, c redismanager.CallInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[c.Name] = append(l.calls[c.Name], c)
}

func (l *callLog) Changed(redismanager.Event) {}

// Observers hear of the batch, and of each run of a script in it.
func TestObserversHearOfBatches(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.StartServer(t).Addr()}, redismanager.WithScripts(counting))
	ctx := within(t, 5*time.Second)
	items := []redismanager.BatchItem{run("counting", "k"), command("LPUSH", "k", "x"), run("counting", "k"), run("return 1", "k")}
	requireOf := func(send func(context.Context, []redismanager.BatchItem) ([]redismanager.BatchResult, error), name string, repairs int) {
		heard := &callLog{calls: map[string][]redismanager.CallInfo{}}
		defer m.AddObserver(heard)()
		_, err := send(ctx, items)
		require.NoError(t, err)
		require.Len(t, heard.calls[name], 1)
		require.Equal(t, repairs, heard.calls[name][0].Repairs)
		require.Equal(t, 1, heard.calls[name][0].Tries)
		require.Equal(t, name == "tx", heard.calls[name][0].Node != "", "a batch goes to several nodes")
		require.False(t, heard.calls[name][0].IsScript)
		require.Len(t, heard.calls["source"], 1)
		require.Len(t, heard.calls["counting"], 2)
		for _, c := range heard.calls["counting"] {
			require.True(t, c.IsScript)
			require.Equal(t, 1, c.Version)
			require.Positive(t, c.Duration)
			require.NotEmpty(t, c.Node)
			require.NoError(t, c.Err)
		}
	}
	requireOf(m.Batch, "batch", 0)
	flushScripts(t, m)
	requireOf(m.Batch, "batch", 3)
	requireOf(m.Tx, "tx", 0)
}

// A full pool: nothing was sent, and each item says what the pool looked like.
func TestExhaustedPoolOfItems(t *testing.T) {
	m := open(t, redismanager.RedisConfig{
		Addr: redistest.SharedStandalone(t).Addr(), PoolSize: 2, MinIdleConns: -1, PipelinePoolSize: -1, PoolTimeout: 80 * time.Millisecond,
	}, redismanager.WithScripts(counting))
	defer holdConnections(t, m, "k", 2)()
	items := []redismanager.BatchItem{run("counting", redistest.NewPrefix(t)), run("return 1", "k")}
	var full *redismanager.PoolExhaustedError
	for name, ctx := range map[string]context.Context{
		"for pool_timeout":   context.Background(),
		"until the deadline": within(t, 300*time.Millisecond),
	} {
		start := time.Now()
		results, err := m.Batch(ctx, items)
		require.NoError(t, err, name)
		for _, r := range results {
			require.ErrorAs(t, r.Err, &full, name)
		}
		require.Less(t, time.Since(start), time.Second, name)
	}
	_, err := m.Tx(context.Background(), items)
	require.ErrorAs(t, err, &full)
	_, err = m.Tx(within(t, 100*time.Millisecond), items)
	require.ErrorAs(t, err, &full)
}

// A script that is updated while batches run: each batch runs one version.
func TestBatchRunsOneVersionOfAScript(t *testing.T) {
	m := open(t, topologies[2].config(t), redismanager.WithScripts(redismanager.Script{Name: "version", Source: "return 0"}))
	ctx, prefix := within(t, 30*time.Second), redistest.NewPrefix(t)
	items := make([]redismanager.BatchItem, 300)
	for i := range items {
		items[i] = run("version", prefix+strconv.Itoa(i))
	}
	n := 0
	stop := every(t, 2*time.Millisecond, func() {
		n++
		_, err := m.UpdateScript(ctx, redismanager.Script{Name: "version", Source: fmt.Sprintf("return %d", n)})
		if err != nil {
			t.Errorf("update: %v", err)
		}
	})
	defer stop()
	seen := map[any]bool{}
	for range 50 {
		results, err := m.Batch(ctx, items)
		require.True(t, noFailure(results, err), "%v", err)
		for _, r := range results {
			require.Equal(t, results[0].Value, r.Value, "two versions in one batch")
		}
		seen[results[0].Value] = true
	}
	require.Greater(t, len(seen), 1)
}
