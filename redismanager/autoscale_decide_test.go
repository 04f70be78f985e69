package redismanager

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var rules = scaleRules{min: 2, max: 100, interval: 5 * time.Second}

// pool plays one node's pool and its autoscaler, a sample at a time.
type pool struct {
	rules   scaleRules
	size    int
	now     time.Time
	memory  scaleMemory
	history []poolSample
	changes []change
}

type change struct {
	at       time.Time
	from, to int
}

func newPool(r scaleRules, size int) *pool {
	return &pool{rules: r, size: size, now: time.Unix(1_800_000_000, 0)}
}

// run lets callers want some connections at once, for one sample.
func (p *pool) run(wanted int) {
	took := p.rules.samplePeriod()
	p.now = p.now.Add(took)
	s := poolSample{at: p.now, took: took, size: p.size, inUse: min(wanted, p.size), peak: wanted, waiting: max(wanted-p.size, 0)}
	s.idle = p.size - s.inUse
	s.waits, s.waited = uint64(s.waiting), time.Duration(s.waiting)*took
	p.history = p.rules.keep(append(p.history, s), p.memory)
	d := p.rules.decide(p.history, p.memory)
	if d.to == d.from {
		return
	}
	p.memory = p.rules.after(p.memory, d, p.now)
	p.history, p.size = nil, d.to
	p.changes = append(p.changes, change{p.now, d.from, d.to})
}

// runFor repeats a load.
func (p *pool) runFor(d time.Duration, wanted int) {
	for end := p.now.Add(d); p.now.Before(end); {
		p.run(wanted)
	}
}

func (r scaleRules) window() time.Duration { return quietIntervals * r.interval }

func drawRules(t *rapid.T) scaleRules {
	r := scaleRules{min: rapid.IntRange(1, 20).Draw(t, "min")}
	r.max = r.min + rapid.IntRange(0, 300).Draw(t, "more")
	r.interval = time.Duration(rapid.IntRange(100, 20_000).Draw(t, "interval ms")) * time.Millisecond
	return r
}

func TestDecide(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	waiting := poolSample{at: at, took: time.Second, size: 10, inUse: 10, waiting: 30, waits: 500, waited: 30 * time.Second, peak: 40}
	brief := poolSample{at: at, took: time.Second, size: 10, inUse: 9, waits: 3, waited: 5 * time.Millisecond, peak: 12}
	some := poolSample{at: at, took: time.Second, size: 10, inUse: 8, waits: 20, waited: 100 * time.Millisecond, peak: 12}
	vain := poolSample{at: at, took: time.Second, size: 10, inUse: 10, timeouts: 1}
	dialing := poolSample{at: at, took: time.Second, size: 10, inUse: 3, waiting: 2, peak: 5}
	idle := func(used int) []poolSample {
		list := make([]poolSample, 31)
		for i := range list {
			list[i] = poolSample{at: at.Add(time.Duration(i-30) * time.Second), took: time.Second, size: 20, idle: 20, peak: 1}
		}
		list[7].peak = used
		return list
	}
	for name, c := range map[string]struct {
		history []poolSample
		memory  scaleMemory
		to      int
	}{
		"one sample of waiting is no reason":       {[]poolSample{waiting}, scaleMemory{}, 10},
		"two are: room for all, and a quarter":     {[]poolSample{waiting, waiting}, scaleMemory{}, 50},
		"a few who wait: half as much again":       {[]poolSample{some, some}, scaleMemory{}, 15},
		"milliseconds are negligible":              {[]poolSample{brief, brief, brief}, scaleMemory{}, 10},
		"opening a connection is no waiting":       {[]poolSample{dialing, dialing}, scaleMemory{}, 10},
		"one who waited in vain is enough":         {[]poolSample{vain}, scaleMemory{}, 15},
		"not within the interval":                  {[]poolSample{waiting, waiting}, scaleMemory{changed: at.Add(-4900 * time.Millisecond)}, 10},
		"after the interval":                       {[]poolSample{waiting, waiting}, scaleMemory{changed: at.Add(-5 * time.Second)}, 50},
		"quiet: a quarter more than was used":      {idle(7), scaleMemory{}, 9},
		"quiet, to the least":                      {idle(1), scaleMemory{}, 2},
		"half in use is not quiet":                 {idle(10), scaleMemory{}, 20},
		"not quiet for long enough":                {idle(1)[1:], scaleMemory{}, 20},
		"once bitten, twice as long":               {idle(1), scaleMemory{patience: 2}, 20},
		"not within the interval of a late change": {idle(1), scaleMemory{changed: at.Add(-time.Second)}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			got := rules.decide(c.history, c.memory)
			require.Equal(t, c.to, got.to)
			require.Equal(t, c.history[0].size, got.from)
			require.LessOrEqual(t, got.open, got.to)
			if got.to != got.from {
				require.NotEmpty(t, got.reason)
			}
		})
	}
}

