package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/internal/redistest"
)

// backend is a Redis that the demo runs on, and its masters to look into.
type backend struct {
	url     string
	masters []*redis.Client
}

func backends(t *testing.T) map[string]backend {
	t.Helper()
	server, err := embedded.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	inside := redis.NewClient(&redis.Options{Addr: server.Addr(), DisableIdentity: true})
	t.Cleanup(func() { _ = inside.Close() })
	standalone, sentinel, cluster := redistest.SharedStandalone(t), redistest.SharedSentinel(t), redistest.SharedCluster(t)
	all := map[string]backend{
		"embedded":   {"redis://" + server.Addr(), []*redis.Client{inside}},
		"standalone": {standaloneURL(standalone), []*redis.Client{standalone.Client(t)}},
		"sentinel":   {sentinelURL(sentinel), []*redis.Client{sentinel.Master().Client(t)}},
	}
	nodes := backend{url: clusterURL(cluster)}
	for _, master := range cluster.Masters() {
		nodes.masters = append(nodes.masters, master.Client(t))
	}
	all["cluster"] = nodes
	return all
}

// readReport decodes strictly: it is what programs rely on.
func readReport(t *testing.T, out string) demoReport {
	t.Helper()
	var report demoReport
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&report), out)
	require.False(t, decoder.More())
	return report
}

// requireAllOK also holds the numbers of the report against each other.
func requireAllOK(t *testing.T, r demoReport) {
	t.Helper()
	require.True(t, r.OK)
	require.Len(t, r.Steps, 7)
	for i, step := range r.Steps {
		require.Equal(t, i+1, step.Number)
		require.True(t, step.OK, step.Title)
		require.NotEmpty(t, step.Checks, step.Title)
		for _, c := range step.Checks {
			require.True(t, c.OK, c.What)
		}
	}
	for _, n := range []int{1, 4} {
		users := 0
		for _, pod := range r.Steps[n].Spread {
			users += pod.Users
		}
		require.Equal(t, r.Users, users)
	}
	require.Equal(t, 0, r.Cleanup.Left)
	require.Greater(t, r.Cleanup.Removed, r.Users)
}

func TestDemoOnEveryBackend(t *testing.T) {
	t.Parallel()
	for name, b := range backends(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := shell{}.do(t, "demo", "--redis", b.url, "-o", "json", "--pods", "4", "--users", "30")
			require.Empty(t, r.errOut)
			require.Zero(t, r.code)
			report := readReport(t, r.out)
			requireAllOK(t, report)
			require.Equal(t, []int{4, 30}, []int{report.Pods, report.Users})
			require.Empty(t, keysOf(t, b.masters, report.Namespace))
		})
	}
}

// TestDemoInside is what a newcomer types. The environment must not lead it to
// a real Redis.
func TestDemoInside(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t)
	out := at(standaloneURL(srv)).ok(t, "demo")
	require.Contains(t, out, "Statelink demo on a Redis inside this program: 3 pods, 12 users\nseed ")
	require.NotContains(t, out, "WRONG")
	require.NotContains(t, out, "FAILED")
	require.Contains(t, out, "\n7. ")
	require.Regexp(t, `\nCleaned up: 2[67] keys removed, 0 left\nAll 7 steps are as expected \(\d+\.\d s\)\n$`, out)
	require.NotContains(t, commandStats(t, srv), "cmdstat_eval")
}

func commandStats(t *testing.T, srv *redistest.Server) string {
	t.Helper()
	text, err := srv.Client(t).Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	return text
}

func TestDemoSizes(t *testing.T) {
	t.Parallel()
	url := standaloneURL(redistest.SharedStandalone(t))
	for _, size := range []struct{ pods, users string }{{"2", "1"}, {"64", "5"}, {"20", "1500"}} {
		t.Run(size.pods+" pods, "+size.users+" users", func(t *testing.T) {
			t.Parallel()
			r := shell{}.run(t.Context(), "demo", "--redis", url, "--pods", size.pods, "--users", size.users, "-o", "json", "--timeout", "2m")
			require.Zero(t, r.code, r.out+r.errOut)
			requireAllOK(t, readReport(t, r.out))
		})
	}
}

