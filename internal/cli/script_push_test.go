package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/scripts"
)

// bodyFile writes a body that refuses everybody in favour of a pod.
func bodyFile(t *testing.T, name, pod string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".lua")
	require.NoError(t, os.WriteFile(file, []byte("#!lua\nreturn {'"+pod+"', '"+pod+"'}\n"), 0o600))
	return file
}

// TestScriptPush: a service that runs takes what the command line pushes, says
// so, and goes back.
func TestScriptPush(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]redismanager.RedisConfig{
		"standalone": {Addr: redistest.SharedStandalone(t).Addr()},
		"cluster":    {Mode: redismanager.ModeCluster, Addrs: redistest.SharedCluster(t).Addrs()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := "redis://" + cfg.Addr
			if cfg.Mode == redismanager.ModeCluster {
				url = clusterURL(redistest.SharedCluster(t))
			}
			sh, ns := at(url), redistest.NewPrefix(t)
			n := "-n" + ns
			service := open(t, cfg)
			stop, err := service.FollowScripts(t.Context(), ns)
			require.NoError(t, err)
			defer stop()
			file := bodyFile(t, scripts.TrySetLink, "9")

			require.Equal(t, [][]string{{"SCRIPT", "VERSION", "BEFORE", "RUNNING"}, {scripts.TrySetLink, "2", "1", "1 of 1 process"}},
				rows(sh.ok(t, "script", "push", file, "--yes", n)))
			_, owner, err := service.TrySetLinkedPod(t.Context(), ns, "alice", "room", 1, -1)
			require.NoError(t, err)
			require.Equal(t, 9, owner)
			doc := document(t, sh.ok(t, "script", "push", file, "--yes", n, "-o", "json"))
			require.Equal(t, map[string]any{
				"namespace": ns, "name": scripts.TrySetLink, "version": 2.0, "previous": 2.0, "changed": false, "processes": 1.0, "running": 1.0,
			}, doc)
			requireListed(t, sh, n)

			r := sh.do(t, "script", "push", bodyFile(t, scripts.TrySetLink, "8"), "--expect-version", "1", "--yes", n)
			require.Equal(t, exitRefused, r.code)
			require.Contains(t, r.errOut, "version 2 of statefulTrySetLink is in force, not 1")
			require.Equal(t, []string{scripts.TrySetLink, "1", "2", "1 of 1 process"}, rows(sh.ok(t, "script", "rollback", scripts.TrySetLink, "--yes", n))[1])
			_, owner, err = service.TrySetLinkedPod(t.Context(), ns, "alice", "room", 1, -1)
			require.NoError(t, err)
			require.Equal(t, 1, owner)
			require.Equal(t, exitRefused, sh.do(t, "script", "rollback", scripts.TrySetLink, "--yes", n).code)
			require.Equal(t, []string{scripts.TrySetLink, "2", "1", "1 of 1 process"}, rows(sh.ok(t, "script", "rollback", scripts.TrySetLink, "--to", "2", "--yes", n))[1])
		})
	}
}

// requireListed looks at both forms of the list while version 2 is in force.
func requireListed(t *testing.T, sh shell, n string) {
	t.Helper()
	table := rows(sh.ok(t, "script", "ls", n))
	require.Equal(t, []string{"NAME", "SHA", "ACCESS", "VERSION", "RUNNING", "PURPOSE"}, table[0])
	all := len(scripts.All())
	for _, row := range table[1 : 1+all] {
		want := []string{"1", "1 on 1"}
		if row[0] == scripts.TrySetLink {
			want = []string{"2", "1 on 2"}
		}
		require.Equal(t, want, row[3:5], row[0])
	}
	require.Empty(t, table[1+all])
	require.Equal(t, []string{"PROCESS", "SEEN", "SCRIPT", "VERSION", "SHA", "PROBLEM"}, table[2+all])
	require.Len(t, table, all+4)
	require.Equal(t, []string{scripts.TrySetLink, "2"}, table[3+all][2:4])
	require.Equal(t, "-", table[3+all][5])

	doc := document(t, sh.ok(t, "script", "ls", n, "-o", "json"))
	require.Len(t, doc["scripts"], all)
	fleet := doc["fleet"].(map[string]any)
	script := fleet["scripts"].([]any)[0].(map[string]any)
	require.Equal(t, []any{scripts.TrySetLink, 2.0, 1.0}, []any{script["name"], script["version"], script["before"]})
	require.NotEmpty(t, script["versions"].([]any)[0].(map[string]any)["by"])
	require.Len(t, fleet["processes"].([]any)[0].(map[string]any)["scripts"], all)
}

