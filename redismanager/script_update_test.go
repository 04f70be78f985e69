package redismanager_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// saying is a version of the script "saying": it says the word twice, and in
// between has done some work.
func saying(word string) redismanager.Script {
	return redismanager.Script{Name: "saying", Source: fmt.Sprintf(
		"#!lua\nlocal first = '%s'\nredis.call('INCR', KEYS[1])\nreturn {first, '%s'}\n", word, word)}
}

func broken(name string) redismanager.Script {
	return redismanager.Script{Name: name, Source: "#!lua\nlocal x = 1\nlocal y = = 2\n"}
}

// onEachAndEmbedded runs a test of hot scripts where it can run.
func onEachAndEmbedded(t *testing.T, test func(t *testing.T, m *redismanager.Manager)) {
	t.Run("embedded", func(t *testing.T) {
		srv, err := embedded.Start()
		require.NoError(t, err)
		t.Cleanup(func() { _ = srv.Close() })
		test(t, open(t, redismanager.RedisConfig{Addr: srv.Addr()}))
	})
	onEach(t, test)
}

// says runs the script and gives its word.
func says(tb testing.TB, m *redismanager.Manager, name, key string) string {
	tb.Helper()
	value, err := m.ExecuteScript(within(tb, 10*time.Second), name, []string{key}, nil)
	require.NoError(tb, err)
	words := value.([]any)
	require.Equal(tb, words[0], words[1])
	return words[0].(string)
}

func currentVersion(tb testing.TB, m *redismanager.Manager, name string) int {
	tb.Helper()
	versions, err := m.ScriptVersions(name)
	require.NoError(tb, err)
	current := 0
	for _, v := range versions {
		if v.Current {
			require.Zero(tb, current, "two versions are current")
			current = v.Version
		}
	}
	return current
}

// eventsOf gives the events of a kind for a script.
func eventsOf(m *redismanager.Manager, kind redismanager.EventKind) (list []redismanager.Event) {
	for _, e := range m.Events() {
		if e.Kind == kind {
			list = append(list, e)
		}
	}
	return list
}

func TestScriptUpdateAndRollback(t *testing.T) {
	onEachAndEmbedded(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
		require.NoError(t, m.Register(ctx, saying("one")))
		info, err := m.UpdateScript(ctx, saying("two"))
		require.NoError(t, err)
		require.Equal(t, 2, info.Version)
		require.True(t, info.Current)
		require.Equal(t, "two", says(t, m, "saying", key))
		require.Equal(t, "one", says(t, m, "saying@1", key))
		require.Equal(t, "two", says(t, m, "saying@2", key))
		sha, err := m.GetScriptSHA("saying")
		require.NoError(t, err)
		require.Equal(t, info.SHA, sha)

		again, err := m.UpdateScript(ctx, saying("two"))
		require.NoError(t, err)
		require.Equal(t, info, again, "the same body is no new version")

		info, err = m.UpdateScript(ctx, saying("three"))
		require.NoError(t, err)
		require.Equal(t, 3, info.Version)
		for _, want := range []struct {
			word    string
			version int
		}{{"two", 2}, {"one", 1}} {
			info, err = m.Rollback(ctx, "saying")
			require.NoError(t, err)
			require.Equal(t, want.version, info.Version)
			require.Equal(t, want.word, says(t, m, "saying", key))
		}
		_, err = m.Rollback(ctx, "saying")
		require.ErrorIs(t, err, redismanager.ErrScriptVersion)
		require.Equal(t, 1, currentVersion(t, m, "saying"))
		require.Equal(t, "three", says(t, m, "saying@3", key))

		info, err = m.UpdateScript(ctx, saying("four"))
		require.NoError(t, err)
		require.Equal(t, 4, info.Version, "a number is never used twice")
		info, err = m.Rollback(ctx, "saying")
		require.NoError(t, err)
		require.Equal(t, 1, info.Version, "back to what was before, not to the next lower number")
		require.Len(t, eventsOf(m, redismanager.EventScriptUpdated), 3)
		require.Len(t, eventsOf(m, redismanager.EventScriptRolledBack), 3)
		event := eventsOf(m, redismanager.EventScriptUpdated)[0]
		require.Equal(t, "saying", event.Script)
		require.Regexp(t, `^1 \(sha [0-9a-f]{8}\)$`, event.From)
		require.Regexp(t, `^2 \(sha [0-9a-f]{8}\)$`, event.To)
	})
}