func TestReasonHasTheNumbers(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	s := poolSample{at: at, took: time.Second, size: 10, inUse: 10, waiting: 30, waits: 500, waited: 30 * time.Second, timeouts: 1}
	require.Equal(t, "callers wait: 1000 waited 1m0s in all and 2 in vain within 2s, on average 30.0 at once, 30 wait now; in use 10 of 10; pool_max 100",
		rules.decide([]poolSample{s, s}, scaleMemory{}).reason)
}

// TestScalingKeepsItsBounds: whatever the load does, sizes stay between the
// bounds and changes apart from each other.
func TestScalingKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		p := newPool(r, rapid.IntRange(r.min, r.max).Draw(t, "size"))
		for range rapid.IntRange(1, 30).Draw(t, "phases") {
			wanted := rapid.IntRange(0, 500).Draw(t, "wanted")
			for range rapid.IntRange(1, 100).Draw(t, "samples") {
				p.run(wanted)
			}
		}
		for i, c := range p.changes {
			require.GreaterOrEqual(t, c.to, r.min)
			require.LessOrEqual(t, c.to, r.max)
			require.NotEqual(t, c.from, c.to)
			if i > 0 {
				require.GreaterOrEqual(t, c.at.Sub(p.changes[i-1].at), r.interval)
			}
		}
	})
}

// TestSteadyLoadSettles: growth is enough after two intervals, and when the pool
// has settled it stays.
func TestSteadyLoadSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		p := newPool(r, rapid.IntRange(r.min, r.max).Draw(t, "size"))
		wanted := rapid.IntRange(0, 400).Draw(t, "wanted")
		p.runFor(2*max(r.interval, growAfter*r.samplePeriod()), wanted)
		require.GreaterOrEqual(t, p.size, min(wanted, r.max))
		p.runFor(2*r.window(), wanted)
		settled := len(p.changes)
		require.LessOrEqual(t, settled, 2)
		p.runFor(20*r.window(), wanted)
		require.Len(t, p.changes, settled)
		require.LessOrEqual(t, p.size, max(2*wanted+1, r.min, 3*wanted/2+1), "nothing is wasted")
	})
}

// TestSquareWaveIsLeftAlone: a load that comes and goes ends with a pool that
// stays, or, if it is away for very long, with one change each way.
func TestSquareWaveIsLeftAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRules(t)
		p := newPool(r, rapid.IntRange(r.min, r.max).Draw(t, "size"))
		low, high := rapid.IntRange(0, 20).Draw(t, "low"), rapid.IntRange(20, 400).Draw(t, "high")
		up := r.samplePeriod() * time.Duration(rapid.IntRange(3, 200).Draw(t, "samples up"))
		down := r.samplePeriod() * time.Duration(rapid.IntRange(1, 300).Draw(t, "samples down"))
		wave := func(times int) (changes int) {
			before := len(p.changes)
			for range times {
				p.runFor(up, high)
				p.runFor(down, low)
			}
			return len(p.changes) - before
		}
		wave(10)
		most := 0
		if down >= mostPatience*r.window()-2*r.samplePeriod() {
			most = 2 * 10
		}
		require.LessOrEqual(t, wave(10), most, "changes in ten waves")
	})
}

// TestSlowGrowthIsEnough: when how many wait is not seen, each change still gives
// half as much again.
func TestSlowGrowthIsEnough(t *testing.T) {
	p := newPool(rules, 2)
	for p.size < 60 {
		p.runFor(rules.interval, p.size+1)
		require.LessOrEqual(t, len(p.changes), 9)
	}
}