func TestScriptPushRefused(t *testing.T) {
	t.Parallel()
	sh, ns := at(standaloneURL(redistest.SharedStandalone(t))), redistest.NewPrefix(t)
	n := "-n" + ns
	bad := filepath.Join(t.TempDir(), "statefulSetLink.lua")
	require.NoError(t, os.WriteFile(bad, []byte("#!lua\nlocal x = 1\nlocal y = = 2\n"), 0o600))
	r := sh.do(t, "script", "push", bad, "--yes", n)
	require.Equal(t, exitFailed, r.code)
	require.Regexp(t, `statefulSetLink line 3, .*user_script:3: unexpected symbol near '='`, r.errOut)
	require.Empty(t, r.out)

	r = sh.do(t, "script", "push", bodyFile(t, "statefulsetlink", "1"), "--yes", n)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.errOut, "did you mean statefulSetLink?")
	require.Equal(t, exitUsage, sh.do(t, "script", "rollback", "nosuch", "--yes", n).code)
	require.Equal(t, exitUsage, sh.do(t, "script", "push", bad, "--yes", "-n", "a:b").code)
	require.Equal(t, exitFailed, sh.do(t, "script", "push", filepath.Join(t.TempDir(), "statefulSetLink.lua"), "--yes", n).code)
	large := filepath.Join(t.TempDir(), "statefulSetLink.lua")
	require.NoError(t, os.WriteFile(large, make([]byte, 1<<20+1), 0o600))
	require.Equal(t, exitUsage, sh.do(t, "script", "push", large, "--yes", n).code)
	require.Equal(t, exitRefused, sh.do(t, "script", "rollback", "statefulSetLink", "--yes", n).code)
	require.Empty(t, document(t, sh.ok(t, "script", "ls", n, "-o", "json"))["fleet"].(map[string]any)["scripts"])
}

func TestScriptPushAsks(t *testing.T) {
	t.Parallel()
	sh, ns := at(standaloneURL(redistest.SharedStandalone(t))), redistest.NewPrefix(t)
	file := bodyFile(t, "body", "9")
	push := []string{"script", "push", file, "--name", scripts.TrySetLink, "-n", ns}
	r := sh.do(t, push...)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.errOut, "statelink: pushing needs --yes where no terminal is there to ask\n")
	r = shell{env: sh.env, terminal: true, stdin: "n\n"}.do(t, push...)
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, "Make "+file+" the body of statefulTrySetLink in all processes of namespace "+ns+"? [y/N] statelink: not confirmed, nothing was changed\n", r.errOut)
	require.Zero(t, shell{env: sh.env, terminal: true, stdin: "y\n"}.do(t, push...).code)
	r = shell{env: sh.env, terminal: true, stdin: "\n"}.do(t, "script", "rollback", scripts.TrySetLink, "-n", ns)
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, exitUsage, sh.do(t, "script", "rollback", scripts.TrySetLink, "-n", ns).code)
	require.Equal(t, []string{scripts.TrySetLink, "1", "2", "0 of 0 processes"}, rows(sh.ok(t, "script", "rollback", scripts.TrySetLink, "--yes", "-n", ns))[1])
}

// TestScriptListWithoutAnswer: who names a Redis wants to hear of it.
func TestScriptListWithoutAnswer(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t)
	srv.Kill()
	begin := time.Now()
	r := at(standaloneURL(srv)).do(t, "script", "ls")
	require.Equal(t, exitFailed, r.code)
	require.Empty(t, r.out)
	require.Less(t, time.Since(begin), 10*time.Second)
}
