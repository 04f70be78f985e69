package redistest

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A test binary that is killed runs no cleanup; its servers must die all the same.
func TestServerDiesWithTestBinary(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVar+"=serve", "TMPDIR="+t.TempDir())
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err, line)
	require.True(t, exists(pid))

	require.NoError(t, child.Process.Kill())
	_ = child.Wait()
	require.Eventually(t, func() bool {
		state := processState(pid)
		return state == 0 || state == 'Z' // a zombie waits for a reaper that is not us
	}, 5*time.Second, 5*time.Millisecond, "process %d still runs", pid)
}