// A body that does not compile changes nothing, and the caller is told where.
func TestScriptUpdateRefusesABrokenBody(t *testing.T) {
	onEachAndEmbedded(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
		require.NoError(t, m.Register(ctx, saying("one")))
		before, err := m.ScriptVersions("saying")
		require.NoError(t, err)
		_, err = m.UpdateScript(ctx, broken("saying"))
		require.ErrorIs(t, err, redismanager.ErrScriptCompile)
		var failure *redismanager.ScriptError
		require.ErrorAs(t, err, &failure)
		require.Equal(t, 3, failure.Line)
		require.Contains(t, err.Error(), "near")
		after, err := m.ScriptVersions("saying")
		require.NoError(t, err)
		require.Equal(t, before, after)
		require.Equal(t, "one", says(t, m, "saying", key))
		refused := eventsOf(m, redismanager.EventScriptRefused)
		require.Len(t, refused, 1)
		require.ErrorIs(t, refused[0].Err, redismanager.ErrScriptCompile)
	})
}

func TestScriptUpdateArguments(t *testing.T) {
	m := open(t, topologies[0].config(t), redismanager.WithScripts(saying("one"), counting))
	ctx := within(t, 5*time.Second)
	_, err := m.UpdateScript(ctx, redismanager.Script{Name: "nobody", Source: "return 1"})
	require.ErrorIs(t, err, redismanager.ErrScriptUnknown)
	_, err = m.UpdateScript(ctx, redismanager.Script{Name: "saying", Source: ""})
	require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
	_, err = m.Rollback(ctx, "nobody")
	require.ErrorIs(t, err, redismanager.ErrScriptUnknown)
	_, err = m.ScriptVersions("nobody")
	require.ErrorIs(t, err, redismanager.ErrScriptUnknown)
	for _, name := range []string{"saying@2", "saying@99", "nobody@1"} {
		_, err = m.ExecuteScript(ctx, name, []string{"k"}, nil)
		require.ErrorIs(t, err, redismanager.ErrScriptUnknown, name)
	}
	for _, source := range []string{"saying@0", "saying@01", "saying@-1", "saying@x", "@1"} { // no version: Lua that is none
		_, err = m.ExecuteScript(ctx, source, []string{"k"}, nil)
		require.ErrorIs(t, err, redismanager.ErrScriptCompile, source)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = m.UpdateScript(canceled, saying("two"))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, currentVersion(t, m, "saying"))
	require.Empty(t, eventsOf(m, redismanager.EventScriptRefused))
}

// Whoever registers again what was registered first, such as a second
// executor, changes nothing; another body is refused as before.
func TestScriptRegisteredAgainAfterAnUpdate(t *testing.T) {
	m := open(t, topologies[0].config(t), redismanager.WithScripts(saying("one")))
	ctx, key := within(t, 5*time.Second), redistest.NewPrefix(t)
	_, err := m.UpdateScript(ctx, saying("two"))
	require.NoError(t, err)
	require.NoError(t, m.Register(ctx, saying("one")))
	require.Equal(t, "two", says(t, m, "saying", key))
	require.ErrorIs(t, m.AddScripts(saying("two")), redismanager.ErrInvalidArgument)
}

