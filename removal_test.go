package statelink_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var removalBehaviours = []behaviour{
	{"of nothing", func(t *testing.T, s *stage) {
		for _, persist := range []int{forever, 0, soon} {
			s.requireRemove(t, persist, false)
			s.requireRemoveWithID(t, persist, 0, false)
		}
		require.Empty(t, s.stored(t), "no temporary link appears out of nothing")
	}},
	{"now", func(t *testing.T, s *stage) {
		for _, persist := range []int{forever, 0} {
			for _, link := range []int{forever, soon} {
				s.link(t, "alice", "chat", 0, link)
				s.requireRemove(t, persist, true)
				s.requireLink(t, "alice", "chat", unlinked)
				s.requireRemove(t, persist, false)
			}
		}
		require.Empty(t, s.stored(t))
	}},
	{"later", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 0, forever)
		s.link(t, "alice", "game", 1, forever)
		s.requireRemove(t, soon, true)
		s.requireLink(t, "alice", "chat", temporaryTo(0, ttlSoon))
		s.requireLink(t, "alice", "game", persistentTo(1))
		s.requireRemove(t, later, true)
		s.requireLink(t, "alice", "chat", temporaryTo(0, ttlLater))
	}},
	{"later, and then it is gone", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 3, forever)
		begin := time.Now()
		s.requireRemove(t, 1, true)
		s.requireGone(t, begin)
		require.Empty(t, s.stored(t))
	}},
	{"with the right pod", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 0, forever)
		s.requireRemoveWithID(t, soon, 0, true)
		s.requireLink(t, "alice", "chat", temporaryTo(0, ttlSoon))
		s.requireRemoveWithID(t, 0, 0, true)
		s.requireLink(t, "alice", "chat", unlinked)
		s.link(t, "alice", "chat", 12, later)
		s.requireRemoveWithID(t, forever, 12, true)
		require.Empty(t, s.stored(t))
	}},
	{"with the wrong pod", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 1, forever)
		for _, persist := range []int{forever, 0, soon} {
			s.requireRemoveWithID(t, persist, 0, false)
			s.requireRemoveWithID(t, persist, 11, false)
		}
		s.requireLink(t, "alice", "chat", persistentTo(1))
		s.link(t, "alice", "chat", 1, later)
		s.requireRemoveWithID(t, soon, 0, false)
		s.requireLink(t, "alice", "chat", temporaryTo(1, ttlLater))
	}},
	{"the last link takes the list with it", func(t *testing.T, s *stage) {
		s.link(t, "alice", "chat", 1, forever)
		s.link(t, "alice", "game", 2, forever)
		s.requireRemove(t, forever, true)
		services, err := s.GetLinkService(s.ctx, s.ns, "alice")
		require.NoError(t, err)
		require.Equal(t, map[string]int{"game": 2}, services)
		removed, err := s.RemoveLinkedPod(s.ctx, s.ns, "alice", "game", 0)
		require.NoError(t, err)
		require.True(t, removed)
		require.Empty(t, s.stored(t))
	}},
}

func (s *stage) requireRemove(t *testing.T, persist int, want bool) {
	t.Helper()
	removed, err := s.RemoveLinkedPod(s.ctx, s.ns, "alice", "chat", persist)
	require.NoError(t, err)
	require.Equal(t, want, removed)
}

func (s *stage) requireRemoveWithID(t *testing.T, persist, pod int, want bool) {
	t.Helper()
	removed, err := s.RemoveLinkedPodWithId(s.ctx, s.ns, "alice", "chat", persist, pod)
	require.NoError(t, err)
	require.Equal(t, want, removed)
}
