package redismanager_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// quick is a fleet whose processes look often.
func quick(key, process string) redismanager.ScriptFleet {
	return redismanager.ScriptFleet{Key: key, Process: process, Poll: 50 * time.Millisecond}
}

func join(t *testing.T, m *redismanager.Manager, fleet redismanager.ScriptFleet) (leave func() error) {
	t.Helper()
	leave, err := m.JoinScriptFleet(within(t, 10*time.Second), fleet)
	require.NoError(t, err)
	return leave
}

// push must succeed.
func push(t *testing.T, m *redismanager.Manager, key string, s redismanager.Script) redismanager.FleetChange {
	t.Helper()
	change, err := m.PushScript(within(t, 10*time.Second), key, redismanager.ScriptPush{Script: s, By: "test"})
	require.NoError(t, err)
	return change
}

// becomes waits until the script says the word.
func becomes(t *testing.T, m *redismanager.Manager, key, word string) {
	t.Helper()
	require.Eventually(t, func() bool { return says(t, m, "saying", key) == word }, 5*time.Second, 5*time.Millisecond, word)
}

func fleetState(t *testing.T, m *redismanager.Manager, key string) redismanager.FleetState {
	t.Helper()
	state, err := m.FleetScripts(within(t, 5*time.Second), key)
	require.NoError(t, err)
	return state
}

// rowOf waits for the report of a process that satisfies want.
func rowOf(t *testing.T, m *redismanager.Manager, key, process string, want func(redismanager.ProcessScript) bool) (row redismanager.ProcessScript) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, p := range fleetState(t, m, key).Processes {
			if p.Name == process {
				row, _ = p.Script("saying")
				return want(row)
			}
		}
		return false
	}, 5*time.Second, 10*time.Millisecond, "%+v", row)
	return row
}

// Two processes with different bodies of their own: the registry's wins while
// there is one, and each goes back to its own.
func TestScriptFleet(t *testing.T) {
	onEachAndEmbedded(t, func(t *testing.T, m *redismanager.Manager) {
		prefix := redistest.NewPrefix(t)
		fleet := "{" + prefix + "}"
		require.NoError(t, m.AddScripts(saying("mine"), counting))
		other := open(t, *m.GetConfig(), redismanager.WithScripts(saying("other")))
		leave := join(t, m, quick(fleet, "one"))
		join(t, other, quick(fleet, "two"))
		require.Empty(t, fleetState(t, m, fleet).Scripts)
		require.Len(t, fleetState(t, m, fleet).Processes, 2)

		require.Equal(t, 2, push(t, m, fleet, saying("pushed")).Version)
		becomes(t, m, prefix, "pushed")
		becomes(t, other, prefix, "pushed")
		require.Equal(t, redismanager.FleetChange{Name: "saying", Version: 2, Previous: 2}, push(t, m, fleet, saying("pushed")))
		row := rowOf(t, m, fleet, "two", func(s redismanager.ProcessScript) bool { return s.Version == 2 })
		sum := sha1.Sum([]byte(saying("pushed").Source))
		require.Equal(t, hex.EncodeToString(sum[:]), row.SHA)
		state := fleetState(t, m, fleet)
		require.Len(t, state.Scripts, 1)
		require.Equal(t, []int{2, 1, 1}, []int{state.Scripts[0].Version, state.Scripts[0].Before, len(state.Scripts[0].Versions)})
		require.Equal(t, row.SHA, state.Scripts[0].Versions[0].SHA)
		require.Equal(t, "test", state.Scripts[0].Versions[0].By)
		require.WithinDuration(t, time.Now(), state.Scripts[0].Versions[0].Pushed, time.Minute)
		require.Equal(t, "other", says(t, other, "saying@1", prefix))

		late := open(t, *m.GetConfig(), redismanager.WithScripts(saying("late")))
		join(t, late, quick(fleet, "three"))
		require.Equal(t, "pushed", says(t, late, "saying", prefix), "at once, without waiting")

		ctx := within(t, 5*time.Second)
		change, err := m.RollbackFleetScript(ctx, fleet, redismanager.FleetRollback{Name: "saying"})
		require.NoError(t, err)
		require.Equal(t, redismanager.FleetChange{Name: "saying", Version: 1, Previous: 2, Changed: true}, change)
		becomes(t, m, prefix, "mine")
		becomes(t, other, prefix, "other")
		becomes(t, late, prefix, "late")

		require.NoError(t, leave())
		require.NoError(t, leave())
		require.Len(t, fleetState(t, m, fleet).Processes, 2)
	})
}

