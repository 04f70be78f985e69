package redismanager

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
)

// An update that waited for its turn behind the change of configuration that
// switches updates off changes nothing.
func TestSwitchedOffWhileAnUpdateWaits(t *testing.T) {
	first := Script{Name: "first", Source: "#!lua\nreturn 'one'\n"}
	m, err := New(t.Context(), RedisConfig{Addr: redistest.SharedStandalone(t).Addr(), DisableScriptUpdates: true}, WithScripts(first))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	second := Script{Name: "first", Source: "#!lua\nreturn 'two'\n"}
	err = m.switchNow(t.Context(), scriptSwitch{
		name: "first", kind: EventScriptUpdated,
		pick: func(h *scriptHistory) (*scriptEntry, error) { return h.updated(second), nil },
	})
	require.ErrorIs(t, err, ErrScriptUpdatesOff)
	source, err := m.LoadScript(t.Context(), "first")
	require.NoError(t, err)
	require.Equal(t, first.Source, source)
}
