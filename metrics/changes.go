package metrics

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statelink/statelink/redismanager"
)

// mostNodes is how many nodes have series of their own in counters of events.
// In a Cluster whose nodes get new addresses the old ones stay counted.
const mostNodes = 256

// changes counts the changes of state that a manager tells of.
type changes struct {
	kinds   map[redismanager.EventKind]prometheus.Counter
	all     []prometheus.Collector
	resizes *prometheus.CounterVec
	nodes   *names
}

func newChanges() changes {
	masters := prometheus.NewCounter(prometheus.CounterOpts{
		Name: prefix + "redis_master_changes_total", Help: "Times another node became master of the service or of slots."})
	empty := prometheus.NewCounter(prometheus.CounterOpts{
		Name: prefix + "redis_empty_restarts_total", Help: "Times a master restarted without its data: links are lost."})
	nodes := counterVec("redis_node_changes_total", "Nodes that joined (added) or left (removed) the topology.", "change")
	reloads := counterVec("config_reloads_total", "New configurations: in force (replaced), or refused while the old one stays.", "result")
	scripts := counterVec("script_changes_total", "New versions of scripts: updated, rolled_back to an older one, or refused.", "result")
	resizes := counterVec("redis_pool_autoscaler_decisions_total",
		"Decisions of the autoscaler to change a pool; with dry_run true it only said so.", "node", "direction", "dry_run")
	return changes{
		kinds: map[redismanager.EventKind]prometheus.Counter{
			redismanager.EventMasterChanged:    masters,
			redismanager.EventRestartedEmpty:   empty,
			redismanager.EventNodeAdded:        nodes.WithLabelValues("added"),
			redismanager.EventNodeRemoved:      nodes.WithLabelValues("removed"),
			redismanager.EventConfigReplaced:   reloads.WithLabelValues("replaced"),
			redismanager.EventConfigRefused:    reloads.WithLabelValues("refused"),
			redismanager.EventScriptUpdated:    scripts.WithLabelValues("updated"),
			redismanager.EventScriptRolledBack: scripts.WithLabelValues("rolled_back"),
			redismanager.EventScriptRefused:    scripts.WithLabelValues("refused"),
		},
		all:     []prometheus.Collector{masters, empty, nodes, reloads, scripts, resizes},
		resizes: resizes,
		nodes:   &names{limit: mostNodes},
	}
}

func (c changes) vectors() []prometheus.Collector { return c.all }

// Changed counts one change of state. What gauges show, such as health, is read
// at the scrape instead.
func (c changes) Changed(e redismanager.Event) {
	if n := c.kinds[e.Kind]; n != nil {
		n.Inc()
	}
	if e.Kind == redismanager.EventPoolResized {
		c.resizes.WithLabelValues(c.nodes.label(e.Node, true), direction(e.From, e.To), dryRun(e.Reason)).Inc()
	}
}

// direction compares the two sizes of a pool.
func direction(from, to string) string {
	before, errBefore := strconv.Atoi(from)
	after, errAfter := strconv.Atoi(to)
	switch {
	case errBefore != nil || errAfter != nil:
		return "unknown"
	case after > before:
		return "up"
	case after < before:
		return "down"
	default:
		return "none"
	}
}

func dryRun(reason string) string {
	reason = strings.NewReplacer("-", " ", "_", " ").Replace(strings.ToLower(reason))
	return strconv.FormatBool(strings.Contains(reason, "dry run"))
}
