package scripts_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/scripts"
)

var names = []string{
	scripts.ComputeLinkIfAbsent, scripts.GetLinkIfPersist, scripts.GetLinkService, scripts.GetService,
	scripts.GetServicePod, scripts.RemoveLink, scripts.RemoveLinkWithId, scripts.SetLink,
	scripts.SetLinkIfAbsent, scripts.SetState, scripts.TrySetLink,
}

var readers = []string{
	scripts.GetLinkIfPersist, scripts.GetLinkService, scripts.GetService, scripts.GetServicePod,
}

func TestFolderAndTableHoldTheSameScripts(t *testing.T) {
	t.Parallel()
	entries, err := scripts.EmbeddedScripts.ReadDir(".")
	require.NoError(t, err)
	var files, listed []string
	for _, e := range entries {
		files = append(files, strings.TrimSuffix(e.Name(), ".lua"))
	}
	for _, s := range scripts.All() {
		listed = append(listed, s.Name)
	}
	require.Equal(t, names, files)
	require.Equal(t, names, listed)
}

func TestOnlyReadersMayBeRepeated(t *testing.T) {
	t.Parallel()
	for _, s := range scripts.All() {
		require.Equal(t, slices.Contains(readers, s.Name), s.ReadOnly, s.Name)
		require.Equal(t, s.ReadOnly, s.Idempotent, s.Name)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	for _, want := range scripts.All() {
		got, ok := scripts.Get(want.Name)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	for _, name := range []string{"", "statefulSetLin", "statefulSetLink.lua", "StatefulSetLink"} {
		_, ok := scripts.Get(name)
		require.False(t, ok, name)
	}
}

func TestCallersOwnWhatTheyGet(t *testing.T) {
	t.Parallel()
	want := scripts.All()
	spoiled := scripts.All()
	spoiled[0].Keys[0], spoiled[0].Args[0] = "x", "x"
	one, _ := scripts.Get(want[0].Name)
	one.Keys[0], one.Args[0] = "y", "y"
	require.Equal(t, want, scripts.All())
}

var headerLine = regexp.MustCompile(`(?m)^-- (KEYS|ARGV)\[(\d+)\] (\w+) +\S.*$`)

// TestHeadersAgreeWithTable reads the contract in the comments as a caller would.
func TestHeadersAgreeWithTable(t *testing.T) {
	t.Parallel()
	for _, s := range scripts.All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			header, body, found := strings.Cut(s.Source, "\n\n")
			require.True(t, found, "an empty line ends the header")

			var want, got []string
			for i, key := range s.Keys {
				want = append(want, fmt.Sprintf("KEYS[%d] %s", i+1, key))
			}
			for i, arg := range s.Args {
				want = append(want, fmt.Sprintf("ARGV[%d] %s", i+1, arg))
			}
			for _, m := range headerLine.FindAllStringSubmatch(header, -1) {
				got = append(got, fmt.Sprintf("%s[%s] %s", m[1], m[2], m[3]))
			}
			require.Equal(t, want, got)

			require.Regexp(t, `^#!lua( flags=(no-writes|allow-oom))?\n-- [A-Z].*\.\n--\n-- KEYS`, header)
			require.Regexp(t, `\n-- Returns \{`, header)
			require.Regexp(t, `^[A-Z][^\n]+\.$`, s.Doc)
			require.Contains(t, header, "\n-- "+s.Doc+"\n")
			requireBound(t, body, "KEYS", s.Keys)
			requireBound(t, body, "ARGV", s.Args)
		})
	}
}

// requireBound proves that KEYS or ARGV is read once, into locals with the names of the table.
func requireBound(t *testing.T, body, array string, names []string) {
	t.Helper()
	require.Equal(t, len(names), strings.Count(body, array))
	if len(names) == 0 {
		return
	}
	var values []string
	for i := range names {
		values = append(values, fmt.Sprintf(`(tonumber\()?%s\[%d\]\)?`, array, i+1))
	}
	line := `(?m)^local ` + strings.Join(names, ", ") + ` = ` + strings.Join(values, ", ") + `$`
	require.Regexp(t, line, body)
}

var redisCall = regexp.MustCompile(`redis\.call\('([A-Z]+)'(?:, (\w+))?`)

// commands lists what a script asks of Redis, in order of first use.
func commands(s scripts.Script) []string {
	var list []string
	for _, m := range redisCall.FindAllStringSubmatch(s.Source, -1) {
		if !slices.Contains(list, m[1]) {
			list = append(list, m[1])
		}
	}
	return list
}

var writes = []string{"SET", "HSET", "DEL", "HDEL", "EXPIRE"}

func TestKeysOfCallsAreDeclaredKeys(t *testing.T) {
	t.Parallel()
	reads := []string{"GET", "HGET", "HGETALL", "PTTL"}
	for _, s := range scripts.All() {
		calls := redisCall.FindAllStringSubmatch(s.Source, -1)
		require.Len(t, calls, strings.Count(s.Source, "redis."), "%s: only redis.call with a literal command", s.Name)
		for _, call := range calls {
			command, key := call[1], call[2]
			if command == "TIME" {
				require.Empty(t, key)
				continue
			}
			require.Contains(t, s.Keys, key, "%s: %s", s.Name, command)
			if s.ReadOnly {
				require.Contains(t, reads, command, s.Name)
			} else {
				require.Contains(t, slices.Concat(reads, writes), command, s.Name)
			}
		}
	}
}

// TestSetBlocksAreTheSame keeps the four copies of "set the link" from drifting apart.
func TestSetBlocksAreTheSame(t *testing.T) {
	t.Parallel()
	block := func(name string) string {
		s, ok := scripts.Get(name)
		require.True(t, ok)
		_, after, found := strings.Cut(s.Source, "-- SET goes first")
		require.True(t, found, name)
		text, _, found := strings.Cut(after, "\n\n")
		require.True(t, found, name)
		return text
	}
	want := block(scripts.SetLink)
	require.Equal(t, want, block(scripts.SetLinkIfAbsent))
	require.Equal(t, want, block(scripts.TrySetLink))
	require.Equal(t, want, strings.ReplaceAll(block(scripts.ComputeLinkIfAbsent), "candidate", "pod"))
}
