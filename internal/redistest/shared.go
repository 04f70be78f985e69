package redistest

import (
	"sync"
	"testing"
)

// shared is a topology that the tests of one binary have in common. It is
// started by the first test that asks for it and stopped by Main.
type shared[T interface{ close() }] struct {
	name  string
	start func(config) (T, error)

	mu      sync.Mutex
	started bool
	value   T
	err     error
}

var (
	sharedStandalone = &shared[*Server]{name: "server", start: startServer}
	sharedSentinel   = &shared[*SentinelSet]{name: "sentinel set", start: startSentinel}
	sharedCluster    = &shared[*Cluster]{name: "cluster", start: startCluster}
)

// SharedStandalone returns the server that the tests of this binary share. A
// test must use keys of its own (NewPrefix) and leave the server as it is.
func SharedStandalone(tb testing.TB) *Server {
	tb.Helper()
	return sharedStandalone.get(tb)
}

// SharedSentinel returns the Sentinel set that the tests of this binary share.
// A test that makes it fail over must restart what it killed; the next caller
// waits until the set is whole.
func SharedSentinel(tb testing.TB) *SentinelSet {
	tb.Helper()
	set := sharedSentinel.get(tb)
	set.WaitReady(tb)
	return set
}

// SharedCluster returns the Cluster that the tests of this binary share. A test
// that makes it fail over must restart what it killed; the next caller waits
// until the cluster is whole.
func SharedCluster(tb testing.TB) *Cluster {
	tb.Helper()
	c := sharedCluster.get(tb)
	c.WaitReady(tb)
	return c
}

// get starts the topology once. A failure is kept: every test that asks fails
// with the same reason, and no test waits for a second attempt.
func (s *shared[T]) get(tb testing.TB) T {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		s.started = true
		s.value, s.err = s.start(config{})
	}
	if s.err != nil {
		tb.Fatalf("redistest: start shared %s: %v", s.name, s.err)
	}
	return s.value
}

func (s *shared[T]) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started && s.err == nil {
		s.value.close()
	}
	s.started = false
}

func stopShared() {
	sharedStandalone.stop()
	sharedSentinel.stop()
	sharedCluster.stop()
}
