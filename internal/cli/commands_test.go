package cli

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/scripts"
)

func TestLinkCommands(t *testing.T) {
	t.Parallel()
	sh, ns := at(standaloneURL(redistest.SharedStandalone(t))), redistest.NewPrefix(t)
	n := "-n" + ns

	r := sh.do(t, "link", "get", "alice", "room", n)
	require.Equal(t, exitAbsent, r.code)
	require.Equal(t, []string{"alice", "room", "-", "-", "-"}, rows(r.out)[1])
	require.Empty(t, r.errOut)

	require.Equal(t, []string{"alice", "room", "2", "persistent", "-"}, rows(sh.ok(t, "link", "set", "alice", "room", "2", n))[1])
	require.Equal(t, []string{"alice", "room", "2", "persistent", "never"}, rows(sh.ok(t, "link", "get", "alice", "room", n))[1])
	require.Equal(t, [][]string{{"SERVICE", "POD"}, {"room", "2"}}, rows(sh.ok(t, "link", "ls", "alice", n)))

	r = sh.do(t, "link", "try", "alice", "room", "0", n)
	require.Equal(t, exitRefused, r.code)
	require.Equal(t, []string{"alice", "room", "pod 0", "refused", "pod 2"}, rows(r.out)[1])
	require.Empty(t, r.errOut)
	require.Equal(t, []string{"alice", "room", "pod 2", "linked", "pod 2"}, rows(sh.ok(t, "link", "try", "alice", "room", "2", n))[1])

	r = sh.do(t, "link", "claim-if-absent", "alice", "room", "1", n)
	require.Equal(t, exitRefused, r.code)
	require.Equal(t, []string{"alice", "room", "pod 1", "refused", "pod 2"}, rows(r.out)[1])
	require.Equal(t, []string{"bob", "room", "pod 1", "linked", "pod 1"}, rows(sh.ok(t, "link", "claim-if-absent", "bob", "room", "1", n))[1])

	require.Equal(t, []string{"alice", "room", "1", "temporary", "2"}, rows(sh.ok(t, "link", "set", "alice", "room", "1", "--ttl", "5m", n))[1])
	require.Regexp(t, `^alice +room +1 +temporary +(5m0s|4m5\ds)\n$`, lastLine(sh.ok(t, "link", "get", "alice", "room", n)))
	require.Equal(t, [][]string{{"SERVICE", "POD"}}, rows(sh.ok(t, "link", "ls", "alice", n)))
}

func lastLine(s string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(s, "\n"), "\n")
	return lines[len(lines)-1] + "\n"
}

func TestLinkCommandsJSON(t *testing.T) {
	t.Parallel()
	sh, ns := at(standaloneURL(redistest.SharedStandalone(t))), redistest.NewPrefix(t)
	get := func(args ...string) map[string]any {
		doc := document(t, sh.do(t, append(args, "-o", "json", "-n", ns)...).out)
		require.Equal(t, ns, doc["namespace"])
		return doc
	}
	name := map[string]any{"namespace": ns, "uid": "u<1>", "service": "room"}
	with := func(more map[string]any) map[string]any {
		for k, v := range name {
			more[k] = v
		}
		return more
	}
	require.Equal(t, with(map[string]any{"linked": false, "pod": nil, "kind": nil, "expires_in_ms": nil}), get("link", "get", "u<1>", "room"))
	require.Equal(t, with(map[string]any{"pod": 0.0, "kind": "persistent", "ttl_seconds": nil, "previous_pod": nil}), get("link", "set", "u<1>", "room", "0"))
	require.Equal(t, with(map[string]any{"linked": true, "pod": 0.0, "kind": "persistent", "expires_in_ms": nil}), get("link", "get", "u<1>", "room"))
	require.Equal(t, with(map[string]any{"asked_pod": 3.0, "ok": false, "pod": 0.0}), get("link", "try", "u<1>", "room", "3"))
	require.Equal(t, with(map[string]any{"asked_pod": 0.0, "ok": true, "pod": 0.0}), get("link", "claim-if-absent", "u<1>", "room", "0"))
	require.Equal(t, []any{map[string]any{"service": "room", "pod": 0.0}}, get("link", "ls", "u<1>")["links"])
	require.Equal(t, []any{}, get("link", "ls", "nobody")["links"])
	require.Equal(t, with(map[string]any{"pod": 1.0, "kind": "temporary", "ttl_seconds": 60.0, "previous_pod": 0.0}), get("link", "set", "u<1>", "room", "1", "--ttl", "1m"))
	require.InDelta(t, 59_000, get("link", "get", "u<1>", "room")["expires_in_ms"], 2000)
	require.Equal(t, with(map[string]any{"removed": true, "only_pod": 1.0, "after_seconds": nil}), get("link", "rm", "u<1>", "room", "--pod", "1", "--yes"))
}

