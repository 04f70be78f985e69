package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// TestMain runs more tests at the same time than there are processors: a demo
// waits for clocks, three seconds of them.
//
// It lets one goroutine of go-redis stay: it tries to reach a dead server
// once a second, and looks only then whether its pool is closed.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	redistest.Main(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// shell is how a test runs the command line: with an environment and a
// terminal of its own.
type shell struct {
	env      []string
	stdin    string
	terminal bool
	slow     time.Duration // 0: however busy the machine is, Redis is not called slow
}

type result struct {
	code        int
	out, errOut string
}

func (sh shell) run(ctx context.Context, args ...string) result {
	var out, errOut bytes.Buffer
	p := newProgram(strings.NewReader(sh.stdin), &out, &errOut)
	p.environ = func() []string { return sh.env }
	p.asks, p.slow = sh.terminal, cmp.Or(sh.slow, time.Hour)
	code := p.run(ctx, args)
	return result{code, out.String(), errOut.String()}
}

// at is a shell whose environment names the Redis.
func at(url string) shell { return shell{env: []string{"STATELINK_REDIS_URL=" + url}} }

func (sh shell) do(t *testing.T, args ...string) result {
	t.Helper()
	r := sh.run(t.Context(), args...)
	if len(r.out) < 4000 { // a help or a list is not worth a look
		t.Logf("statelink %q: exit %d\n%s%s", args, r.code, r.out, r.errOut)
	}
	return r
}

// ok runs a command that succeeds and gives its data.
func (sh shell) ok(t *testing.T, args ...string) string {
	t.Helper()
	r := sh.do(t, args...)
	require.Zero(t, r.code)
	require.Empty(t, r.errOut)
	return r.out
}

// rows splits a table into its cells; two spaces end one.
func rows(table string) [][]string {
	var all [][]string
	for line := range strings.Lines(table) {
		var cells []string
		for cell := range strings.SplitSeq(strings.TrimSpace(line), "  ") {
			if cell = strings.TrimSpace(cell); cell != "" {
				cells = append(cells, cell)
			}
		}
		all = append(all, cells)
	}
	return all
}

// document reads output that must be exactly one JSON document.
func document(t *testing.T, out string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(out))
	var doc map[string]any
	require.NoError(t, decoder.Decode(&doc), out)
	require.False(t, decoder.More(), "more than one document")
	return doc
}

func standaloneURL(s *redistest.Server) string { return "redis://" + s.Addr() }

func sentinelURL(s *redistest.SentinelSet) string {
	return "redis+sentinel://" + strings.Join(s.Addrs(), ",") + "/" + s.MasterName
}

func clusterURL(c *redistest.Cluster) string {
	return "redis+cluster://" + strings.Join(c.Addrs(), ",")
}

// open connects as a library user does, to prepare and inspect a test's data.
func open(t *testing.T, cfg redismanager.RedisConfig) *statelink.Executor {
	t.Helper()
	e, err := statelink.Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// keysOf lists the keys of a namespace on the masters.
func keysOf(t *testing.T, masters []*redis.Client, namespace string) []string {
	t.Helper()
	var keys []string
	for _, c := range masters {
		for it := c.Scan(t.Context(), 0, "*{"+namespace+":*", 1000).Iterator(); it.Next(t.Context()); {
			keys = append(keys, it.Val())
		}
	}
	return keys
}
