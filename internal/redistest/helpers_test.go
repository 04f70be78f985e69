package redistest

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// requireGone waits until no such process runs. A zombie counts as gone: it
// waits for a reaper that is not us.
func requireGone(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		require.NotZero(t, pid)
		require.Eventually(t, func() bool {
			state := processState(pid)
			return state == 0 || state == 'Z'
		}, 5*time.Second, 5*time.Millisecond, "process %d still runs", pid)
	}
}

// requireRunning guards the checks above against a wrong pid.
func requireRunning(t *testing.T, s *Server) {
	t.Helper()
	name, err := os.ReadFile("/proc/" + strconv.Itoa(s.PID()) + "/comm")
	require.NoError(t, err)
	require.Equal(t, "redis-server", strings.TrimSpace(string(name)))
}

func pids(servers []*Server) []int {
	list := make([]int, len(servers))
	for i, s := range servers {
		list[i] = s.PID()
	}
	return list
}
