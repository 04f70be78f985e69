package redismanager_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// A script may answer with an error code that Redis also uses when it refuses
// to start a command. The script ran: it must not run again, and the caller
// must not be told that it surely did not.
func TestScriptsOwnErrorCodeIsNoRefusal(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		for _, code := range []string{"TRYAGAIN", "LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "BUSY", "NOREPLICAS", "MISCONF", "NOPERM", "OOM", "MOVED", "ASK", "NOSCRIPT"} {
			ctx, key := within(t, 5*time.Second), redistest.NewPrefix(t)
			script := fmt.Sprintf("redis.call('INCR', KEYS[1])\nreturn redis.error_reply('%s of my own')", code)
			_, err := m.ExecuteScript(ctx, script, []string{key}, nil)
			require.Equal(t, redismanager.ClassScriptRuntime, redismanager.Classify(err), "%s: %v", code, err)
			require.False(t, redismanager.Retryable(err), code)
			require.Equal(t, 1, counterValue(ctx, t, m, key), "executions of a script that answers %s", code)
		}
	})
}

// A key that the script does not declare, in another slot.
func TestUndeclaredKeyOfAnotherSlot(t *testing.T) {
	m := open(t, topologies[2].config(t))
	_, err := m.ExecuteScript(within(t, time.Second), "#!lua\nreturn redis.call('GET', '{b}')", []string{"{a}"}, nil)
	require.Equal(t, redismanager.ClassCrossSlot, redismanager.Classify(err), "%v", err)
	require.NotContains(t, err.Error(), "\n")
}

func TestWrongShebangDoesNotCompile(t *testing.T) {
	m := open(t, topologies[0].config(t))
	for _, first := range []string{"#!lua flags=no-such", "#!lua options=x", "#!python"} {
		_, err := m.ExecuteScript(within(t, time.Second), first+"\nreturn 1", []string{"k"}, nil)
		require.Equal(t, redismanager.ClassScriptCompile, redismanager.Classify(err), "%s: %v", first, err)
	}
}