func TestPodCommands(t *testing.T) {
	t.Parallel()
	sh, ns := at(standaloneURL(redistest.SharedStandalone(t))), redistest.NewPrefix(t)
	n := "-n" + ns
	require.Equal(t, [][]string{{"POD", "LOAD", "ROUTING", "HEARTBEAT", "ALIVE"}}, rows(sh.ok(t, "pod", "ls", "room", n)))
	require.Equal(t, []string{"room", "0", "12", "ready"}, rows(sh.ok(t, "pod", "report", "room", "0", "--load", "12", "--routing", "ready", n))[1])
	doc := document(t, sh.ok(t, "pod", "report", "room", "10", "--load", "0", "--routing", "draining", n, "-o", "json"))
	require.Equal(t, map[string]any{"namespace": ns, "service": "room", "pod": 10.0, "load": 0.0, "routing": "draining"}, doc)

	table := sh.ok(t, "pod", "ls", "room", n)
	require.Regexp(t, `(?m)^0 +12 +ready +\S+ ago +yes$`, table)
	require.Regexp(t, `(?m)^10 +0 +draining +\S+ ago +yes$`, table)
	doc = document(t, sh.ok(t, "pod", "ls", "room", n, "-o", "json"))
	pod, _ := doc["pods"].([]any)[0].(map[string]any)
	require.Equal(t, []any{0.0, 12.0, "ready", true}, []any{pod["pod"], pod["load"], pod["routing"], pod["alive"]})
	require.GreaterOrEqual(t, pod["heartbeat_age_ms"], 0.0)
	require.NotEmpty(t, doc["server_time"])

	require.Regexp(t, `(?m)^0 .* no$`, sh.ok(t, "pod", "ls", "room", n, "--max-age", "1ns"))
}

func TestWorkloadCommands(t *testing.T) {
	t.Parallel()
	srv := redistest.SharedStandalone(t)
	sh, ns := at(standaloneURL(srv)), redistest.NewPrefix(t)
	n := "-n" + ns
	require.Equal(t, []string{"room", "upgrading now"}, rows(sh.ok(t, "workload", "set", "room", "upgrading now", n))[1])
	require.Equal(t, []string{"room", "upgrading now"}, rows(sh.ok(t, "workload", "get", "room", n))[1])
	r := sh.do(t, "workload", "get", "chat", "room", n, "-o", "json")
	require.Equal(t, exitAbsent, r.code)
	require.Equal(t, []any{
		map[string]any{"service": "chat", "state": nil}, map[string]any{"service": "room", "state": "upgrading now"},
	}, document(t, r.out)["workloads"])

	// What another program has stored must not steer the terminal.
	require.NoError(t, srv.Client(t).Set(t.Context(), "sf:{"+ns+":workload:room}", "a\x1b[31mb\nc", 0).Err())
	require.Equal(t, []string{"room", `"a\x1b[31mb\nc"`}, rows(sh.ok(t, "workload", "get", "room", n))[1])
}

func TestKeyPrefix(t *testing.T) {
	t.Parallel()
	srv := redistest.SharedStandalone(t)
	sh, ns := at(standaloneURL(srv)), redistest.NewPrefix(t)
	sh.ok(t, "link", "set", "alice", "room", "1", "--ttl", "90s", "-n", ns, "--key-prefix", "other")
	value, err := srv.Client(t).Get(t.Context(), "other:{"+ns+":lk:alice}room").Result()
	require.NoError(t, err)
	require.Equal(t, "1", value)
	sh.env = append(sh.env, "STATELINK_KEY_PREFIX=other", "STATELINK_NAMESPACE="+ns)
	require.Contains(t, sh.ok(t, "link", "get", "alice", "room"), "1m30s")
}

