package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// stage is a demo whose steps a test runs one by one.
func stage(t *testing.T, seed int64) *demo {
	t.Helper()
	p := newProgram(strings.NewReader(""), nil, nil)
	p.flags.keyPrefix = statelink.DefaultKeyPrefix
	s, err := p.connect(t.Context(), redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()}, statelink.WithPodMaxAge(demoMaxAge))
	require.NoError(t, err)
	d := newDemo(s, demoFlags{pods: 3, users: 6, seed: seed})
	t.Cleanup(func() {
		d.stopPods()
		_, err := d.removeAll(context.WithoutCancel(t.Context()))
		require.NoError(t, err)
		require.NoError(t, s.close())
	})
	return d
}

func (d *demo) tamperAll(t *testing.T, change func(key string)) {
	t.Helper()
	for _, user := range d.users {
		change(d.s.keys.Link(d.namespace, user, mainService))
	}
}

// TestDemoSeesAWrongStore: a store that is not as it should be is never called
// right. Each case spoils the store before, or while, one step runs.
func TestDemoSeesAWrongStore(t *testing.T) {
	t.Parallel()
	client := redistest.SharedStandalone(t).Client(t)
	ctx := t.Context()
	set := func(pod int) func(string) {
		return func(key string) { require.NoError(t, client.Set(ctx, key, pod, 0).Err()) }
	}
	for i, test := range []struct {
		name   string
		step   int // the one that must notice
		spoil  func(t *testing.T, d *demo)
		during bool // spoil again and again while the step runs
		check  string
	}{
		{"a pod never reports", 1, func(_ *testing.T, d *demo) { d.pods = d.pods[:2]; d.pods[1].index = 0 }, false, "pods that are ready"},
		{"users are linked already", 2, func(t *testing.T, d *demo) { d.tamperAll(t, set(2)) }, false, "difference between the fullest"},
		{"a link is changed", 3, func(t *testing.T, d *demo) {
			set((d.placed[3] + 1) % 3)(d.s.keys.Link(d.namespace, d.users[3], mainService))
		}, false, "all in one call"},
		{"a link is lost", 3, func(_ *testing.T, d *demo) { client.Del(ctx, d.s.keys.Link(d.namespace, d.users[0], mainService)) }, false, "one by one"},
		{"links are temporary", 4, func(t *testing.T, d *demo) {
			d.tamperAll(t, func(key string) { client.Expire(ctx, key, time.Minute) })
		}, false, "refused"},
		{"links are lost before a pod dies", 5, func(t *testing.T, d *demo) {
			d.tamperAll(t, func(key string) { client.Del(ctx, key) })
		}, false, "pod of user-"},
		{"links of dead pods come back", 5, func(t *testing.T, d *demo) { d.tamperAll(t, set(2)) }, true, "users on a live pod now"},
		{"users of live pods move", 5, moveOnceAPodIsSilent(client), true, "users of the other pods that moved"},
		{"every pod is dead", 5, silenceAll, false, "pods that are dead"},
		{"links do not expire", 6, func(t *testing.T, d *demo) {
			d.tamperAll(t, func(key string) { client.Persist(ctx, key) })
		}, true, ""},
		{"a stranger in the index", 7, func(t *testing.T, d *demo) {
			for _, user := range d.users {
				client.HSet(ctx, d.s.keys.User(d.namespace, user), "stranger", 1)
			}
		}, false, "its persistent links"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := stage(t, int64(1_000_000+i)+time.Now().UnixNano())
			steps := d.steps()
			for _, step := range steps[:test.step-1] {
				r := &stepReport{}
				require.NoError(t, step.run(ctx, r))
				r.finish(nil)
				require.True(t, r.OK, "%+v", r)
			}
			test.spoil(t, d)
			if test.during {
				defer keepSpoiling(t, func() { test.spoil(t, d) })()
			}
			r := &stepReport{}
			err := steps[test.step-1].run(ctx, r)
			r.finish(err)
			t.Logf("%+v", r)
			require.False(t, r.OK)
			if err == nil {
				wrong := slices.IndexFunc(r.Checks, func(c stepCheck) bool { return !c.OK && strings.Contains(c.What, test.check) })
				require.GreaterOrEqual(t, wrong, 0)
			}
		})
	}
}

// TestPodsOf: whom the answer leaves out has no pod.
func TestPodsOf(t *testing.T) {
	t.Parallel()
	pods := podsOf([]string{"a", "b", "c"}, map[int][]string{0: {"c"}, 2: {"a"}})
	require.Equal(t, []int{2, statelink.NoPod, 0}, pods)
}

// silenceAll leaves no pod alive.
func silenceAll(t *testing.T, d *demo) {
	d.stopPods()
	require.Eventually(t, func() bool {
		spread, err := d.spread(t.Context(), nil)
		return err == nil && !slices.ContainsFunc(spread, func(s podSpread) bool { return s.Alive })
	}, 20*time.Second, 50*time.Millisecond)
}

// moveOnceAPodIsSilent moves every user one pod further, once, when the step has
// begun: a pod has missed three heartbeats.
func moveOnceAPodIsSilent(client *redis.Client) func(*testing.T, *demo) {
	moved := false
	return func(t *testing.T, d *demo) {
		states, now, err := d.s.exec.PodStates(t.Context(), d.namespace, mainService)
		silent := func(s statelink.PodState) bool { return now.Sub(s.Heartbeat) > 3*demoBeat }
		if moved || err != nil || !slices.ContainsFunc(states, silent) {
			return
		}
		moved = true
		d.tamperAll(t, func(key string) {
			pod, err := client.Get(t.Context(), key).Int()
			if err == nil {
				client.Set(t.Context(), key, (pod+1)%3, 0)
			}
		})
	}
}

// keepSpoiling repeats until the returned function is called.
func keepSpoiling(t *testing.T, spoil func()) (stop func()) {
	t.Helper()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
				spoil()
			}
		}
	}()
	return func() { close(quit); <-done }
}

// TestDemoSabotaged is the whole command while somebody overwrites its links:
// it says what is wrong, exits with 1, and still cleans up.
func TestDemoSabotaged(t *testing.T) {
	t.Parallel()
	srv := redistest.SharedStandalone(t)
	client := srv.Client(t)
	seed := time.Now().UnixNano()
	d := newDemo(&session{keys: statelink.NewKeys(statelink.DefaultKeyPrefix)}, demoFlags{pods: 3, users: 12, seed: seed})
	stop := keepSpoiling(t, func() {
		for _, user := range d.users[:3] {
			client.SetXX(t.Context(), d.s.keys.Link(d.namespace, user, mainService), 777, 0)
		}
	})
	r := shell{}.do(t, "demo", "--redis", standaloneURL(srv), "--seed", fmt.Sprint(seed))
	stop()
	require.Equal(t, exitFailed, r.code)
	require.Regexp(t, `   WRONG  .*: expected .*, found `, r.out)
	require.Regexp(t, `^statelink: demo, step \d: not as expected\n$`, r.errOut)
	require.Contains(t, r.out, "\nCleaned up: ")
	require.NotContains(t, r.out, "All 7 steps")
	require.Empty(t, keysOf(t, []*redis.Client{client}, d.namespace))
}
