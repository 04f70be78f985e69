package statelink_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// behaviour is one thing that users of the executor rely on.
type behaviour struct {
	name string
	test func(t *testing.T, s *stage)
}

// TestBehaviour runs the one suite of what the executor does on every backend.
func TestBehaviour(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		b.executor(t) // open until the last behaviour has been seen
	}
	for _, subject := range []struct {
		name  string
		cases []behaviour
	}{
		{"links", linkBehaviours},
		{"removal", removalBehaviours},
		{"placement", placementBehaviours},
		{"pods", podBehaviours},
		{"workloads", workloadBehaviours},
		{"batches", batchBehaviours},
	} {
		for _, b := range subject.cases {
			t.Run(subject.name+"/"+b.name, func(t *testing.T) {
				t.Parallel()
				onEveryBackend(t, b.test)
			})
		}
	}
}

// The times to live that the suite uses, in seconds: further apart than ttlSlack.
const (
	soon  = 120
	later = 900
)

// linkState is everything that the executor and the store say of one link.
type linkState struct {
	pod        int    // GetLinkedPod
	persistent int    // GetLinkedPodIfPersist
	listed     bool   // in GetLinkService, with the same pod
	ttl        string // of the key; "" without one
}

func persistentTo(pod int) linkState { return linkState{pod, pod, true, "no ttl"} }

func temporaryTo(pod int, ttl string) linkState { return linkState{pod, -1, false, ttl} }

var unlinked = linkState{-1, -1, false, ""}

const (
	ttlSoon  = "ttl 120 s"
	ttlLater = "ttl 900 s"
)

// requireLink compares what all reading methods, and the store, say of a link.
func (s *stage) requireLink(t *testing.T, uid, service string, want linkState) {
	t.Helper()
	pod, err := s.GetLinkedPod(s.ctx, s.ns, uid, service)
	require.NoError(t, err)
	persistent, err := s.GetLinkedPodIfPersist(s.ctx, s.ns, uid, service)
	require.NoError(t, err)
	services, err := s.GetLinkService(s.ctx, s.ns, uid)
	require.NoError(t, err)
	listedPod, listed := services[service]
	if listed {
		require.Equal(t, pod, listedPod, "pod in the list")
	}
	require.Equal(t, want, linkState{pod, persistent, listed, s.linkTTL(t, uid, service)})
}

func (s *stage) linkTTL(t *testing.T, uid, service string) string {
	t.Helper()
	left, err := s.raw().PTTL(s.ctx, s.keys.Link(s.ns, uid, service)).Result()
	require.NoError(t, err)
	if left == -2 {
		return ""
	}
	return ttlClass(left, soon, later)
}

// link makes a link that a test starts from.
func (s *stage) link(t *testing.T, uid, service string, pod, persist int) {
	t.Helper()
	_, err := s.SetLinkedPod(s.ctx, s.ns, uid, service, pod, persist)
	require.NoError(t, err)
}

// eventually polls for a condition that time brings about, for 20 s at most.
func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !condition(); <-tick.C {
		require.Less(t, time.Since(begin), 20*time.Second, "in vain: %s", what)
	}
}
