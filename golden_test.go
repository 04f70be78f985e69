package statelink_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
)

// The golden files are the public format of the stored data, that programs in
// other languages read and write. They are written by hand: no test records
// them, so that a change of the format cannot slip through.

const oddUID = `room:7/ü "x"`

// TestGoldenStore runs fixed calls and compares all that is stored.
func TestGoldenStore(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, s *stage) {
		begin := s.serverTime(t)
		s.makeGoldenLinks(t)
		require.Equal(t, golden(t, "links"), s.describe(t, begin))
		s.removeGoldenLinks(t)
		require.Equal(t, golden(t, "removed"), s.describe(t, begin))
	})
}

// makeGoldenLinks reaches each kind of key and each way to write it.
func (s *stage) makeGoldenLinks(t *testing.T) {
	t.Helper()
	s.link(t, "alice", "chat", 4, soon)
	s.link(t, "alice", "chat", 0, forever)
	s.link(t, "alice", "game.v2", 12, forever)
	s.link(t, "alice", "voice", 3, forever)
	s.link(t, "alice", "voice", 3, later)
	s.link(t, "bob", "chat", statelink.MaxPod, soon)
	s.link(t, oddUID, "chat", 5, forever)
	require.NoError(t, s.SetServiceState(s.ctx, s.ns, "chat", 0, "10-0-1"))
	s.report(t, 1, statelink.MaxLoad, draining)
	s.report(t, 12, 0, unavailable)
	_, _, err := s.TrySetLinkedPod(s.ctx, s.ns, "carol", "chat", 1, forever)
	require.NoError(t, err)
	_, _, err = s.TrySetLinkedPod(s.ctx, s.ns, "carol", "chat", 2, forever)
	require.NoError(t, err)
	require.NoError(t, s.SetWorkloadState(s.ctx, s.ns, "chat", "zurück – 2"))
	_, err = s.SetLinkedPodIfAbsent(s.ctx, s.ns+"-b", "alice", "chat", 9, forever)
	require.NoError(t, err)
	require.NoError(t, s.SetWorkloadState(s.ctx, s.ns+"-b", "chat", "stopped"))
}

func (s *stage) removeGoldenLinks(t *testing.T) {
	t.Helper()
	_, err := s.RemoveLinkedPod(s.ctx, s.ns, "alice", "chat", 0)
	require.NoError(t, err)
	_, err = s.RemoveLinkedPodWithId(s.ctx, s.ns, "alice", "voice", forever, 4)
	require.NoError(t, err)
	_, err = s.RemoveLinkedPod(s.ctx, s.ns, oddUID, "chat", forever)
	require.NoError(t, err)
	_, err = s.RemoveLinkedPodWithId(s.ctx, s.ns, "carol", "chat", soon, 1)
	require.NoError(t, err)
	s.report(t, 1, 4, ready)
	_, err = s.RemoveLinkedPod(s.ctx, s.ns, "bob", "chat", forever)
	require.NoError(t, err)
	s.requirePlaced(t, "bob", forever, 1)
	require.NoError(t, s.SetWorkloadState(s.ctx, s.ns, "chat", "running"))
}

func golden(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".golden")
	require.NoError(t, err)
	return string(text)
}

// describe writes down all keys of the stage in the form of the golden files.
func (s *stage) describe(t *testing.T, begin time.Time) string {
	t.Helper()
	found := s.stored(t)
	end := s.serverTime(t)
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(found)) {
		e := found[key]
		lines := []string{key, fmt.Sprintf("  %s, %s", e.kind, ttlClass(e.ttl, soon, later))}
		if e.kind == "string" {
			lines = append(lines, "  "+strconv.QuoteToGraphic(e.text))
		}
		var fields []string
		for field, value := range e.fields {
			fields = append(fields, fmt.Sprintf("  %q = %q", field, hideHeartbeat(t, value, begin, end)))
		}
		slices.Sort(fields)
		parts = append(parts, strings.Join(append(lines, fields...), "\n")+"\n")
	}
	return strings.ReplaceAll(strings.Join(parts, "\n"), s.ns, "NS")
}

var storedState = regexp.MustCompile(`^(\d+)-(\d+)-([012])$`)

// hideHeartbeat checks the time in a pod's state against the server's clock.
func hideHeartbeat(t *testing.T, value string, begin, end time.Time) string {
	t.Helper()
	parts := storedState.FindStringSubmatch(value)
	if parts == nil {
		return value
	}
	ms, err := strconv.ParseInt(parts[2], 10, 64)
	require.NoError(t, err)
	require.WithinRange(t, time.UnixMilli(ms), begin, end)
	return parts[1] + "-HEARTBEAT-" + parts[3]
}

// TestForeignStore plants what the golden file describes, as a program in
// another language would, and reads it through the executor.
func TestForeignStore(t *testing.T) {
	t.Parallel()
	onEveryBackend(t, func(t *testing.T, s *stage) {
		s.plant(t, golden(t, "links"))
		s.requireLink(t, "alice", "chat", persistentTo(0))
		s.requireLink(t, "alice", "game.v2", persistentTo(12))
		s.requireLink(t, "alice", "voice", temporaryTo(3, ttlLater))
		s.requireLink(t, "bob", "chat", temporaryTo(statelink.MaxPod, ttlSoon))
		s.requireLink(t, oddUID, "chat", persistentTo(5))
		services, err := s.GetLinkService(s.ctx, s.ns, "alice")
		require.NoError(t, err)
		require.Equal(t, map[string]int{"chat": 0, "game.v2": 12}, services)
		s.requirePods(t, "0 load 10 ready", "1 load 9007199254740991 draining", "12 load 0 unavailable")
		s.requireWorkload(t, "chat", "zurück – 2")

		s.requireTry(t, 3, forever, false, 0)
		s.requireSet(t, 0, forever, 0)
		require.Equal(t, golden(t, "links"), s.describe(t, time.Now().Add(-time.Minute)))
		s.requirePlaced(t, "dave", forever, 0)
	})
}

var goldenField = regexp.MustCompile(`^  (?:("[^=]*") = )?(".*")$`)

// plant stores what a golden text describes.
func (s *stage) plant(t *testing.T, text string) {
	t.Helper()
	heartbeat := strconv.FormatInt(time.Now().UnixMilli(), 10)
	text = strings.ReplaceAll(strings.ReplaceAll(text, "NS", s.ns), "HEARTBEAT", heartbeat)
	for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		lines := strings.Split(part, "\n")
		for _, line := range lines[2:] {
			words := goldenField.FindStringSubmatch(line)
			require.NotNil(t, words, line)
			value, err := strconv.Unquote(words[2])
			require.NoError(t, err)
			if words[1] == "" {
				require.NoError(t, s.raw().Set(s.ctx, lines[0], value, ttlOf(lines[1])).Err())
				continue
			}
			field, err := strconv.Unquote(words[1])
			require.NoError(t, err)
			require.NoError(t, s.raw().HSet(s.ctx, lines[0], field, value).Err())
		}
	}
}

func ttlOf(line string) time.Duration {
	var seconds int
	if _, err := fmt.Sscanf(line, "  string, ttl %d s", &seconds); err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
