package redistest

import (
	"errors"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSharedStartsOnce(t *testing.T) {
	require.Same(t, SharedStandalone(t), SharedStandalone(t))
	require.Same(t, SharedSentinel(t), SharedSentinel(t))
	require.Same(t, SharedCluster(t), SharedCluster(t))
}

// fakeTB records the failure that would end a test.
type fakeTB struct {
	testing.TB
	failed string
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.failed = format
	panic(args[len(args)-1])
}

func TestSharedKeepsTheReasonOfAFailure(t *testing.T) {
	starts := 0
	reason := errors.New("no room")
	s := &shared[*Server]{name: "server", start: func(config) (*Server, error) {
		starts++
		return nil, reason
	}}
	for range 2 {
		require.PanicsWithError(t, reason.Error(), func() { s.get(&fakeTB{TB: t}) })
	}
	require.Equal(t, 1, starts)
	s.stop() // has nothing to stop
}

func TestSharedStop(t *testing.T) {
	s := &shared[*Server]{name: "server", start: startServer}
	pid := s.get(t).PID()
	s.stop()
	requireGone(t, pid)
	again := s.get(t).PID()
	require.NotEqual(t, pid, again)
	s.stop()
	requireGone(t, again)
}

func TestNewPrefix(t *testing.T) {
	a, b := NewPrefix(t), NewPrefix(t)
	require.NotEqual(t, a, b)
	require.Regexp(t, regexp.MustCompile("^[a-z0-9]+$"), a)
}
