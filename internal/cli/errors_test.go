package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
)

// TestUsageMistakes: one line, and one that names the help.
func TestUsageMistakes(t *testing.T) {
	t.Parallel()
	sh := at(standaloneURL(redistest.SharedStandalone(t)))
	for command, want := range map[string]string{
		"lnk get alice --ttl 3":                       `unknown command "lnk" for "statelink", did you mean link?|statelink`,
		"-v lnk":                                      `unknown command "lnk" for "statelink", did you mean link?|statelink`,
		"frobnicate":                                  `unknown command "frobnicate" for "statelink"|statelink`,
		"link gte alice room --ttl 3":                 `unknown command "gte" for "statelink link", did you mean get?|statelink link`,
		"link --bogus":                                `unknown flag: --bogus|statelink link`,
		"completion bsh":                              `unknown command "bsh" for "statelink completion", did you mean bash or zsh or fish?|statelink completion`,
		"help link gte":                               `unknown command "gte" for "statelink link", did you mean get?|statelink link`,
		"link get alice room --bogus":                 `unknown flag: --bogus|statelink link get`,
		"link get alice":                              `got 1 argument, want 2: UID SERVICE|statelink link get`,
		"link get":                                    `got 0 arguments, want 2: UID SERVICE|statelink link get`,
		"version now":                                 `got 1 argument, want none|statelink version`,
		"workload get":                                `got no argument, want SERVICE...|statelink workload get`,
		"config check a b":                            `got 2 arguments, want one FILE or none|statelink config check`,
		"config check f.yaml --redis redis://h":       `a FILE is checked alone: leave --redis and --config out|statelink config check`,
		"link get a{b room":                           `uid: got "a{b", want no braces and no control characters|statelink link get`,
		"link get alice r:m":                          `service: got "r:m", want only letters, digits and . _ -|statelink link get`,
		"link get alice room -n a:lk":                 `namespace: got "a:lk", want only letters, digits and . _ -|statelink link get`,
		"link get alice room --key-prefix a:b":        `key prefix: got "a:b", want only letters, digits and . _ -|statelink link get`,
		"link set alice room two":                     `POD: got "two", want a pod's number from 0 to 2147483647|statelink link set`,
		"link set alice room 99999999999999999999":    `POD: got "99999999999999999999", want a pod's number from 0 to 2147483647|statelink link set`,
		"link set alice room -1":                      `unknown shorthand flag: '1' in -1; a value that begins with - goes behind --|statelink link set`,
		"link set alice room -- -1":                   `POD: got "-1", want a pod's number from 0 to 2147483647|statelink link set`,
		"link set alice room 1 --ttl 5":               `--ttl: got "5", want -1 for ever, or whole seconds such as 30s or 5m, up to ten years|statelink link set`,
		"link set alice room 1 --ttl 1500ms":          `--ttl: got "1500ms", want -1 for ever, or whole seconds such as 30s or 5m, up to ten years|statelink link set`,
		"link rm alice room -y --after 0s":            `--after: got "0s", want whole seconds such as 30s or 5m, up to ten years|statelink link rm`,
		"link rm alice room -y --pod x":               `--pod: got "x", want a pod's number from 0 to 2147483647|statelink link rm`,
		"pod report room 1 --routing ready":           `required flag(s) "load" not set|statelink pod report`,
		"pod report room 1 --load 1 --routing busy":   `--routing: got "busy", want ready, draining or unavailable|statelink pod report`,
		"pod report room 1 --load -5 --routing ready": `load: got -5, want 0 to 9007199254740991|statelink pod report`,
		"script show setlink":                         `no script is named "setlink", did you mean statefulSetLink?|statelink script show`,
		"script show nothing":                         `no script is named "nothing"; 'statelink script ls' lists them|statelink script show`,
		"link get alice room -o yaml":                 `invalid argument "yaml" for "-o, --output" flag: want table or json|statelink link get`,
		"link get alice room --timeout 0s":            `--timeout: got 0s, want more than 0|statelink link get`,
		"demo --pods 1":                               `--pods: got 1, want 2 to 64|statelink demo`,
		"demo --users 100001 --redis redis://h":       `--users: got 100001, want 1 to 100000|statelink demo`,
		"demo --users 201":                            `--users: got 201, want at most 200, or a real Redis by --redis|statelink demo`,
		"demo -n default":                             `--namespace: the demo has a namespace of its own|statelink demo`,
		"demo --pods redis://u:canary@host":           `invalid argument "redis://***@host" for "--pods" flag: strconv.ParseInt: parsing "redis://***@host": invalid syntax|statelink demo`,
		"redis://user:canary@host":                    `unknown command "redis://***@host" for "statelink"|statelink`,
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			r := sh.do(t, strings.Fields(command)...)
			line, help, _ := strings.Cut(want, "|")
			require.Equal(t, "statelink: "+line+"\nsee '"+help+" --help'\n", r.errOut)
			require.Equal(t, exitUsage, r.code)
			require.Empty(t, r.out)
		})
	}
}