// TestDemoSeed: the same seed tells the same story.
func TestDemoSeed(t *testing.T) {
	t.Parallel()
	story := func() string {
		out := shell{}.ok(t, "demo", "--seed", "42", "--users", "9")
		out, _, _ = strings.Cut(out, "6. ") // behind it are times
		return out
	}
	first := story()
	require.Contains(t, first, "seed 42, namespace demo-")
	require.Equal(t, first, story())
}

// TestDemoInterrupted: whenever it is interrupted, nothing of it stays.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	srv := redistest.SharedStandalone(t)
	client := srv.Client(t)
	for i, after := range []time.Duration{30 * time.Millisecond, 150 * time.Millisecond, time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			seed := time.Now().UnixNano() + int64(i)
			d := newDemo(&session{}, demoFlags{pods: 3, users: 500, seed: seed})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			time.AfterFunc(after, cancel)
			r := shell{}.run(ctx, "demo", "--redis", standaloneURL(srv), "--users", "500", "--seed", fmt.Sprint(seed), "-o", "json")
			require.Equal(t, exitInterrupted, r.code, r.out+r.errOut)
			require.Equal(t, "statelink: interrupted\n", r.errOut)
			require.Empty(t, keysOf(t, []*redis.Client{client}, d.namespace))
			if r.out != "" { // else it was before the first step
				require.False(t, readReport(t, r.out).OK)
			}
		})
	}
}

// TestDemoTwice: a second demo of the same seed keeps its hands off; a killed
// one's keys are taken over.
func TestDemoTwice(t *testing.T) {
	t.Parallel()
	srv := redistest.SharedStandalone(t)
	seed := time.Now().UnixNano()
	d := stage(t, seed)
	require.NoError(t, d.startPods(t.Context(), &stepReport{}))
	require.NoError(t, d.placeUsers(t.Context(), &stepReport{}))
	args := []string{"demo", "--redis", standaloneURL(srv), "--seed", fmt.Sprint(seed), "--users", "6"}
	r := shell{}.do(t, args...)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "another demo with --seed ")
	links, err := d.links(t.Context())
	require.NoError(t, err)
	require.Equal(t, d.placed, links, "the first one's links")

	d.stopPods() // killed: nobody cleans up
	require.Eventually(t, func() bool { return shell{}.run(t.Context(), args...).code == 0 }, 20*time.Second, 100*time.Millisecond)
	require.Empty(t, keysOf(t, []*redis.Client{srv.Client(t)}, d.namespace))
}

// TestDemoTouchesNothingElse: other keys of the server stay as they are.
func TestDemoTouchesNothingElse(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t)
	client := srv.Client(t)
	before := map[string]string{}
	for i := range 50 {
		key := fmt.Sprintf("sf:{demo-%d:lk:user-%02d}room", i, i)
		before[key] = fmt.Sprint(i)
		require.NoError(t, client.Set(t.Context(), key, i, 0).Err())
	}
	require.Zero(t, shell{}.run(t.Context(), "demo", "--redis", standaloneURL(srv)).code)
	size, err := client.DBSize(t.Context()).Result()
	require.NoError(t, err)
	require.EqualValues(t, len(before), size)
	for key, value := range before {
		require.Equal(t, value, client.Get(t.Context(), key).Val())
	}
}

// TestDemoCannotCleanUp: the server dies in the middle; what may be left is
// said.
func TestDemoCannotCleanUp(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t)
	client := srv.Client(t)
	watch, killed := time.NewTicker(time.Millisecond), make(chan struct{})
	defer watch.Stop()
	go func() {
		defer close(killed)
		for client.DBSize(t.Context()).Val() < 5 && t.Context().Err() == nil {
			<-watch.C
		}
		srv.Kill()
	}()
	r := shell{}.do(t, "demo", "--redis", standaloneURL(srv), "--timeout", "3s", "--users", "300")
	<-killed
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, 1, strings.Count(r.errOut, "\n"))
	require.Contains(t, r.errOut, "keys of namespace demo-")
}
