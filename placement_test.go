package statelink_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
)

const (
	unavailable = statelink.RoutingUnavailable
	ready       = statelink.RoutingReady
	draining    = statelink.RoutingDraining
)

var placementBehaviours = []behaviour{
	{"a new user goes to the least-loaded pod", func(t *testing.T, s *stage) {
		s.report(t, 0, 5, ready)
		s.report(t, 2, 3, ready)
		s.report(t, 1, 3, ready)
		s.requirePlaced(t, "alice", forever, 1)
		s.requireLink(t, "alice", "chat", persistentTo(1))
		s.report(t, 1, 6, ready)
		s.report(t, 2, 10, ready) // 10 is more than 6, whatever their first digits
		s.requirePlaced(t, "bob", soon, 0)
		s.requireLink(t, "bob", "chat", temporaryTo(0, ttlSoon))
	}},
	{"a link to a living pod stays as it is", func(t *testing.T, s *stage) {
		s.report(t, 0, 900, ready)
		s.report(t, 1, 0, ready)
		s.link(t, "alice", "chat", 0, forever)
		s.link(t, "bob", "chat", 0, soon)
		s.requirePlaced(t, "alice", soon, 0)
		s.requirePlaced(t, "bob", forever, 0)
		s.requireLink(t, "alice", "chat", persistentTo(0))
		s.requireLink(t, "bob", "chat", temporaryTo(0, ttlSoon))
	}},
	{"a draining pod keeps its users and gets no new ones", func(t *testing.T, s *stage) {
		s.report(t, 0, 0, draining)
		s.report(t, 1, 50, ready)
		s.link(t, "alice", "chat", 0, forever)
		s.requirePlaced(t, "alice", forever, 0)
		s.requirePlaced(t, "bob", forever, 1)
	}},
	{"an unavailable pod gets no new users", func(t *testing.T, s *stage) {
		s.report(t, 0, 0, unavailable)
		s.report(t, 1, 50, ready)
		s.requirePlaced(t, "bob", forever, 1)
	}},
	{"the users of a dead pod move", func(t *testing.T, s *stage) {
		s.plantStale(t, 0, 0, ready)
		s.report(t, 1, 50, ready)
		s.link(t, "alice", "chat", 0, forever)
		s.link(t, "bob", "chat", 0, later)
		s.requirePlaced(t, "alice", forever, 1)
		s.requirePlaced(t, "bob", soon, 1)
		s.requirePlaced(t, "carol", forever, 1)
		s.requireLink(t, "alice", "chat", persistentTo(1))
		s.requireLink(t, "bob", "chat", temporaryTo(1, ttlSoon))
	}},
	{"the users of a pod that never reported move", func(t *testing.T, s *stage) {
		s.report(t, 1, 50, ready)
		s.link(t, "alice", "chat", 0, forever)
		s.requirePlaced(t, "alice", forever, 1)
		s.requireLink(t, "alice", "chat", persistentTo(1))
	}},
	{"without a ready pod nobody is placed", func(t *testing.T, s *stage) {
		s.requireNotPlaced(t, "alice")
		s.report(t, 0, 0, draining)
		s.report(t, 1, 0, unavailable)
		s.plantStale(t, 2, 0, ready)
		s.requireNotPlaced(t, "alice")
		s.requireLink(t, "alice", "chat", unlinked)
		s.link(t, "bob", "chat", 2, forever)
		s.requireNotPlaced(t, "bob")
		s.requireLink(t, "bob", "chat", persistentTo(2))
		s.link(t, "carol", "chat", 0, forever)
		s.requirePlaced(t, "carol", forever, 0)
	}},
	{"a pod whose state cannot be read keeps its users", func(t *testing.T, s *stage) {
		s.plantState(t, "0", "busy")
		s.report(t, 1, 50, ready)
		s.link(t, "alice", "chat", 0, forever)
		pod, err := s.ComputeLinkedPodIfAbsent(s.ctx, s.ns, "alice", "chat", forever)
		require.Equal(t, statelink.NoPod, pod)
		requireMalformed(t, err, `uid "alice"`, "pod 0 may be alive")
		s.requireLink(t, "alice", "chat", persistentTo(0))
		s.requirePlaced(t, "bob", forever, 1)
	}},
	{"pods of another service do not count", func(t *testing.T, s *stage) {
		require.NoError(t, s.ReportPodState(s.ctx, s.ns, "game", 0, 0, ready))
		require.NoError(t, s.ReportPodState(s.ctx, s.ns+"-b", "chat", 0, 0, ready))
		s.requireNotPlaced(t, "alice")
	}},
}

