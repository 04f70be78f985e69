package redismanager_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

func TestScriptsByNameAndBySource(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, key := within(t, 5*time.Second), redistest.NewPrefix(t)
		require.NoError(t, m.Register(ctx, counting, reading))

		value, err := m.ExecuteScript(ctx, "counting", []string{key}, nil)
		require.NoError(t, err)
		require.EqualValues(t, 1, value)

		value, err = m.ExecuteScript(ctx, "return redis.call('INCRBY', KEYS[1], ARGV[1])", []string{key}, []any{10})
		require.NoError(t, err)
		require.EqualValues(t, 11, value)

		value, err = m.ExecuteScript(ctx, "reading", []string{key}, nil)
		require.NoError(t, err)
		require.Equal(t, "11", value)

		value, err = m.ExecuteScript(ctx, "reading", []string{key + "absent"}, nil)
		require.NoError(t, err)
		require.Nil(t, value)
	})
}

func TestScriptIsOnEveryMaster(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx := within(t, 5*time.Second)
		require.NoError(t, m.Register(ctx, counting))
		rows, masters, err := m.VerifyScripts(ctx)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Empty(t, rows[0].Missing)
		if m.Mode() == redismanager.ModeCluster {
			require.Len(t, masters, 3)
		} else {
			require.Len(t, masters, 1)
		}
		sha, err := m.GetScriptSHA("counting")
		require.NoError(t, err)
		require.Equal(t, rows[0].SHA, sha)
		source, err := m.LoadScript(ctx, "counting")
		require.NoError(t, err)
		require.Equal(t, counting.Source, source)
	})
}

// A script lost by SCRIPT FLUSH on every master runs exactly once all the same.
func TestNoScriptIsRepairedWithoutASecondExecution(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, prefix := within(t, 20*time.Second), redistest.NewPrefix(t)
		require.NoError(t, m.Register(ctx, counting))
		for i := range 50 {
			flushScripts(t, m)
			key := prefix + strconv.Itoa(i)
			value, err := m.ExecuteScript(ctx, "counting", []string{key}, nil)
			require.NoError(t, err)
			require.EqualValues(t, 1, value)
		}
	})
}

func flushScripts(tb testing.TB, m *redismanager.Manager) {
	tb.Helper()
	require.NoError(tb, m.ForEachMaster(context.Background(), func(ctx context.Context, _ string, c *redis.Client) error {
		return c.ScriptFlush(ctx).Err()
	}))
}

// SCRIPT FLUSH while many callers run: no error and no extra execution.
func TestScriptFlushUnderLoad(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), PoolSize: 20}, redismanager.WithScripts(counting))
	key, stop := redistest.NewPrefix(t), make(chan struct{})
	var flusher sync.WaitGroup
	flusher.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				flushScripts(t, m)
			}
		}
	})
	const callers, calls = 20, 200
	var wg sync.WaitGroup
	failures := make(chan error, callers*calls)
	for range callers {
		wg.Go(func() {
			for range calls {
				if _, err := m.ExecuteScript(context.Background(), "counting", []string{key}, nil); err != nil {
					failures <- err
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	flusher.Wait()
	close(failures)
	for err := range failures {
		t.Errorf("call failed: %v", err)
	}
	require.Equal(t, strconv.Itoa(callers*calls), srv.Client(t).Get(context.Background(), key).Val())
}

// The same source given in many calls is one script on the server.
func TestAdHocSourceDoesNotGrowTheServersCache(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()})
	ctx, key := within(t, 20*time.Second), redistest.NewPrefix(t)
	before := cachedScripts(t, srv)
	for i := range 2000 {
		_, err := m.ExecuteScript(ctx, "return redis.call('SET', KEYS[1], ARGV[1])", []string{key}, []any{i})
		require.NoError(t, err)
	}
	require.Equal(t, before+1, cachedScripts(t, srv))
}

func cachedScripts(tb testing.TB, srv *redistest.Server) int {
	tb.Helper()
	n, err := strconv.Atoi(srv.Info(tb, "memory", "number_of_cached_scripts"))
	require.NoError(tb, err)
	return n
}

func TestUnknownNameIsNotTakenForSource(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	_, err := m.ExecuteScript(within(t, time.Second), "statefulSetLnk", []string{"k"}, nil)
	require.ErrorIs(t, err, redismanager.ErrScriptUnknown)
	require.ErrorContains(t, err, `"statefulSetLnk"`)
	_, err = m.LoadScript(context.Background(), "nope")
	require.ErrorIs(t, err, redismanager.ErrScriptUnknown)
	_, err = m.GetScriptSHA("nope")
	require.ErrorIs(t, err, redismanager.ErrScriptUnknown)
}

// A script that returns an error of its own beginning with NOSCRIPT ran, and
// must not be run again.
func TestForgedNoScriptIsNotRepaired(t *testing.T) {
	srv := redistest.SharedStandalone(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()})
	ctx, key := within(t, 5*time.Second), redistest.NewPrefix(t)
	_, err := m.ExecuteScript(ctx, "redis.call('INCR', KEYS[1])\nreturn redis.error_reply('NOSCRIPT forged')", []string{key}, nil)
	require.ErrorIs(t, err, redismanager.ErrScriptRuntime)
	require.Equal(t, "1", srv.Client(t).Get(ctx, key).Val())
}

func TestRegisterIsAllOrNothing(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()}, redismanager.WithScripts(counting))
	other := redismanager.Script{Name: "counting", Source: "return 2"}
	err := m.AddScripts(reading, other)
	require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
	require.Len(t, m.Scripts(), 1)
	require.NoError(t, m.AddScripts(counting)) // the same again
	for _, bad := range []redismanager.Script{{Name: "", Source: "x"}, {Name: "a b", Source: "x"}, {Name: "a", Source: ""}, {Name: "9a", Source: "x"}} {
		require.ErrorIs(t, m.AddScripts(bad), redismanager.ErrInvalidArgument, "%q", bad.Name)
	}
}

