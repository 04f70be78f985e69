package metrics

import (
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// scriptInfo tells which version of each script is current.
type scriptInfo struct{ from source }

var scriptInfoDesc = desc("script_info", "1 for the current version of each registered script.", "script", "sha", "version")

// Describe lists the one metric.
func (scriptInfo) Describe(ch chan<- *prometheus.Desc) { ch <- scriptInfoDesc }

// Collect sends one series per script.
func (s scriptInfo) Collect(ch chan<- prometheus.Metric) {
	for _, info := range s.from.Scripts() {
		gauge(ch, scriptInfoDesc, 1, info.Name, info.SHA, strconv.Itoa(info.Version))
	}
}

// topology tells how often the topology was read.
type topology struct{ from source }

var refreshesDesc = desc("redis_topology_refreshes_total", "Times the topology was read anew: ok or failed.", "result")

// Describe lists the one metric.
func (topology) Describe(ch chan<- *prometheus.Desc) { ch <- refreshesDesc }

// Collect sends the manager's counters, which go on for its whole life.
func (t topology) Collect(ch chan<- prometheus.Metric) {
	c := t.from.Counters()
	counter(ch, refreshesDesc, float64(c.TopologyRefreshes), "ok")
	counter(ch, refreshesDesc, float64(c.TopologyRefreshFailures), "failed")
}

// newBuildInfo tells what the program was built from.
func newBuildInfo() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: prefix + "build_info", Help: "1, with the versions of Statelink and of Go.",
		ConstLabels: prometheus.Labels{"version": version(), "go_version": runtime.Version()},
	}, func() float64 { return 1 })
}

const modulePath = "github.com/statelink/statelink"

// version is this module's version, as what it is in the program: its main
// module or a dependency.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range append(info.Deps, &info.Main) {
		if module.Path == modulePath && module.Version != "" {
			return strings.Trim(module.Version, "()") // (devel) is a build of a working tree
		}
	}
	return "unknown"
}