// TestPodAge: a pod is dead when its heartbeat is older than the option says,
// and alive before.
func TestPodAge(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, s *stage) {
		exec, err := statelink.NewExecutor(s.Manager(), statelink.WithPodMaxAge(time.Hour))
		require.NoError(t, err)
		s.Executor = exec
		for pod, age := range []time.Duration{time.Hour + time.Second, time.Hour - time.Minute, 0, -time.Minute} {
			beat := time.Now().Add(-age).UnixMilli()
			s.plantState(t, strconv.Itoa(pod), fmt.Sprintf("%d-%d-1", pod, beat))
			s.link(t, fmt.Sprint("user-", pod), "chat", pod, forever)
		}
		s.requirePlaced(t, "new", forever, 1)
		s.requirePlaced(t, "user-0", forever, 1)
		for _, pod := range []int{1, 2, 3} {
			s.requirePlaced(t, fmt.Sprint("user-", pod), forever, pod)
		}
		require.Len(t, s.requireReady(t, time.Hour, 0), 3)
	})
}

// TestPodDiesByTheClock lets real time pass: a pod that stops reporting loses
// its users after the age that the option sets, and not before.
func TestPodDiesByTheClock(t *testing.T) {
	t.Parallel()
	const maxAge = 400 * time.Millisecond
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, b.ownExecutor(t, nil, statelink.WithPodMaxAge(maxAge)))
			s.report(t, 1, 50, ready)
			begin := time.Now()
			s.report(t, 0, 0, ready)
			s.link(t, "alice", "chat", 0, forever)
			eventually(t, func() bool {
				s.report(t, 1, 50, ready)
				pod, err := s.ComputeLinkedPodIfAbsent(s.ctx, s.ns, "alice", "chat", forever)
				if !statelink.Retryable(err) && !errors.Is(err, statelink.ErrOutcomeUnknown) { // the machine may halt for longer than maxAge
					require.NoError(t, err)
				}
				return pod == 1
			}, "alice moves to the pod that still reports")
			require.Greater(t, time.Since(begin), maxAge-2*time.Millisecond)
			s.requireLink(t, "alice", "chat", persistentTo(1))
		})
	}
}

// TestContendedPlacement: while others keep changing a link between dead pods,
// a placement gives up and says so, without a pod.
func TestContendedPlacement(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, s *stage) {
		s.report(t, 1, 0, ready)
		ctx, cancel := context.WithCancel(s.ctx)
		var others sync.WaitGroup
		defer others.Wait()
		defer cancel()
		for other := range 2 {
			others.Go(func() {
				for pod := 10 + other; ctx.Err() == nil; pod = 10 + (pod+1)%10 {
					_ = s.raw().Set(ctx, s.keys.Link(s.ns, "alice", "chat"), pod, 0).Err()
				}
			})
		}
		var contended error
		eventually(t, func() bool {
			pod, err := s.ComputeLinkedPodIfAbsent(s.ctx, s.ns, "alice", "chat", forever)
			if err == nil {
				require.Equal(t, 1, pod)
				return false
			}
			contended = err
			require.Equal(t, statelink.NoPod, pod)
			return true
		}, "the link changes in between, again and again")
		require.ErrorIs(t, contended, statelink.ErrContended)
		require.ErrorContains(t, contended, `uid "alice"`)
		require.True(t, statelink.Retryable(contended))
	})
}

// report is a pod's report to service chat.
func (s *stage) report(t *testing.T, pod int, load int64, routing statelink.Routing) {
	t.Helper()
	require.NoError(t, s.ReportPodState(s.ctx, s.ns, "chat", pod, load, routing))
}

// plantStale stores a report that is a minute old.
func (s *stage) plantStale(t *testing.T, pod int, load int64, routing statelink.Routing) {
	t.Helper()
	s.plantState(t, strconv.Itoa(pod), fmt.Sprintf("%d-%d-%d", load, time.Now().Add(-time.Minute).UnixMilli(), routing))
}

// plantState stores a field of the states of service chat, of any form.
func (s *stage) plantState(t *testing.T, field, value string) {
	t.Helper()
	require.NoError(t, s.raw().HSet(s.ctx, s.keys.State(s.ns, "chat"), field, value).Err())
}

func (s *stage) requirePlaced(t *testing.T, uid string, persist, want int) {
	t.Helper()
	pod, err := s.ComputeLinkedPodIfAbsent(s.ctx, s.ns, uid, "chat", persist)
	require.NoError(t, err)
	require.Equal(t, want, pod)
}

func (s *stage) requireNotPlaced(t *testing.T, uid string) {
	t.Helper()
	pod, err := s.ComputeLinkedPodIfAbsent(s.ctx, s.ns, uid, "chat", forever)
	require.ErrorIs(t, err, statelink.ErrNoReadyPod)
	require.ErrorContains(t, err, strconv.Quote(uid))
	require.Equal(t, statelink.NoPod, pod)
}
