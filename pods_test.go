package statelink_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
)

var podBehaviours = []behaviour{
	{"no pod has reported", func(t *testing.T, s *stage) {
		stored, err := s.GetServiceState(s.ctx, s.ns, "chat")
		require.NoError(t, err)
		require.Equal(t, map[int]string{}, stored)
		before, after := s.around(t, func() { s.requirePods(t) })
		_, now, err := s.PodStates(s.ctx, s.ns, "chat")
		require.NoError(t, err)
		require.WithinRange(t, now, before, after.Add(time.Minute))
		require.Empty(t, s.requireReady(t, 0, 0))
		require.Empty(t, s.stored(t))
	}},
	{"the server stamps the heartbeat", func(t *testing.T, s *stage) {
		before, after := s.around(t, func() {
			require.NoError(t, s.SetServiceState(s.ctx, s.ns, "chat", 0, "7-0-1"))
			require.NoError(t, s.SetServiceState(s.ctx, s.ns, "chat", 1, "8-9999999999999-2"))
			s.report(t, 2, 9, unavailable)
		})
		states := s.requirePods(t, "0 load 7 ready", "1 load 8 draining", "2 load 9 unavailable")
		for _, state := range states {
			require.WithinRange(t, state.Heartbeat, before, after)
		}
		stored, err := s.GetServiceState(s.ctx, s.ns, "chat")
		require.NoError(t, err)
		require.Equal(t, map[int]string{0: states[0].String(), 1: states[1].String(), 2: states[2].String()}, stored)
	}},
	{"a new report replaces the old one", func(t *testing.T, s *stage) {
		s.report(t, 0, 1, ready)
		first := s.requirePods(t, "0 load 1 ready")[0].Heartbeat
		eventually(t, func() bool {
			s.report(t, 0, 2, draining)
			return s.requirePods(t, "0 load 2 draining")[0].Heartbeat.After(first)
		}, "the heartbeat moves on")
	}},
	{"pods are listed by index", func(t *testing.T, s *stage) {
		for _, pod := range []int{10, 9, statelink.MaxPod, 0} {
			s.report(t, pod, statelink.MaxLoad, ready)
		}
		s.requirePods(t, "0 load 9007199254740991 ready", "9 load 9007199254740991 ready",
			"10 load 9007199254740991 ready", "2147483647 load 9007199254740991 ready")
	}},
	{"ready pods, least loaded first", func(t *testing.T, s *stage) {
		s.report(t, 3, 20, ready)
		s.report(t, 10, 9, ready)
		s.report(t, 9, 9, ready)
		s.report(t, 0, 0, draining)
		s.report(t, 1, 0, unavailable)
		s.plantStale(t, 2, 0, ready)
		fresh := []statelink.PodLoad{{Pod: 9, Load: 9}, {Pod: 10, Load: 9}, {Pod: 3, Load: 20}}
		require.Equal(t, fresh, s.requireReady(t, 30*time.Second, 0))
		require.Equal(t, fresh, s.requireReady(t, 30*time.Second, 9))
		require.Equal(t, fresh[:2], s.requireReady(t, 30*time.Second, 2))
		withStale := append([]statelink.PodLoad{{Pod: 2, Load: 0}}, fresh...)
		require.Equal(t, withStale, s.requireReady(t, 0, 0))
		require.Equal(t, withStale, s.requireReady(t, 24*time.Hour, 0))
	}},
	{"loads are compared exactly", func(t *testing.T, s *stage) {
		s.report(t, 0, statelink.MaxLoad, ready)
		s.report(t, 1, statelink.MaxLoad-1, ready)
		require.Equal(t, []statelink.PodLoad{{Pod: 1, Load: statelink.MaxLoad - 1}, {Pod: 0, Load: statelink.MaxLoad}},
			s.requireReady(t, time.Minute, 0))
		s.requirePlaced(t, "alice", forever, 1)
	}},
	{"what another program wrote is no pod", func(t *testing.T, s *stage) {
		now := strconv.FormatInt(time.Now().UnixMilli(), 10)
		for _, field := range []string{"", "x", "-1", "+4", " 5", "06", "1e1", "2147483648", "9223372036854775807"} {
			s.plantState(t, field, "0-"+now+"-1")
		}
		for pod, state := range []string{"", "ready", "0--1", "00-" + now + "-1", "-1-" + now + "-1", "0-" + now + "-3", "0-" + now + "-1-1", "0 -" + now + "-1"} {
			s.plantState(t, strconv.Itoa(20+pod), state)
		}
		s.requireNotPlaced(t, "alice")
		s.report(t, 4, 1, ready)
		s.requirePods(t, "4 load 1 ready")
		require.Equal(t, []statelink.PodLoad{{Pod: 4, Load: 1}}, s.requireReady(t, time.Minute, 0))
		s.requirePlaced(t, "alice", forever, 4)
		stored, err := s.GetServiceState(s.ctx, s.ns, "chat")
		require.NoError(t, err)
		require.Len(t, stored, 9, "every pod index, whatever its state")
		require.Equal(t, "ready", stored[21])
	}},
}

// around gives the server's time before and after what do does, whole
// milliseconds like a heartbeat.
func (s *stage) around(t *testing.T, do func()) (before, after time.Time) {
	t.Helper()
	before = s.serverTime(t)
	do()
	return before, s.serverTime(t)
}

// serverTime asks the master that holds the states of service chat.
func (s *stage) serverTime(t *testing.T) time.Time {
	t.Helper()
	c, err := s.Manager().GetConnection(redismanager.WithRoutingKey(s.ctx, s.keys.State(s.ns, "chat")))
	require.NoError(t, err)
	defer s.Manager().ReleaseConnection(c)
	now, err := c.Time(s.ctx).Result()
	require.NoError(t, err)
	return now.Truncate(time.Millisecond)
}

// requirePods compares all of PodStates but the heartbeats.
func (s *stage) requirePods(t *testing.T, want ...string) []statelink.PodState {
	t.Helper()
	states, _, err := s.PodStates(s.ctx, s.ns, "chat")
	require.NoError(t, err)
	var got []string
	for _, state := range states {
		got = append(got, fmt.Sprintf("%d load %d %v", state.Pod, state.Load, state.Routing))
	}
	require.Equal(t, want, got)
	return states
}

func (s *stage) requireReady(t *testing.T, maxAge time.Duration, limit int) []statelink.PodLoad {
	t.Helper()
	pods, err := s.ReadyPods(s.ctx, s.ns, "chat", maxAge, limit)
	require.NoError(t, err)
	return pods
}
