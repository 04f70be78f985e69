package statelink_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/scripts"
)

// refusing is a body of TrySetLink that refuses everybody in favour of pod 99.
var refusing = redismanager.Script{Name: scripts.TrySetLink, Source: "#!lua\nreturn {'99', '99'}\n"}

// A pushed body serves the executor's calls, for the namespace's followers only.
func TestFollowScripts(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, s *stage) {
		exec, err := statelink.Open(s.ctx, *s.Manager().GetConfig()) // other tests need theirs as it is
		require.NoError(t, err)
		defer func() { require.NoError(t, exec.Close()) }()
		stop, err := exec.FollowScripts(s.ctx, s.ns)
		require.NoError(t, err)
		defer stop()
		owner := func() int {
			_, current, err := exec.TrySetLinkedPod(s.ctx, s.ns, "alice", "chat", 1, statelink.PersistForever)
			require.NoError(t, err)
			return current
		}
		require.Equal(t, 1, owner())
		change, err := s.PushScript(s.ctx, s.ns, redismanager.ScriptPush{Script: refusing})
		require.NoError(t, err)
		require.Equal(t, 2, change.Version)
		require.Eventually(t, func() bool { return owner() == 99 }, 5*time.Second, 10*time.Millisecond)
		_, err = statelink.NewExecutor(exec.Manager())
		require.NoError(t, err, "a second executor on the manager changes nothing")
		require.Equal(t, 99, owner())

		state, err := s.FleetScripts(s.ctx, s.ns)
		require.NoError(t, err)
		require.Equal(t, 2, state.Version(scripts.TrySetLink))
		require.Len(t, state.Processes, 1)
		change, err = s.RollbackScript(s.ctx, s.ns, redismanager.FleetRollback{Name: scripts.TrySetLink})
		require.NoError(t, err)
		require.Equal(t, 1, change.Version)
		require.Eventually(t, func() bool { return owner() == 1 }, 5*time.Second, 10*time.Millisecond)
	})
}

func TestFollowScriptsArguments(t *testing.T) {
	t.Parallel()
	s := newStage(t, backendNamed(t, "embedded").executor(t))
	_, follow := s.FollowScripts(s.ctx, "a:b")
	_, push := s.PushScript(s.ctx, "", redismanager.ScriptPush{Script: refusing})
	_, back := s.RollbackScript(s.ctx, "a}", redismanager.FleetRollback{Name: scripts.TrySetLink})
	_, read := s.FleetScripts(s.ctx, strings.Repeat("x", 254))
	for i, err := range []error{follow, push, back, read} {
		var refusal *redismanager.FieldError
		require.True(t, errors.As(err, &refusal), i)
		require.Equal(t, "namespace", refusal.Field)
	}
}