func TestScriptFleetVersions(t *testing.T) {
	onEachAndEmbedded(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, fleet := within(t, 20*time.Second), "{"+redistest.NewPrefix(t)+"}"
		require.NoError(t, m.AddScripts(saying("v1")))
		back := func(to, expect int) (redismanager.FleetChange, error) {
			return m.RollbackFleetScript(ctx, fleet, redismanager.FleetRollback{Name: "saying", To: to, ExpectVersion: expect})
		}
		_, err := back(0, 0)
		require.ErrorIs(t, err, redismanager.ErrScriptVersion)
		for version := 2; version <= 20; version++ {
			require.Equal(t, version, push(t, m, fleet, saying(fmt.Sprint("v", version))).Version)
		}
		versions := fleetState(t, m, fleet).Scripts[0].Versions
		require.Len(t, versions, 17)
		require.Equal(t, 4, versions[0].Version)

		_, err = m.PushScript(ctx, fleet, redismanager.ScriptPush{Script: saying("x"), ExpectVersion: 19})
		require.ErrorIs(t, err, redismanager.ErrScriptVersion)
		require.ErrorContains(t, err, "version 20 of saying is in force, not 19")
		_, err = back(0, 19)
		require.ErrorIs(t, err, redismanager.ErrScriptVersion)
		_, err = back(3, 0) // no longer kept
		require.ErrorIs(t, err, redismanager.ErrScriptVersion)
		for _, step := range []struct{ to, version, before int }{
			{0, 19, 18}, {5, 5, 4}, {0, 4, 1}, {20, 20, 4}, {0, 4, 1}, {0, 1, 0}, {1, 1, 0}, {7, 7, 1},
		} {
			change, err := back(step.to, 0)
			require.NoError(t, err)
			require.Equal(t, step.version, change.Version)
			script := fleetState(t, m, fleet).Scripts[0]
			require.Equal(t, []int{step.version, step.before}, []int{script.Version, script.Before}, "%+v", step)
		}
		require.Equal(t, 21, push(t, m, fleet, saying("v21")).Version, "a number is never used twice")
	})
}

// Pushes at the same time: each gets a version, and the last is in force.
func TestScriptFleetConcurrentPushes(t *testing.T) {
	m := open(t, topologies[2].config(t), redismanager.WithScripts(saying("v1")))
	prefix := redistest.NewPrefix(t)
	fleet := "{" + prefix + "}"
	join(t, m, quick(fleet, "one"))
	const pushes = 12
	changes := make(chan redismanager.FleetChange, pushes)
	var wg sync.WaitGroup
	for i := range pushes {
		wg.Go(func() {
			change, err := m.PushScript(context.Background(), fleet, redismanager.ScriptPush{Script: saying(fmt.Sprint("word", i))})
			if err != nil {
				t.Errorf("push: %v", err)
			}
			changes <- change
		})
	}
	wg.Wait()
	seen := map[int]bool{}
	for range pushes {
		seen[(<-changes).Version] = true
	}
	require.Len(t, seen, pushes)
	state := fleetState(t, m, fleet)
	require.Equal(t, pushes+1, state.Version("saying"))
	rowOf(t, m, fleet, "one", func(s redismanager.ProcessScript) bool { return s.Version == pushes+1 })

	expected := 0
	for i := range pushes {
		wg.Go(func() {
			_, err := m.PushScript(context.Background(), fleet, redismanager.ScriptPush{Script: saying(fmt.Sprint("again", i)), ExpectVersion: pushes + 1})
			changes <- redismanager.FleetChange{Changed: err == nil}
		})
	}
	wg.Wait()
	for range pushes {
		if (<-changes).Changed {
			expected++
		}
	}
	require.Equal(t, 1, expected, "of those that expect the same version one wins")
}