// A body that is not declared idempotent is sent once, whatever the one before
// was: its lost reply is an unknown outcome.
func TestScriptUpdateDoesNotInheritDeclarations(t *testing.T) {
	srv := redistest.StartServer(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	m := open(t, redismanager.RedisConfig{Addr: proxy.Addr()}, redismanager.WithScripts(setting, reading))
	ctx := within(t, 10*time.Second)
	for _, name := range []string{"setting", "reading"} {
		proxy.DropReplies("evalsha", 1, redistest.FaultClose)
		_, err := m.ExecuteScript(ctx, name, []string{"k"}, nil)
		require.NoError(t, err, "the first body may be repeated")
		info, err := m.UpdateScript(ctx, redismanager.Script{Name: name, Source: "#!lua\nreturn redis.call('INCR', KEYS[1])\n"})
		require.NoError(t, err)
		require.False(t, info.Idempotent)
		proxy.DropReplies("evalsha", 1, redistest.FaultClose)
		_, err = m.ExecuteScript(ctx, name, []string{"n-" + name}, nil)
		require.ErrorIs(t, err, redismanager.ErrOutcomeUnknown)
		require.Equal(t, "1", srv.Client(t).Get(ctx, "n-"+name).Val())
	}
}

// The latest 16 old versions stay callable, and the first one always.
func TestScriptVersionsAreBounded(t *testing.T) {
	m := open(t, topologies[0].config(t), redismanager.WithScripts(saying("v1")))
	ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
	for i := 2; i <= 40; i++ {
		_, err := m.UpdateScript(ctx, saying(fmt.Sprintf("v%d", i)))
		require.NoError(t, err)
	}
	versions, err := m.ScriptVersions("saying")
	require.NoError(t, err)
	require.Len(t, versions, 17)
	require.Equal(t, 1, versions[0].Version)
	require.Equal(t, 25, versions[1].Version)
	require.Equal(t, "v25", says(t, m, "saying@25", key))
	_, err = m.ExecuteScript(ctx, "saying@24", []string{key}, nil)
	require.ErrorContains(t, err, "version 24 of saying is not kept")
	for want := 39; want >= 25; want-- {
		info, err := m.Rollback(ctx, "saying")
		require.NoError(t, err)
		require.Equal(t, want, info.Version)
	}
	info, err := m.Rollback(ctx, "saying")
	require.NoError(t, err)
	require.Equal(t, 1, info.Version)
	require.Equal(t, "v1", says(t, m, "saying", key))
}

// 1,000 hot updates under 50 callers: no call fails, and each runs wholly one
// body. Scripts are flushed now and then, so that the repair is hot too.
func TestScriptUpdatesUnderLoad(t *testing.T) {
	for i, updates := range map[int]int{0: 1000, 2: 200} { // standalone and Cluster
		if testing.Short() {
			updates /= 10
		}
		t.Run(topologies[i].name, func(t *testing.T) {
			m := open(t, topologies[i].config(t), redismanager.WithScripts(saying("old")))
			load := startCallers(t, m, 50)
			for i := range updates {
				word := []string{"new", "old"}[i%2]
				info, err := m.UpdateScript(context.Background(), saying(word))
				require.NoError(t, err)
				require.Equal(t, i+2, info.Version)
				if i%50 == 49 {
					flushScripts(t, m)
				}
				if i%10 == 9 {
					require.Equal(t, word, says(t, m, "saying", "k"), "whoever calls after the update runs the new body")
				}
			}
			load.stop()
			t.Logf("%d updates, %d calls: %d old, %d new", updates, load.calls.Load(), load.old.Load(), load.new.Load())
			require.Zero(t, load.failed.Load())
			require.Zero(t, load.mixed.Load())
			require.Positive(t, load.old.Load())
			require.Positive(t, load.new.Load())
		})
	}
}

// callers call the script "saying" until they are stopped.
type callers struct {
	calls, failed, mixed, old, new atomic.Int64
	stop                           func()
}

func startCallers(t *testing.T, m *redismanager.Manager, n int) *callers {
	c, prefix, end := &callers{}, redistest.NewPrefix(t), make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
					c.call(t, m, fmt.Sprintf("%s-%d", prefix, i))
				}
			}
		})
	}
	c.stop = sync.OnceFunc(func() { close(end); wg.Wait() })
	t.Cleanup(c.stop)
	return c
}

func (c *callers) call(t *testing.T, m *redismanager.Manager, key string) {
	c.calls.Add(1)
	value, err := m.ExecuteScript(context.Background(), "saying", []string{key}, nil)
	words, ok := value.([]any)
	switch {
	case err != nil || !ok || len(words) != 2:
		c.failed.Add(1)
		t.Errorf("call failed: %v %v", value, err)
	case words[0] != words[1]:
		c.mixed.Add(1)
	case words[0] == "old":
		c.old.Add(1)
	default:
		c.new.Add(1)
	}
}

// The servers of a new configuration get the current version, not the first.
func TestScriptUpdateOutlivesAChangeOfConfiguration(t *testing.T) {
	first, second := redistest.StartServer(t), redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: first.Addr()}, redismanager.WithScripts(saying("one")))
	ctx := within(t, 10*time.Second)
	info, err := m.UpdateScript(ctx, saying("two"))
	require.NoError(t, err)
	require.NoError(t, m.UpdateConfig(&redismanager.RedisConfig{Addr: second.Addr()}))
	there, err := second.Client(t).ScriptExists(ctx, info.SHA).Result()
	require.NoError(t, err)
	require.Equal(t, []bool{true}, there)
	require.Equal(t, "two", says(t, m, "saying", "k"))
	require.Equal(t, "one", says(t, m, "saying@1", "k"))
}