func TestBrokenScriptIsToldWithItsLine(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		err := m.Register(within(t, 5*time.Second), redismanager.Script{Name: "broken", Source: "#!lua\nlocal x = 1\nlocal y = = 2\n"})
		require.ErrorIs(t, err, redismanager.ErrScriptCompile)
		var failure *redismanager.ScriptError
		require.ErrorAs(t, err, &failure)
		require.Equal(t, "broken", failure.Name)
		require.Equal(t, 3, failure.Line)
	})
}

func TestScriptsFromFS(t *testing.T) {
	fsys := fstest.MapFS{
		"one.lua":    {Data: []byte("#!lua flags=no-writes,allow-stale\nreturn 1\n")},
		"two.lua":    {Data: []byte("#!lua\nreturn 2\n")},
		"readme.txt": {Data: []byte("no script")},
	}
	list, err := redismanager.ScriptsFromFS(fsys)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "one", list[0].Name)
	require.True(t, list[0].ReadOnly())
	require.False(t, list[1].ReadOnly())

	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()}, redismanager.WithScripts(list...))
	value, err := m.ExecuteScript(within(t, time.Second), "one", nil, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, value)
}

// Reads over many slots come back in the order asked.
func TestGetBatchKeepsOrderOverSlots(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, prefix := within(t, 20*time.Second), redistest.NewPrefix(t)
		keys := make([]string, 2500)
		pipe := m.Client().Pipeline()
		for i := range keys {
			keys[i] = fmt.Sprintf("%s-%d", prefix, i)
			if i%5 != 0 {
				pipe.Set(ctx, keys[i], strconv.Itoa(i), time.Minute)
			}
		}
		_, err := pipe.Exec(ctx)
		require.NoError(t, err)
		values, err := m.GetBatch(ctx, keys)
		require.NoError(t, err)
		for i, value := range values {
			if i%5 == 0 {
				require.Nil(t, value)
			} else {
				require.Equal(t, strconv.Itoa(i), value)
			}
		}
		none, err := m.GetBatch(ctx, nil)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

func TestNativeCommandNeedsAKey(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	ctx := within(t, time.Second)
	_, err := m.Read(ctx, "get")
	require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
	_, err = m.Write(ctx, "set", 5, "x")
	require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
}

// A value that cannot be sent is refused before anything is: it is no lost reply.
func TestArgumentThatCannotBeSent(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()}, redismanager.WithScripts(counting))
	ctx, key := within(t, time.Second), redistest.NewPrefix(t)
	for _, arg := range []any{nil, struct{}{}, []string{"a"}, map[string]int{}, new(int)} {
		_, err := m.ExecuteScript(ctx, "counting", []string{key}, []any{"x", arg})
		require.ErrorIs(t, err, redismanager.ErrInvalidArgument, "%T", arg)
		require.ErrorContains(t, err, "args[1]")
	}
	value, err := m.Read(ctx, "get", key)
	require.NoError(t, err)
	require.Nil(t, value)
}
