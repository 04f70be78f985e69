package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/scripts"
)

// TestScriptVerify: it sees what a node lacks, and does not repair it.
func TestScriptVerify(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	sh := at(clusterURL(cluster))
	open(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs()})
	table := rows(sh.ok(t, "script", "verify"))
	require.Equal(t, []string{"SCRIPT", "SHA", "VERSION", "MISSING ON"}, table[0])
	require.Len(t, table, 1+len(scripts.All()))
	for _, row := range table[1:] {
		require.Equal(t, []string{"1", "-"}, row[2:])
	}
	doc := document(t, sh.ok(t, "script", "verify", "-o", "json"))
	require.Equal(t, true, doc["ok"])
	require.Len(t, doc["masters"], 3)

	lost := cluster.Masters()[1]
	require.NoError(t, lost.Client(t).ScriptFlush(t.Context()).Err())
	for range 2 {
		r := sh.do(t, "script", "verify")
		require.Equal(t, exitFailed, r.code)
		require.Equal(t, "statelink: 11 scripts are missing on at least one master\n", r.errOut)
		for _, row := range rows(r.out)[1:] {
			require.Equal(t, lost.Addr(), row[3])
		}
	}
	doc = document(t, sh.do(t, "script", "verify", "-o", "json").out)
	require.Equal(t, false, doc["ok"])
	for _, s := range doc["scripts"].([]any) {
		require.Equal(t, []any{lost.Addr()}, s.(map[string]any)["missing_on"])
	}
}

func TestScriptVerifyOneMissing(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t)
	c := srv.Client(t)
	for _, s := range scripts.All() {
		if s.Name != scripts.SetLink {
			require.NoError(t, c.ScriptLoad(t.Context(), s.Source).Err())
		}
	}
	r := at(standaloneURL(srv)).do(t, "script", "verify")
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, "statelink: 1 script is missing on at least one master\n", r.errOut)
	for _, row := range rows(r.out)[1:] {
		require.Equal(t, row[0] == scripts.SetLink, row[3] == srv.Addr(), row)
	}
}

// TestCommandsNeedNoScriptsBefore: on a fresh server each command brings the
// script that it needs.
func TestCommandsNeedNoScriptsBefore(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t)
	sh := at(standaloneURL(srv))
	sh.ok(t, "link", "set", "alice", "room", "1")
	r := sh.do(t, "script", "verify", "-o", "json")
	missing := 0
	for _, s := range document(t, r.out)["scripts"].([]any) {
		missing += len(s.(map[string]any)["missing_on"].([]any))
	}
	require.Equal(t, len(scripts.All())-1, missing)
}

func TestSentinelAndCluster(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"sentinel": sentinelURL(redistest.SharedSentinel(t)), "cluster": clusterURL(redistest.SharedCluster(t)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sh, n := at(url), "-n"+redistest.NewPrefix(t)
			sh.ok(t, "link", "set", "alice", "room", "2", n)
			require.Equal(t, []string{"alice", "room", "2", "persistent", "never"}, rows(sh.ok(t, "link", "get", "alice", "room", n))[1])
			sh.ok(t, "pod", "report", "room", "1", "--load", "1", "--routing", "ready", n)
			require.Len(t, rows(sh.ok(t, "pod", "ls", "room", n)), 2)
			for _, service := range []string{"a", "b", "c", "d"} {
				sh.ok(t, "workload", "set", service, "on-"+service, n)
			}
			require.Equal(t, [][]string{{"SERVICE", "STATE"}, {"a", "on-a"}, {"b", "on-b"}, {"c", "on-c"}, {"d", "on-d"}},
				rows(sh.ok(t, "workload", "get", "a", "b", "c", "d", n)))
			sh.ok(t, "link", "rm", "alice", "room", "--yes", n)
		})
	}
}
