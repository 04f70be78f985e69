package metrics

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

const cataloguePage = "../docs/metrics.md"

const cataloguePreface = `# Metrics

Every metric that package [metrics](../metrics) exports. Times are in seconds, sizes in bytes. No label holds a user, a key, a namespace or the
text of an error. A scrape never calls Redis.

- ` + "`class`" + ` is the code that ` + "`statelink.Classify`" + ` gives, ` + "`ok`" + ` for success. ` + "`node`" + ` is an address, ` + "`script`" + ` a script's name (` + "`source`" + ` for Lua given in the call).
- ` + "`op`" + ` is the executor's method in snake case. ` + "`statelink_operations_total`" + ` has the label ` + "`service`" + ` too with ` + "`metrics.WithServiceLabel`" + `.
- Values from outside are bounded (200 scripts, 200 commands, 256 nodes of events, the limit of services): what comes later is counted under ` + "`other`" + `.
- Counters of pools go on when a change of configuration makes new pools; what happened between the last scrape and the change is not in them.
- Numbers of a node's health are absent before the first check, and while the node is down. ` + "`statelink_redis_slots_served`" + ` is there in a Cluster only.

This page is written by ` + "`go test ./metrics -run TestCataloguePage -update`" + ` and compared by the same test without ` + "`-update`" + `.

| metric | type | labels | meaning |
|---|---|---|---|
`

// TestCataloguePage holds the page of metrics against what a scrape gives.
func TestCataloguePage(t *testing.T) {
	var want strings.Builder
	want.WriteString(cataloguePreface)
	for _, row := range catalogue(t) {
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", row.name, row.kind, strings.Join(row.labels, ", "), row.help)
	}
	if *update {
		require.NoError(t, os.WriteFile(cataloguePage, []byte(want.String()), 0o600))
	}
	got, err := os.ReadFile(cataloguePage)
	require.NoError(t, err)
	require.Equal(t, want.String(), string(got), "run go test ./metrics -run TestCataloguePage -update")
}

// metric is what a scrape says about one metric.
type metric struct {
	name, kind, help string
	labels           []string
}

// catalogue lists the metrics of a scrape, and fails if one that is described
// has no series there: it would be missing from the page.
func catalogue(tb testing.TB, opts ...Option) []metric {
	tb.Helper()
	families, err := everything(tb, opts...).Gather()
	require.NoError(tb, err)
	rows := make([]metric, len(families))
	for i, f := range families {
		rows[i] = metric{name: f.GetName(), kind: strings.ToLower(f.GetType().String()), help: f.GetHelp(), labels: labelNames(f)}
	}
	require.Len(tb, rows, described(tb), "a metric is described and never sent")
	return rows
}

func labelNames(f *dto.MetricFamily) []string {
	var found []string
	for _, l := range f.GetMetric()[0].GetLabel() {
		found = append(found, l.GetName())
	}
	slices.Sort(found)
	return found
}

func described(tb testing.TB) int {
	tb.Helper()
	s := settings{buckets: defaultBuckets}
	c := newCollector(newFake(), s, newOperations(s))
	ch := make(chan *prometheus.Desc, 1000)
	c.Describe(ch)
	return len(ch)
}

// TestLint holds all names and helps against Prometheus' rules.
func TestLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(everything(t, WithServiceLabel(10)))
	require.NoError(t, err)
	require.Empty(t, problems)
}

// TestFakeValues checks units and labels of what a scrape reads.
func TestFakeValues(t *testing.T) {
	reg := everything(t)
	for _, tc := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{3, "statelink_redis_pool_connections", []string{"node", "127.0.0.1:7001", "pool", "commands", "state", "in_use"}},
		{4, "statelink_redis_pool_connections", []string{"pool", "commands", "state", "idle"}},
		{20, "statelink_redis_pool_max_connections", []string{"pool", "commands"}},
		{1.5, "statelink_redis_pool_wait_seconds_total", []string{"pool", "commands"}},
		{2, "statelink_redis_leases", nil},
		{1, "statelink_redis_health", []string{"state", "degraded"}},
		{0, "statelink_redis_health", []string{"state", "healthy"}},
		{1, "statelink_redis_node_health", []string{"node", "127.0.0.1:7003", "role", "unknown", "state", "down"}},
		{0, "statelink_redis_node_health", []string{"node", "127.0.0.1:7001", "role", "master", "state", "down"}},
		{4096, "statelink_redis_replication_lag_bytes", []string{"node", "127.0.0.1:7002"}},
		{0.001, "statelink_redis_node_latency_seconds", []string{"node", "127.0.0.1:7001"}},
		{0.004, "statelink_redis_health_check_duration_seconds", nil},
		{1.7e9, "statelink_redis_health_check_timestamp_seconds", nil},
		{10923, "statelink_redis_slots_served", nil},
		{2, "statelink_redis_missing_scripts", nil},
		{5, "statelink_redis_topology_refreshes_total", []string{"result", "ok"}},
		{2, "statelink_redis_topology_refreshes_total", []string{"result", "failed"}},
		{1, "statelink_script_info", []string{"script", "set_link", "version", "3"}},
		{1, "statelink_script_repairs_total", []string{"script", "set_link"}},
		{1, "statelink_redis_retries_total", []string{"call", "set_link"}},
		{0, "statelink_config_reloads_total", []string{"result", "refused"}},
		{1, "statelink_redis_pool_autoscaler_decisions_total", []string{"node", "127.0.0.1:7001", "direction", "up", "dry_run", "false"}},
	} {
		require.Equal(t, tc.want, value(t, reg, tc.name, tc.labels...), "%s %v", tc.name, tc.labels)
	}
}
