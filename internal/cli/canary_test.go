package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
)

// TestNoPasswordAnywhere runs every command with a password in every place
// where one can be, against servers that take it, refuse it and are not there.
func TestNoPasswordAnywhere(t *testing.T) {
	t.Parallel()
	const canary = "canary-7Zq"
	srv := redistest.StartServer(t, redistest.WithPassword(canary))
	locked := redistest.StartServer(t, redistest.WithPassword("another"))
	ns := redistest.NewPrefix(t)
	file := filepath.Join(t.TempDir(), "c.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write("redis: {addr: '" + srv.Addr() + "', password: " + canary + "}\n")
	commands := []string{
		"link get alice room", "link set alice room 1", "link try alice room 1", "link claim-if-absent alice room 1",
		"link ls alice", "link rm alice room --yes", "pod ls room", "pod report room 1 --load 1 --routing ready",
		"workload get room", "workload set room on", "script ls", "script show statefulSetLink", "script verify",
		"doctor", "config check", "config default", "config env", "version", "demo --pods 2 --users 1 --timeout 200ms",
		"link get", "nosuch",
	}
	places := map[string]shell{
		"right":       at("redis://:" + canary + "@" + srv.Addr()),
		"refused":     at("redis://:" + canary + "@" + locked.Addr()),
		"unknown":     at("redis://someone:" + canary + "@" + locked.Addr()),
		"unreachable": at("redis://:" + canary + "@127.0.0.1:1"),
		"malformed":   at("redis://:" + canary + "@" + srv.Addr() + ":x/y?" + canary + "=1"),
		"an @ in it":  at("redis://:p@" + canary + "/@" + srv.Addr()),
		"no URL":      at(":" + canary + "@" + srv.Addr()),
		"variable":    {env: []string{"STATELINK_REDIS_ADDR=" + srv.Addr(), "STATELINK_REDIS_PASSWORD=" + canary}},
		"wrong name":  {env: []string{"STATELINK_REDIS_PASSWRD=" + canary, "STATELINK_REDIS_POOL_SIZE=" + canary + "@"}},
		"file":        {env: []string{"STATELINK_CONFIG=" + file}},
	}
	for name, sh := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, command := range commands {
				for _, more := range []string{"", " -o json", " -v"} {
					args := strings.Fields(command + more + " -n " + ns)
					if strings.HasPrefix(command, "demo") {
						args = args[:len(args)-2]
						for _, line := range sh.env {
							if url, ok := strings.CutPrefix(line, "STATELINK_REDIS_URL="); ok {
								args = append(args, "--redis", url)
							}
						}
					}
					r := sh.run(t.Context(), args...)
					require.NotContains(t, r.out, canary, args)
					require.NotContains(t, r.errOut, canary, args)
				}
			}
		})
	}
}
