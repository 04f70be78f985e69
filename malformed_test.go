package statelink_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
)

// notPods are link values that other programs might leave.
var notPods = []string{
	"", "abc", "007", "00", "-0", "-2", "+3", " 3", "3 ", "3.0", "3e0", "0x3", "3\n", "٣", "\xff", "2147483648", "-2147483649",
	"9223372036854775808", "99999999999999999999", "pod-3", strings.Repeat("3", 64<<10),
}

// podReader is a method that gives a pod.
type podReader struct {
	name  string
	pod   func(s *stage) (int, error)
	silly bool // "-1" in a link looks like no link to it
}

var podReaders = []podReader{
	{name: "GetLinkedPod", pod: func(s *stage) (int, error) { return s.GetLinkedPod(s.ctx, s.ns, "alice", "chat") }},
	{name: "GetLinkedPodIfPersist", silly: true, pod: func(s *stage) (int, error) { return s.GetLinkedPodIfPersist(s.ctx, s.ns, "alice", "chat") }},
	{name: "SetLinkedPodIfAbsent", pod: func(s *stage) (int, error) { return s.SetLinkedPodIfAbsent(s.ctx, s.ns, "alice", "chat", 3, forever) }},
	{name: "TrySetLinkedPod", pod: func(s *stage) (int, error) {
		ok, pod, err := s.TrySetLinkedPod(s.ctx, s.ns, "alice", "chat", 3, forever)
		if ok {
			return math.MaxInt, fmt.Errorf("ok, with pod %d and %w", pod, err)
		}
		return pod, err
	}},
	{name: "ComputeLinkedPodIfAbsent", pod: func(s *stage) (int, error) {
		return s.ComputeLinkedPodIfAbsent(s.ctx, s.ns, "alice", "chat", forever)
	}},
	{name: "BatchGetLinkedPod", pod: func(s *stage) (int, error) {
		byPod, err := s.BatchGetLinkedPod(s.ctx, s.ns, []string{"bob", "alice"}, "chat")
		if byPod != nil {
			return math.MaxInt, fmt.Errorf("a partial result %v and %w", byPod, err)
		}
		return statelink.NoPod, err
	}},
}

// TestMalformedLink: a link value that is no pod index is an error about that
// uid, never a pod, and stays for someone to look at.
func TestMalformedLink(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, s *stage) {
		s.report(t, 3, 0, ready)
		for _, value := range append(notPods, "-1") {
			require.NoError(t, s.raw().Set(s.ctx, s.keys.Link(s.ns, "alice", "chat"), value, 0).Err())
			before := s.stored(t)
			for _, read := range podReaders {
				pod, err := read.pod(s)
				require.Equal(t, statelink.NoPod, pod, "%s of %.20q", read.name, value)
				if value == "-1" && read.silly {
					continue
				}
				requireMalformed(t, err, `uid "alice"`, "%s of %.20q", read.name, value)
			}
			removed, err := s.RemoveLinkedPodWithId(s.ctx, s.ns, "alice", "chat", forever, 3)
			require.NoError(t, err)
			require.False(t, removed)
			require.Equal(t, before, s.stored(t))
		}
	})
}

// TestMalformedLinkIsRepaired: whoever sets or removes a link wins over rubbish.
func TestMalformedLinkIsRepaired(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, s *stage) {
		for _, value := range append(notPods, "-1") {
			require.NoError(t, s.raw().Set(s.ctx, s.keys.Link(s.ns, "alice", "chat"), value, 0).Err())
			s.requireRemove(t, forever, true)
			s.requireLink(t, "alice", "chat", unlinked)

			require.NoError(t, s.raw().Set(s.ctx, s.keys.Link(s.ns, "alice", "chat"), value, 0).Err())
			s.requireSet(t, 3, forever, statelink.NoPod)
			s.requireLink(t, "alice", "chat", persistentTo(3))

			require.NoError(t, s.raw().Set(s.ctx, s.keys.Link(s.ns, "alice", "chat"), value, time.Minute).Err())
			s.requireTry(t, 4, forever, true, 4) // a temporary link gives way, whatever it holds
			s.requireLink(t, "alice", "chat", persistentTo(4))
		}
	})
}

// TestMalformedList: the same for the list of a user's services.
func TestMalformedList(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, s *stage) {
		s.link(t, "alice", "game", 5, forever)
		for _, value := range append(notPods, "-1") {
			require.NoError(t, s.raw().HSet(s.ctx, s.keys.User(s.ns, "alice"), "chat", value).Err())
			services, err := s.GetLinkService(s.ctx, s.ns, "alice")
			require.Nil(t, services, "%.20q", value)
			requireMalformed(t, err, `uid "alice"`, "%.20q", value)
			require.ErrorContains(t, err, `"chat"`)
		}
		s.requireSet(t, 3, forever, statelink.NoPod) // the link is the truth, the list follows
		s.requireLink(t, "alice", "chat", persistentTo(3))
	})
}

func requireMalformed(t *testing.T, err error, about, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	require.ErrorIs(t, err, statelink.ErrMalformedData, what)
	require.ErrorContains(t, err, about, what)
	require.False(t, statelink.Retryable(err), what)
	require.Less(t, len(err.Error()), 500, what)
}

// TestWrongType puts a list in the place of each key in turn: every method that
// needs the key refuses, names whom it is about and changes nothing.
func TestWrongType(t *testing.T) {
	t.Parallel()
	for _, planted := range []struct {
		key   string
		at    func(s *stage) string
		about string
		fails []string
	}{
		{"link", func(s *stage) string { return s.keys.Link(s.ns, "alice", "chat") }, `alice`, []string{
			"SetLinkedPod", "TrySetLinkedPod", "SetLinkedPodIfAbsent", "GetLinkedPod", "GetLinkedPodIfPersist",
			"BatchGetLinkedPod", "RemoveLinkedPod", "RemoveLinkedPodWithId", "ComputeLinkedPodIfAbsent",
		}},
		{"user", func(s *stage) string { return s.keys.User(s.ns, "alice") }, `alice`, []string{
			"SetLinkedPod", "TrySetLinkedPod", "SetLinkedPodIfAbsent", "RemoveLinkedPod", "GetLinkService",
		}},
		{"state", func(s *stage) string { return s.keys.State(s.ns, "chat") }, `chat`, []string{
			"SetServiceState", "ReportPodState", "GetServiceState", "PodStates", "ReadyPods", "ComputeLinkedPodIfAbsent",
		}},
		{"workload", func(s *stage) string { return s.keys.Workload(s.ns, "chat") }, `chat`, []string{
			"GetWorkloadState", "GetWorkloadStateBatch",
		}},
	} {
		t.Run(planted.key, func(t *testing.T) {
			t.Parallel()
			onEveryBackend(t, func(t *testing.T, s *stage) {
				if planted.key != "state" {
					s.report(t, 3, 0, ready)
				}
				require.NoError(t, s.raw().RPush(s.ctx, planted.at(s), "x").Err())
				before := s.stored(t)
				for _, m := range methods {
					if !slices.Contains(planted.fails, m.name) {
						continue
					}
					err := m.call(s.ctx, s.Executor, validParams(s.ns))
					require.ErrorIs(t, err, statelink.ErrWrongType, m.name)
					require.Equal(t, "wrong_type", string(statelink.Classify(err)), m.name)
					require.False(t, statelink.Retryable(err), m.name)
					require.ErrorContains(t, err, planted.about, m.name)
					require.Equal(t, before, s.stored(t), m.name)
				}
			})
		})
	}
}
