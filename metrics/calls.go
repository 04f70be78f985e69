package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statelink/statelink/redismanager"
)

// mostNames is how many scripts and how many commands have series of their own.
const mostNames = 200

// calls counts and times the calls of a manager: runs of scripts, and commands.
type calls struct {
	runs         *prometheus.CounterVec
	runTime      *prometheus.HistogramVec
	repairs      *prometheus.CounterVec
	commands     *prometheus.CounterVec
	commandTime  *prometheus.HistogramVec
	retries      *prometheus.CounterVec
	scriptNames  *names
	commandNames *names
	series       *table[callKey, callSeries]
}

type callKey struct {
	name   string
	script bool
	class  redismanager.Class
}

// callSeries are the series that one call adds to; repairs is nil for a command.
type callSeries struct {
	total    prometheus.Counter
	duration prometheus.Observer
	repairs  prometheus.Counter
	retries  prometheus.Counter
}

func newCalls(s settings) calls {
	return calls{
		runs:        counterVec("script_runs_total", "Runs of Lua scripts, by class of error (ok: none).", "script", "class"),
		runTime:     histogramVec("script_duration_seconds", "Time of a run of a Lua script with all its tries.", s.buckets, "script"),
		repairs:     counterVec("script_repairs_total", "Times a node lacked a script and was given it within the call.", "script"),
		commands:    counterVec("redis_commands_total", "Calls of Redis that are not scripts, by class of error (ok: none).", "command", "class"),
		commandTime: histogramVec("redis_command_duration_seconds", "Time of a call of Redis that is no script, with all its tries.", s.buckets, "command"),
		retries:     counterVec("redis_retries_total", "Further tries of calls whose first try failed, by script or command.", "call"),
		scriptNames: &names{limit: mostNames}, commandNames: &names{limit: mostNames},
		series: &table[callKey, callSeries]{},
	}
}

func (c calls) vectors() []prometheus.Collector {
	return []prometheus.Collector{c.runs, c.runTime, c.repairs, c.commands, c.commandTime, c.retries}
}

// CallDone counts one call.
func (c calls) CallDone(_ context.Context, call redismanager.CallInfo) {
	known := c.commandNames
	if call.IsScript {
		known = c.scriptNames
	}
	key := callKey{name: known.label(call.Name, true), script: call.IsScript, class: redismanager.Classify(call.Err)}
	s, ok := c.series.get(key)
	if !ok {
		s, _ = c.series.add(key, 0, c.resolve)
	}
	s.total.Inc()
	s.duration.Observe(call.Duration.Seconds())
	if call.Repairs > 0 && s.repairs != nil {
		s.repairs.Add(float64(call.Repairs))
	}
	if call.Tries > 1 {
		s.retries.Add(float64(call.Tries - 1))
	}
}

func (c calls) resolve(k callKey) callSeries {
	class := string(k.class)
	s := callSeries{retries: c.retries.WithLabelValues(k.name)}
	if !k.script {
		s.total, s.duration = c.commands.WithLabelValues(k.name, class), c.commandTime.WithLabelValues(k.name)
		return s
	}
	s.total, s.duration = c.runs.WithLabelValues(k.name, class), c.runTime.WithLabelValues(k.name)
	s.repairs = c.repairs.WithLabelValues(k.name)
	return s
}
