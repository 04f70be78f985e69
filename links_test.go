package statelink_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
)

var linkBehaviours = []behaviour{
	{"no link", func(t *testing.T, s *stage) {
		s.requireLink(t, "alice", "chat", unlinked)
		services, err := s.GetLinkService(s.ctx, s.ns, "alice")
		require.NoError(t, err)
		require.NotNil(t, services)
		require.Empty(t, services)
		require.Empty(t, s.stored(t), "reading writes nothing")
	}},
	{"first link", func(t *testing.T, s *stage) {
		s.requireSet(t, 3, forever, statelink.NoPod)
		s.requireLink(t, "alice", "chat", persistentTo(3))
	}},
	{"first link to pod 0", func(t *testing.T, s *stage) {
		s.requireSet(t, 0, forever, statelink.NoPod)
		s.requireLink(t, "alice", "chat", persistentTo(0))
		s.requireSet(t, 1, forever, 0)
		s.requireSet(t, 0, soon, 1)
		s.requireLink(t, "alice", "chat", temporaryTo(0, ttlSoon))
	}},
	{"first link, temporary", func(t *testing.T, s *stage) {
		s.requireSet(t, 3, soon, statelink.NoPod)
		s.requireLink(t, "alice", "chat", temporaryTo(3, ttlSoon))
	}},
	{"the same link again", func(t *testing.T, s *stage) {
		s.requireSet(t, 3, forever, statelink.NoPod)
		before := s.stored(t)
		s.requireSet(t, 3, forever, 3)
		require.Equal(t, before, s.stored(t))
	}},
	{"overwrite", func(t *testing.T, s *stage) {
		s.requireSet(t, 3, forever, statelink.NoPod)
		s.requireSet(t, 4, forever, 3)
		s.requireLink(t, "alice", "chat", persistentTo(4))
		s.requireSet(t, 5, soon, 4)
		s.requireLink(t, "alice", "chat", temporaryTo(5, ttlSoon))
		s.requireSet(t, 5, later, 5)
		s.requireLink(t, "alice", "chat", temporaryTo(5, ttlLater))
		s.requireSet(t, 6, forever, 5)
		s.requireLink(t, "alice", "chat", persistentTo(6))
	}},
	{"highest pod and longest time", func(t *testing.T, s *stage) {
		s.requireSet(t, statelink.MaxPod, statelink.MaxPersistSeconds, statelink.NoPod)
		pod, err := s.GetLinkedPod(s.ctx, s.ns, "alice", "chat")
		require.NoError(t, err)
		require.Equal(t, statelink.MaxPod, pod)
		left := s.raw().TTL(s.ctx, s.keys.Link(s.ns, "alice", "chat")).Val()
		require.InDelta(t, statelink.MaxPersistSeconds, left.Seconds(), ttlSlack.Seconds())
	}},
	{"try on nothing", func(t *testing.T, s *stage) {
		s.requireTry(t, 0, forever, true, 0)
		s.requireLink(t, "alice", "chat", persistentTo(0))
	}},
	{"try is refused by a persistent link", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 0, forever)
		s.requireTry(t, 3, forever, false, 0)
		s.requireTry(t, 3, soon, false, 0)
		s.requireLink(t, "alice", "chat", persistentTo(0))
	}},
	{"try of the same pod", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 3, forever)
		s.requireTry(t, 3, forever, true, 3)
		s.requireLink(t, "alice", "chat", persistentTo(3))
		s.requireTry(t, 3, soon, true, 3)
		s.requireLink(t, "alice", "chat", temporaryTo(3, ttlSoon))
	}},
	{"try replaces a temporary link", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 0, soon)
		s.requireTry(t, 3, later, true, 3)
		s.requireLink(t, "alice", "chat", temporaryTo(3, ttlLater))
		s.requireTry(t, 4, forever, true, 4)
		s.requireLink(t, "alice", "chat", persistentTo(4))
	}},
	{"if absent on nothing", func(t *testing.T, s *stage) {
		s.requireIfAbsent(t, 0, forever, 0)
		s.requireLink(t, "alice", "chat", persistentTo(0))
		pod, err := s.SetLinkedPodIfAbsent(s.ctx, s.ns, "bob", "chat", 3, soon)
		require.NoError(t, err)
		require.Equal(t, 3, pod)
		s.requireLink(t, "bob", "chat", temporaryTo(3, ttlSoon))
	}},
	{"if absent leaves a persistent link", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 0, forever)
		s.requireIfAbsent(t, 3, forever, 0)
		s.requireIfAbsent(t, 3, soon, 0)
		s.requireIfAbsent(t, 0, soon, 0)
		s.requireLink(t, "alice", "chat", persistentTo(0))
	}},
	{"if absent leaves a temporary link and its time", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 3, soon)
		s.requireIfAbsent(t, 4, forever, 3)
		s.requireIfAbsent(t, 3, forever, 3)
		s.requireIfAbsent(t, 3, later, 3)
		s.requireLink(t, "alice", "chat", temporaryTo(3, ttlSoon))
	}},
	{"list of services", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 0, forever)
		s.link(t, "alice", "game", 7, forever)
		s.link(t, "alice", "voice", 7, soon)
		services, err := s.GetLinkService(s.ctx, s.ns, "alice")
		require.NoError(t, err)
		require.Equal(t, map[string]int{"chat": 0, "game": 7}, services)
	}},
	{"links are apart by uid, service and namespace", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 1, forever)
		s.link(t, "bob", "chat", 2, forever)
		s.link(t, "alice", "game", 3, forever)
		other := s.ns + "-b"
		_, err := s.SetLinkedPod(s.ctx, other, "alice", "chat", 4, forever)
		require.NoError(t, err)
		removed, err := s.RemoveLinkedPod(s.ctx, s.ns, "alice", "chat", forever)
		require.NoError(t, err)
		require.True(t, removed)
		s.requireLink(t, "alice", "chat", unlinked)
		s.requireLink(t, "bob", "chat", persistentTo(2))
		s.requireLink(t, "alice", "game", persistentTo(3))
		pod, err := s.GetLinkedPod(s.ctx, other, "alice", "chat")
		require.NoError(t, err)
		require.Equal(t, 4, pod)
	}},
	{"a temporary link expires", func(t *testing.T, s *stage) {
		begin := time.Now()
		s.requireSet(t, 3, 1, statelink.NoPod)
		s.requireGone(t, begin)
		s.requireIfAbsent(t, 4, forever, 4)
		s.requireLink(t, "alice", "chat", persistentTo(4))
	}},
}

