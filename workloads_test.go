package statelink_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var workloadBehaviours = []behaviour{
	{"no word", func(t *testing.T, s *stage) {
		s.requireWorkload(t, "chat", "")
		require.Empty(t, s.stored(t))
	}},
	{"set and replace", func(t *testing.T, s *stage) {
		for _, word := range []string{"running", "upgrading", "0", " ", "zurück – 停止 🚦", `{"step":1}`, strings.Repeat("w", 1024)} {
			require.NoError(t, s.SetWorkloadState(s.ctx, s.ns, "chat", word))
			s.requireWorkload(t, "chat", word)
		}
		require.Len(t, s.stored(t), 1)
	}},
	{"words are apart by service and namespace", func(t *testing.T, s *stage) {
		require.NoError(t, s.SetWorkloadState(s.ctx, s.ns, "chat", "running"))
		require.NoError(t, s.SetWorkloadState(s.ctx, s.ns, "chat.eu", "stopped"))
		require.NoError(t, s.SetWorkloadState(s.ctx, s.ns+"-b", "chat", "failed"))
		s.requireWorkload(t, "chat", "running")
		s.requireWorkload(t, "chat.eu", "stopped")
		s.requireWorkload(t, "game", "")
	}},
	{"batch of 3,000 services", func(t *testing.T, s *stage) {
		var services []string
		want := map[string]string{}
		for i := range 3000 {
			service := fmt.Sprintf("svc-%04d", i)
			services = append(services, service)
			if i%3 > 0 {
				want[service] = fmt.Sprintf("word %d", i)
				require.NoError(t, s.SetWorkloadState(s.ctx, s.ns, service, want[service]))
			}
		}
		got, err := s.GetWorkloadStateBatch(s.ctx, s.ns, append(services, services[1], services[0]))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}},
	{"empty batch", func(t *testing.T, s *stage) {
		for _, none := range [][]string{nil, {}} {
			got, err := s.GetWorkloadStateBatch(s.ctx, s.ns, none)
			require.NoError(t, err)
			require.Equal(t, map[string]string{}, got)
		}
	}},
}

func (s *stage) requireWorkload(t *testing.T, service, want string) {
	t.Helper()
	got, err := s.GetWorkloadState(s.ctx, s.ns, service)
	require.NoError(t, err)
	require.Equal(t, want, got)
}