// One dead master is enough to refuse: nobody could say that its Lua would
// have taken the body.
func TestScriptUpdateWithADeadMaster(t *testing.T) {
	cluster := redistest.StartCluster(t, redistest.WithConfig("cluster-replica-no-failover", "yes"), redistest.WithConfig("cluster-require-full-coverage", "no"))
	victim := cluster.Masters()[2]
	m := open(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs(), DialTimeout: time.Second}, redismanager.WithScripts(saying("one")))
	key := "k0"
	for i := 0; cluster.NodeForKey(t, key).Addr() == victim.Addr(); i++ {
		key = fmt.Sprintf("k%d", i)
	}
	victim.Kill()
	_, err := m.UpdateScript(within(t, 10*time.Second), saying("two"))
	require.Equal(t, redismanager.ClassUnavailable, redismanager.Classify(err), "%v", err)
	require.ErrorContains(t, err, victim.Addr())
	_, err = m.PushScript(within(t, 10*time.Second), "{x}", redismanager.ScriptPush{Script: saying("two")})
	require.ErrorContains(t, err, victim.Addr())
	require.Equal(t, 1, currentVersion(t, m, "saying"))
	require.Equal(t, "one", says(t, m, "saying", key))

	victim.Restart(t)
	require.Eventually(t, func() bool {
		_, err := m.UpdateScript(within(t, 5*time.Second), saying("two"))
		return err == nil
	}, 15*time.Second, 50*time.Millisecond)
	require.Equal(t, "two", says(t, m, "saying", key))
}

// Switched off means all of it; reading stays.
func TestScriptUpdatesOff(t *testing.T) {
	t.Run("by option", func(t *testing.T) {
		requireScriptsOff(t, open(t, topologies[0].config(t), redismanager.WithScripts(saying("one")), redismanager.WithoutScriptUpdates()))
	})
	t.Run("by configuration", func(t *testing.T) {
		cfg := topologies[0].config(t)
		cfg.DisableScriptUpdates = true
		requireScriptsOff(t, open(t, cfg, redismanager.WithScripts(saying("one"))))
	})
}

func requireScriptsOff(t *testing.T, m *redismanager.Manager) {
	t.Helper()
	ctx := within(t, 5*time.Second)
	fleet := "{" + redistest.NewPrefix(t) + "}"
	_, update := m.UpdateScript(ctx, saying("two"))
	_, rollback := m.Rollback(ctx, "saying")
	_, watch := m.WatchScripts(t.TempDir())
	_, join := m.JoinScriptFleet(ctx, redismanager.ScriptFleet{Key: fleet})
	_, push := m.PushScript(ctx, fleet, redismanager.ScriptPush{Script: saying("two")})
	_, back := m.RollbackFleetScript(ctx, fleet, redismanager.FleetRollback{Name: "saying"})
	for i, err := range []error{update, rollback, watch, join, push, back} {
		require.ErrorIs(t, err, redismanager.ErrScriptUpdatesOff, i)
		require.Equal(t, redismanager.ClassScriptsOff, redismanager.Classify(err))
	}
	state, err := m.FleetScripts(ctx, fleet)
	require.NoError(t, err)
	require.Empty(t, state.Processes)
	require.Equal(t, 1, currentVersion(t, m, "saying"))
}

func TestScriptUpdateAfterClose(t *testing.T) {
	m := open(t, topologies[0].config(t), redismanager.WithScripts(saying("one")))
	require.NoError(t, m.Close())
	ctx := within(t, 5*time.Second)
	_, err := m.UpdateScript(ctx, saying("two"))
	require.ErrorIs(t, err, redismanager.ErrClosed)
	_, err = m.WatchScripts(t.TempDir())
	require.ErrorIs(t, err, redismanager.ErrClosed)
	_, err = m.JoinScriptFleet(ctx, redismanager.ScriptFleet{Key: "{x}"})
	require.ErrorIs(t, err, redismanager.ErrClosed)
}

// A large body, up to the bound, is taken like a small one.
func TestScriptUpdateLargeBody(t *testing.T) {
	m := open(t, topologies[0].config(t), redismanager.WithScripts(saying("one")))
	large := saying("large")
	large.Source += "--" + strings.Repeat("x", 1<<20-len(large.Source)-2)
	_, err := m.UpdateScript(within(t, 10*time.Second), large)
	require.NoError(t, err)
	require.Equal(t, "large", says(t, m, "saying", redistest.NewPrefix(t)))
	large.Source += "x"
	_, err = m.UpdateScript(within(t, 10*time.Second), large)
	require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
}