// TestFailures: one line, no hint.
func TestFailures(t *testing.T) {
	t.Parallel()
	srv := redistest.SharedStandalone(t)
	locked := redistest.StartServer(t, redistest.WithPassword("canary"))
	for name, test := range map[string]struct {
		sh   shell
		args string
		want string
	}{
		"nobody there":  {shell{}, "link get alice room --redis redis://127.0.0.1:1", `redis unavailable: node 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused`},
		"no host":       {shell{}, "link get alice room --redis redis://:6379", `--redis: the host is empty`},
		"no scheme":     {shell{}, "link get alice room --redis localhost:6379", `--redis: unknown scheme, want `},
		"bad port":      {at("redis://localhost:port"), "link get alice room", `STATELINK_REDIS_URL in the environment: the host has a port that is no number from 1 to 65535`},
		"wrong mode":    {shell{}, "link get alice room --redis redis+cluster://" + srv.Addr(), `wrong topology: ` + srv.Addr() + ` is a standalone server, but mode is cluster: set mode standalone`},
		"unknown mode":  {shell{env: []string{"STATELINK_REDIS_MODE=clustr"}}, "link get alice room", `STATELINK_REDIS_MODE in the environment: got "clustr", want standalone, sentinel or cluster`},
		"two problems":  {shell{env: []string{"STATELINK_REDIS_DB=x", "STATELINK_REDIS_POOL_SIZE=y"}}, "pod ls room", `; STATELINK_REDIS_POOL_SIZE in the environment: got "y"`},
		"no file":       {shell{}, "pod ls room --config nosuch.yaml", `nosuch.yaml: no such file or directory`},
		"no password":   {at(standaloneURL(locked)), "pod ls room", `authentication or permission refused: node ` + locked.Addr() + `: NOAUTH`},
		"no CA":         {shell{}, "pod ls room --redis rediss://127.0.0.1?tls.ca_file=nosuch.pem", `nosuch.pem: no such file or directory`},
		"demo: nowhere": {shell{}, "demo --redis redis://127.0.0.1:1", `redis unavailable: `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := test.sh.do(t, strings.Fields(test.args)...)
			require.Equal(t, exitFailed, r.code)
			require.Empty(t, r.out)
			require.Equal(t, 1, strings.Count(r.errOut, "\n"))
			require.True(t, strings.HasPrefix(r.errOut, "statelink: "))
			require.Contains(t, r.errOut, test.want)
			require.NotContains(t, r.errOut, "overrides", "words of the library")
		})
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	proxy := redistest.NewProxy(t, redistest.SharedStandalone(t).Addr())
	proxy.Hang(true)
	start := time.Now()
	r := shell{}.do(t, "link", "get", "alice", "room", "--redis", "redis://"+proxy.Addr(), "--timeout", "300ms")
	require.Less(t, time.Since(start), 3*time.Second)
	require.Equal(t, exitFailed, r.code)
	require.Regexp(t, `^statelink: timeout: .*\(--timeout 300ms\)\n$`, r.errOut)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := shell{}.run(ctx, "link", "get", "alice", "room", "--redis", "redis://127.0.0.1:1")
	require.Equal(t, result{exitInterrupted, "", "statelink: interrupted\n"}, r)
}

// TestWritingFails: a full disk behind stdout is an error.
func TestWritingFails(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"version", "-o", "json"}, {"script", "show", "statefulSetLink"}, {"config", "default"}} {
		var errOut strings.Builder
		p := newProgram(strings.NewReader(""), fullDisk{}, &errOut)
		require.Equal(t, exitFailed, p.run(t.Context(), args), args)
		require.Equal(t, "statelink: no space left\n", errOut.String())
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestConfigCommands(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "statelink.yaml")
	require.NoError(t, os.WriteFile(file, []byte(shell{}.ok(t, "config", "default")), 0o600))
	require.Equal(t, []string{"yes", "standalone", "localhost:6379"}, rows(shell{}.ok(t, "config", "check", file))[1])
	broken := shell{env: []string{"STATELINK_REDIS_POOL_SIZE=x", "STATELINK_CONFIG=" + file}}
	broken.ok(t, "config", "check", file) // alone: not with this environment
	r := broken.do(t, "config", "check")
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, []string{"no", "-", "-"}, rows(r.out)[1])
	require.Equal(t, "statelink: STATELINK_REDIS_POOL_SIZE in the environment: got \"x\", want a whole number such as 10\n", r.errOut)

	require.NoError(t, os.WriteFile(file, []byte("redis: {pool_sze: 3, addr: x, password: canary}\n"), 0o600))
	r = shell{}.do(t, "config", "check", file, "-o", "json")
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, 2, strings.Count(r.errOut, "\n"))
	doc := document(t, r.out)
	require.Equal(t, false, doc["valid"])
	problems, _ := doc["problems"].([]any)
	require.Len(t, problems, 2)
	for i, line := range strings.Split(strings.TrimSpace(r.errOut), "\n") {
		require.Equal(t, "statelink: "+problems[i].(string), line)
	}

	require.NotEmpty(t, document(t, shell{}.ok(t, "config", "default", "-o", "json"))["text"])
	table := shell{env: []string{"STATELINK_REDIS_PASSWORD=canary"}}.ok(t, "config", "env")
	require.Regexp(t, `(?m)^STATELINK_REDIS_POOL_SIZE +int +10 +Most`, table)
	require.Regexp(t, `(?m)^STATELINK_NAMESPACE +text +default `, table)
	require.NotContains(t, table, "canary")
	require.Greater(t, len(document(t, shell{}.ok(t, "config", "env", "-o", "json"))["variables"].([]any)), 30)
}