func TestRemoveAsks(t *testing.T) {
	t.Parallel()
	url, ns := standaloneURL(redistest.SharedStandalone(t)), redistest.NewPrefix(t)
	set := func() { at(url).ok(t, "link", "set", "alice", "room", "2", "-n", ns) }
	set()
	rm := []string{"link", "rm", "alice", "room", "-n", ns}
	r := at(url).do(t, rm...)
	require.Equal(t, exitUsage, r.code)
	require.Equal(t, "statelink: removing needs --yes where no terminal is there to ask\nsee 'statelink link rm --help'\n", r.errOut)

	for _, answer := range []string{"n\n", "\n", ""} {
		r = shell{env: at(url).env, terminal: true, stdin: answer}.do(t, rm...)
		require.Equal(t, exitFailed, r.code)
		require.Empty(t, r.out)
		require.Equal(t, "Remove the link of alice, service room, namespace "+ns+"? [y/N] statelink: not confirmed, nothing was removed\n", r.errOut)
	}
	at(url).ok(t, "link", "get", "alice", "room", "-n", ns)

	r = shell{env: at(url).env, terminal: true, stdin: "Y\n"}.do(t, rm...)
	require.Zero(t, r.code)
	require.Equal(t, []string{"alice", "room", "now"}, rows(r.out)[1])
	require.Equal(t, exitAbsent, at(url).do(t, "link", "get", "alice", "room", "-n", ns).code)

	set()
	yes := append(slices.Clone(rm), "--yes")
	r = at(url).do(t, append(yes, "--pod", "3")...)
	require.Equal(t, exitAbsent, r.code)
	require.Equal(t, []string{"alice", "room", "no: not linked to pod 3"}, rows(r.out)[1])
	require.Equal(t, []string{"alice", "room", "in 30s"}, rows(at(url).ok(t, append(yes, "--pod", "2", "--after", "30s")...))[1])
	require.Contains(t, at(url).ok(t, "link", "get", "alice", "room", "-n", ns), "temporary")
	require.Equal(t, []string{"alice", "room", "now"}, rows(at(url).ok(t, yes...))[1])
	require.Equal(t, exitAbsent, at(url).do(t, yes...).code)
}

// TestScriptsWithoutRedis also holds the list against what the manager counts.
func TestScriptsWithoutRedis(t *testing.T) {
	t.Parallel()
	list := rows(shell{}.ok(t, "script", "ls"))
	require.Len(t, list, 1+len(scripts.All()))
	require.Equal(t, []string{"NAME", "SHA", "ACCESS", "PURPOSE"}, list[0])
	doc := document(t, shell{}.ok(t, "script", "ls", "-o", "json"))
	require.Len(t, doc["scripts"], len(scripts.All()))

	m, err := redismanager.New(t.Context(), redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	require.NoError(t, err)
	defer m.Close()
	for i, s := range scripts.All() {
		require.NoError(t, m.AddScripts(redismanager.Script{Name: s.Name, Source: s.Source, Idempotent: s.Idempotent}))
		sha, err := m.GetScriptSHA(s.Name)
		require.NoError(t, err)
		require.Equal(t, []string{s.Name, sha, map[bool]string{true: "reads", false: "writes"}[s.ReadOnly], s.Doc}, list[1+i])
		require.Equal(t, s.Source, shell{}.ok(t, "script", "show", s.Name))
		doc := document(t, shell{}.ok(t, "script", "show", s.Name, "-o", "json"))
		require.Equal(t, []any{s.Name, sha, s.Source}, []any{doc["name"], doc["sha"], doc["source"]})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	doc := document(t, shell{}.ok(t, "version", "-o", "json"))
	require.Equal(t, "7.0", doc["redis_minimum"])
	require.Regexp(t, `^go1\.`, doc["go"])
	require.Contains(t, shell{}.ok(t, "version"), "7.0 or newer")
}

// TestEveryCommandIsDocumented walks the tree.
func TestEveryCommandIsDocumented(t *testing.T) {
	t.Parallel()
	root := newProgram(nil, nil, nil).rootCommand()
	pending := root.Commands()
	for len(pending) > 0 {
		cmd := pending[0]
		pending = append(pending[1:], cmd.Commands()...)
		if regexp.MustCompile(`^statelink (completion|help)`).MatchString(cmd.CommandPath()) {
			continue
		}
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.NotEmpty(t, cmd.Example, cmd.CommandPath())
		help := shell{}.ok(t, append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
		require.Contains(t, help, "Examples:")
		for line := range strings.Lines(cmd.Example) {
			require.True(t, strings.HasPrefix(line, "  statelink "), line)
		}
	}
	require.Equal(t, shell{}.ok(t), shell{}.ok(t, "help"))
	require.Contains(t, shell{}.ok(t), "Exit codes:")
	require.Contains(t, shell{}.ok(t, "completion", "bash"), "bash completion")
}

// TestMainReadsTheProcess covers what the other tests replace.
func TestMainReadsTheProcess(t *testing.T) {
	t.Setenv("STATELINK_REDIS_URL", standaloneURL(redistest.SharedStandalone(t)))
	t.Setenv("STATELINK_NAMESPACE", redistest.NewPrefix(t))
	var out, errOut bytes.Buffer
	require.Zero(t, Main(t.Context(), []string{"link", "set", "alice", "room", "4"}, strings.NewReader(""), &out, &errOut))
	require.Contains(t, out.String(), "persistent")
	require.Empty(t, errOut.String())
}