// A body that this process does not take is in its report, and disturbs
// nothing; the same for one that is not what the registry says it is.
func TestScriptFleetRefusedBody(t *testing.T) {
	srv := redistest.SharedStandalone(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithScripts(saying("v1")))
	ctx, prefix := within(t, 20*time.Second), redistest.NewPrefix(t)
	fleet := "{" + prefix + "}"
	join(t, m, quick(fleet, "one"))
	push(t, m, fleet, saying("v2"))
	becomes(t, m, prefix, "v2")

	// Another program puts a broken body into force.
	bad := broken("saying").Source
	sum := sha1.Sum([]byte(bad))
	c := srv.Client(t)
	require.NoError(t, c.HSet(ctx, fleet+":versions", "saying@3", hex.EncodeToString(sum[:])+" 0 1 x").Err())
	require.NoError(t, c.HSet(ctx, fleet+":bodies", "saying@3", bad).Err())
	require.NoError(t, c.HSet(ctx, fleet, "script:saying", "3 3 1,2", "revision", "2-1").Err())
	row := rowOf(t, m, fleet, "one", func(s redismanager.ProcessScript) bool { return s.Error != "" })
	require.Equal(t, 2, row.Version)
	require.Contains(t, row.Error, "line 3")
	require.Equal(t, "v2", says(t, m, "saying", prefix))

	require.NoError(t, c.HSet(ctx, fleet+":bodies", "saying@4", saying("v4").Source).Err())
	require.NoError(t, c.HSet(ctx, fleet+":versions", "saying@4", hex.EncodeToString(sum[:])+" 0 1 x").Err())
	require.NoError(t, c.HSet(ctx, fleet, "script:saying", "4 4 1,2,3", "revision", "3-1").Err())
	row = rowOf(t, m, fleet, "one", func(s redismanager.ProcessScript) bool { return s.Error != "" && s.Error != row.Error })
	require.Contains(t, row.Error, "has sha")
	require.NoError(t, c.HSet(ctx, fleet, "script:saying", "nonsense", "revision", "4-1").Err())
	rowOf(t, m, fleet, "one", func(s redismanager.ProcessScript) bool { return s.Version == 2 && s.Error != row.Error })
	_, err := m.PushScript(ctx, fleet, redismanager.ScriptPush{Script: saying("v5")})
	require.ErrorIs(t, err, redismanager.ErrMalformedData)
	require.Equal(t, "v2", says(t, m, "saying", prefix))
	require.Len(t, eventsOf(m, redismanager.EventScriptRefused), 3, "each once")

	require.NoError(t, c.HSet(ctx, fleet, "script:saying", "2 4 1", "revision", "5-1").Err())
	rowOf(t, m, fleet, "one", func(s redismanager.ProcessScript) bool { return s.Version == 2 && s.Error == "" })
}

// A change of the process' own wins until the registry's next change.
func TestScriptFleetAndOwnChange(t *testing.T) {
	m := open(t, topologies[0].config(t), redismanager.WithScripts(saying("v1")))
	ctx, prefix := within(t, 10*time.Second), redistest.NewPrefix(t)
	fleet := "{" + prefix + "}"
	join(t, m, quick(fleet, "one"))
	info, err := m.UpdateScript(ctx, saying("own"))
	require.NoError(t, err)
	require.Equal(t, 2, info.Version)
	rowOf(t, m, fleet, "one", func(s redismanager.ProcessScript) bool { return s.Version == 0 })
	push(t, m, fleet, saying("pushed"))
	becomes(t, m, prefix, "pushed")
	rowOf(t, m, fleet, "one", func(s redismanager.ProcessScript) bool { return s.Version == 2 })
	require.Equal(t, 3, currentVersion(t, m, "saying"), "number 2 was taken")
	require.Equal(t, "own", says(t, m, "saying@2", prefix))
}

// Redis restarts without its data: what runs goes on, and the next push is
// taken though its version number was used before.
func TestScriptFleetOverARestart(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), DialTimeout: time.Second}, redismanager.WithScripts(saying("v1")))
	const fleet = "{x}"
	join(t, m, quick(fleet, "one"))
	push(t, m, fleet, saying("v2"))
	becomes(t, m, "k", "v2")
	srv.Kill()
	start := time.Now()
	_, err := m.PushScript(within(t, time.Second), fleet, redismanager.ScriptPush{Script: saying("v3")})
	require.Error(t, err)
	require.Less(t, time.Since(start), 3*time.Second)
	srv.Restart(t)
	rowOf(t, m, fleet, "one", func(s redismanager.ProcessScript) bool { return s.Version == 2 }) // it is back, and reports
	require.Equal(t, "v2", says(t, m, "saying", "k"))
	require.Equal(t, 2, push(t, m, fleet, saying("after")).Version)
	becomes(t, m, "k", "after")
}

