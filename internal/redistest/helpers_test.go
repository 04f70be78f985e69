package redistest

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// exists says whether the kernel knows the process. One that we started and
// that has ended is unknown, because it was reaped.
func exists(pid int) bool {
	return pid > 0 && syscall.Kill(pid, 0) == nil
}

func requireGone(t *testing.T, pids ...int) {
	t.Helper()
	require.NotEmpty(t, pids)
	for _, pid := range pids {
		require.NotZero(t, pid)
		require.False(t, exists(pid), "process %d still runs", pid)
	}
}

// requireRunning guards requireGone against a wrong pid.
func requireRunning(t *testing.T, s *Server) {
	t.Helper()
	require.True(t, exists(s.PID()))
}

func pids(servers []*Server) []int {
	list := make([]int, len(servers))
	for i, s := range servers {
		list[i] = s.PID()
	}
	return list
}
