package statelink_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
)

var batchBehaviours = []behaviour{
	{"of 5,000 uids", func(t *testing.T, s *stage) {
		uids, want := s.plantLinks(t, 5000)
		got, err := s.BatchGetLinkedPod(s.ctx, s.ns, uids, "chat")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}},
	{"of 5,000 uids, each given three times", func(t *testing.T, s *stage) {
		uids, want := s.plantLinks(t, 5000)
		given := slices.Concat(uids, uids)
		slices.Reverse(given[len(uids):])
		got, err := s.BatchGetLinkedPod(s.ctx, s.ns, append(given, uids...), "chat")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}},
	{"of links made in every way", func(t *testing.T, s *stage) {
		s.link(t, "persistent", "chat", 0, forever)
		s.link(t, "temporary", "chat", 0, soon)
		s.link(t, "elsewhere", "game", 0, forever)
		s.link(t, "removed", "chat", 1, forever)
		_, err := s.RemoveLinkedPod(s.ctx, s.ns, "removed", "chat", 0)
		require.NoError(t, err)
		s.link(t, "leaving", "chat", 1, forever)
		_, err = s.RemoveLinkedPod(s.ctx, s.ns, "leaving", "chat", soon)
		require.NoError(t, err)

		got, err := s.BatchGetLinkedPod(s.ctx, s.ns, []string{"temporary", "elsewhere", "persistent", "removed", "leaving"}, "chat")
		require.NoError(t, err)
		require.Equal(t, map[int][]string{0: {"temporary", "persistent"}, 1: {"leaving"}, -1: {"elsewhere", "removed"}}, got)
	}},
	{"of nobody", func(t *testing.T, s *stage) {
		for _, none := range [][]string{nil, {}} {
			got, err := s.BatchGetLinkedPod(s.ctx, s.ns, none, "chat")
			require.NoError(t, err)
			require.Equal(t, map[int][]string{}, got)
		}
		require.Empty(t, s.stored(t))
	}},
}

// plantLinks stores links of some of n uids in the stored form, the others
// among them, and gives what a batch must answer.
func (s *stage) plantLinks(t *testing.T, n int) (uids []string, want map[int][]string) {
	t.Helper()
	want = map[int][]string{}
	pipe := s.raw().Pipeline()
	for i := range n {
		uid, pod := fmt.Sprintf("user-%d@example.org", i), statelink.NoPod
		if i%5 != 4 {
			pod = i % 7
			pipe.Set(s.ctx, s.keys.Link(s.ns, uid, "chat"), strconv.Itoa(pod), 10*time.Minute)
		}
		uids = append(uids, uid)
		want[pod] = append(want[pod], uid)
	}
	_, err := pipe.Exec(s.ctx)
	require.NoError(t, err)
	require.Len(t, want, 8, "seven pods and those without a link")
	return uids, want
}