// An unreachable registry does not fail a join; what it says is taken later.
func TestScriptFleetJoinDuringAnOutage(t *testing.T) {
	srv := redistest.StartServer(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	ctx := within(t, 20*time.Second)
	operator := open(t, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithScripts(saying("v1")))
	push(t, operator, "{x}", saying("v2"))
	m := open(t, redismanager.RedisConfig{Addr: proxy.Addr(), MaxRetries: -1}, redismanager.WithScripts(saying("v1")))
	proxy.Refuse(true)
	proxy.CutAll()
	leave, err := m.JoinScriptFleet(ctx, quick("{x}", "one"))
	require.NoError(t, err)
	require.Equal(t, 1, currentVersion(t, m, "saying"))
	proxy.Refuse(false)
	rowOf(t, operator, "{x}", "one", func(s redismanager.ProcessScript) bool { return s.Version == 2 })
	require.Equal(t, "v2", says(t, m, "saying", "k"))
	require.NoError(t, leave())
}

func TestScriptFleetArguments(t *testing.T) {
	m := open(t, topologies[2].config(t), redismanager.WithScripts(saying("v1")))
	ctx := within(t, 5*time.Second)
	for _, bad := range []redismanager.ScriptFleet{
		{Key: ""}, {Key: "no-hash-tag"}, {Key: "{x}", Process: "a\nb"}, {Key: "{x}", Poll: time.Millisecond},
	} {
		_, err := m.JoinScriptFleet(ctx, bad)
		require.ErrorIs(t, err, redismanager.ErrInvalidArgument, "%+v", bad)
	}
	_, err := m.PushScript(ctx, "{x}", redismanager.ScriptPush{Script: redismanager.Script{Name: "nobody", Source: "return 1"}})
	require.ErrorIs(t, err, redismanager.ErrScriptUnknown)
	_, err = m.PushScript(ctx, "{x}", redismanager.ScriptPush{Script: saying("v2"), By: "a\nb"})
	require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
	_, err = m.PushScript(ctx, "plain", redismanager.ScriptPush{Script: saying("v2")})
	require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
	_, err = m.RollbackFleetScript(ctx, "{x}", redismanager.FleetRollback{Name: "saying", To: -1})
	require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
}

// A process that may read the registry and write its reports can follow, and
// cannot push. Who may push needs little more than that.
func TestScriptFleetRights(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithACL("app on >app-secret -@all %R~{x}* ~{x}:seen ~{x}:reports ~app:*"+
		" +evalsha +eval +script|load +incr +hget +hgetall +hset +hdel +zadd +zrem +zrangebyscore +zscore +pexpire +time",
		"ops on >ops-secret -@all ~{x}* +evalsha +eval +script|load +hget +hgetall +hset +hdel +hexists +zrangebyscore +time"))
	operator := open(t, redismanager.RedisConfig{Addr: srv.Addr(), Username: "ops", Password: "ops-secret"}, redismanager.WithScripts(saying("v1")))
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), Username: "app", Password: "app-secret"}, redismanager.WithScripts(saying("v1")))
	leave := join(t, m, quick("{x}", "one"))
	push(t, operator, "{x}", saying("v2"))
	becomes(t, m, "app:k", "v2")
	rowOf(t, operator, "{x}", "one", func(s redismanager.ProcessScript) bool { return s.Version == 2 })
	_, err := m.PushScript(within(t, 5*time.Second), "{x}", redismanager.ScriptPush{Script: saying("v3")})
	require.Equal(t, redismanager.ClassAuth, redismanager.Classify(err), "%v", err)
	require.NoError(t, leave())
	_, err = operator.RollbackFleetScript(within(t, 5*time.Second), "{x}", redismanager.FleetRollback{Name: "saying"})
	require.NoError(t, err)
}

// A process that has not reported for 30 s is not shown, and the next report of
// another one removes it.
func TestScriptFleetForgetsTheSilent(t *testing.T) {
	srv := redistest.SharedStandalone(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithScripts(saying("v1")))
	ctx, fleet, c := within(t, 10*time.Second), "{"+redistest.NewPrefix(t)+"}", srv.Client(t)
	for name, age := range map[string]time.Duration{"silent": 31 * time.Second, "slow": 25 * time.Second} {
		require.NoError(t, c.HSet(ctx, fleet+":reports", name, `{"scripts":{"saying":{"version":4}}}`).Err())
		require.NoError(t, c.ZAdd(ctx, fleet+":seen", redis.Z{Score: float64(time.Now().Add(-age).UnixMilli()), Member: name}).Err())
	}
	names := func() (list []string) {
		for _, p := range fleetState(t, m, fleet).Processes {
			list = append(list, p.Name)
		}
		return list
	}
	require.Equal(t, []string{"slow"}, names())
	leave := join(t, m, quick(fleet, "one"))
	require.Equal(t, []string{"one", "slow"}, names())
	require.False(t, c.HExists(ctx, fleet+":reports", "silent").Val())
	require.Greater(t, c.PTTL(ctx, fleet+":reports").Val(), 50*time.Second, "a fleet that is gone leaves no reports")
	require.NoError(t, leave())
	require.Equal(t, []string{"slow"}, names())
}