// requireSet sets alice's link to chat.
func (s *stage) requireSet(t *testing.T, pod, persist, wantPrevious int) {
	t.Helper()
	previous, err := s.SetLinkedPod(s.ctx, s.ns, "alice", "chat", pod, persist)
	require.NoError(t, err)
	require.Equal(t, wantPrevious, previous)
}

func (s *stage) requireTry(t *testing.T, pod, persist int, wantOK bool, wantPod int) {
	t.Helper()
	ok, current, err := s.TrySetLinkedPod(s.ctx, s.ns, "alice", "chat", pod, persist)
	require.NoError(t, err)
	require.Equal(t, wantOK, ok)
	require.Equal(t, wantPod, current)
}

func (s *stage) requireIfAbsent(t *testing.T, pod, persist, wantPod int) {
	t.Helper()
	current, err := s.SetLinkedPodIfAbsent(s.ctx, s.ns, "alice", "chat", pod, persist)
	require.NoError(t, err)
	require.Equal(t, wantPod, current)
}

// requireGone waits for the end of alice's link, which was given one second
// after begin. A server counts in whole milliseconds.
func (s *stage) requireGone(t *testing.T, begin time.Time) {
	t.Helper()
	eventually(t, func() bool {
		pod, err := s.GetLinkedPod(s.ctx, s.ns, "alice", "chat")
		require.NoError(t, err)
		return pod == statelink.NoPod
	}, "the link expires")
	require.GreaterOrEqual(t, time.Since(begin), 998*time.Millisecond-s.early)
	s.requireLink(t, "alice", "chat", unlinked)
}
