package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
)

// settingsFile writes a configuration that names one server.
func settingsFile(t *testing.T, addr string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(path, []byte("redis: {addr: \""+addr+"\"}\n"), 0o600))
	return path
}

// TestWhichRedis: --redis beats the environment, and credentials beside
// --config come from there.
func TestWhichRedis(t *testing.T) {
	t.Parallel()
	const nowhere = "127.0.0.1:1"
	srv := redistest.StartServer(t, redistest.WithPassword("canary"))
	secret := "STATELINK_REDIS_PASSWORD=canary"
	file, url := settingsFile(t, srv.Addr()), "redis://:canary@"+srv.Addr()
	for name, test := range map[string]struct {
		env  []string
		args string
	}{
		"flag over variable":         {[]string{"STATELINK_REDIS_URL=redis://" + nowhere}, "--redis " + url},
		"flag over both":             {[]string{"STATELINK_REDIS_ADDR=" + nowhere}, "--redis " + url + " --config " + settingsFile(t, nowhere)},
		"password beside --config":   {[]string{secret, "STATELINK_REDIS_URL="}, "--config " + file},
		"variable over its file":     {[]string{"STATELINK_REDIS_URL=" + url, "STATELINK_CONFIG=" + settingsFile(t, nowhere)}, ""},
		"--config over its namesake": {[]string{secret, "STATELINK_CONFIG=" + settingsFile(t, nowhere)}, "--config " + file},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shell{env: test.env}.ok(t, append([]string{"pod", "ls", "room"}, strings.Fields(test.args)...)...)
		})
	}
	demo := shell{env: []string{secret}}.ok(t, "demo", "--config", file)
	require.Contains(t, demo, "Statelink demo on a standalone Redis")
}

// TestTwoRedis: --config and the environment must not both name one.
func TestTwoRedis(t *testing.T) {
	t.Parallel()
	file := settingsFile(t, "127.0.0.1:1")
	for _, name := range whichRedis {
		sh := shell{env: []string{name + "=cluster"}}
		want := "statelink: --config and " + name + " both say which Redis: unset one\n"
		for _, command := range []string{"link set alice room 1", "demo", "config check"} {
			r := sh.do(t, append(strings.Fields(command), "--config", file)...)
			require.Equal(t, exitFailed, r.code)
			require.Equal(t, want, r.errOut)
		}
		found := diagnose(t, sh, 2, "--config", file)
		require.Contains(t, found["configuration"].Detail, name)
	}
}
