package redismanager

import (
	"fmt"
	"math"
	"time"
)

const (
	// growAfter is how many samples in a row must show waiting callers before a
	// pool grows; a call that waited in vain needs no second one.
	growAfter = 2
	// quietIntervals is how many intervals a pool must be quiet before it shrinks.
	quietIntervals = 6
	// mostPatience is how many times longer than that a pool must be quiet when
	// shrinking has proved to be too early.
	mostPatience = 8
	// negligible is the part of a sample's time that callers may wait in all, one
	// after another, without it counting: a hundredth.
	negligible = 100
)

// scaleRules are the bounds of one node's pool.
type scaleRules struct {
	min, max int
	interval time.Duration // least time between two changes
}

// poolSample is what a node's pool for single commands did since the sample
// before, and its state now.
type poolSample struct {
	at       time.Time
	took     time.Duration // since the sample before
	size     int
	waits    uint64        // calls that waited and got a connection
	waited   time.Duration // how long, in all
	timeouts uint64        // calls that waited in vain
	waiting  int           // calls waiting now
	inUse    int           // connections in use now
	idle     int           // connections open and free now
	peak     int           // most calls at once; leases and batches count as one each
}

// mustWait reports that waiting for a connection cost callers time worth mention.
func (s poolSample) mustWait() bool {
	return s.timeouts > 0 || s.waiting > 0 && s.inUse >= s.size ||
		s.waits > 0 && s.waited >= s.took/negligible
}

// used is the most connections that were of use at once.
func (s poolSample) used() int { return max(s.peak, s.inUse) }

// scaleMemory is what is known of a node's former changes.
type scaleMemory struct {
	changed  time.Time // the last change, or the last attempt at one
	shrunk   time.Time // the last change to a smaller size
	patience int       // how many times longer a pool must be quiet, 0 is 1
}

// decision is what to do with one pool.
type decision struct {
	from, to int    // sizes; the same: nothing
	open     int    // connections to open before calls use the new pool
	reason   string // with the numbers that decided
}

// quiet is how long a pool must have been quiet before it shrinks.
func (r scaleRules) quiet(m scaleMemory) time.Duration {
	return quietIntervals * r.interval * time.Duration(max(m.patience, 1))
}

// decide judges the samples since the last change, oldest first. It looks at
// nothing else, so that the same samples always lead to the same decision.
func (r scaleRules) decide(history []poolSample, m scaleMemory) decision {
	now := history[len(history)-1]
	if now.at.Sub(m.changed) < r.interval {
		return decision{from: now.size, to: now.size}
	}
	if recent := waitingSamples(history); len(recent) >= growAfter || now.timeouts > 0 {
		return r.grow(recent)
	}
	return r.shrink(history, m)
}

// waitingSamples are the latest samples in which callers waited.
func waitingSamples(history []poolSample) []poolSample {
	first := len(history)
	for first > 0 && history[first-1].mustWait() {
		first--
	}
	return history[first:]
}

// grow makes room for all who wait and a quarter more, and by half at least: how
// many would come if nobody waited is not known.
func (r scaleRules) grow(recent []poolSample) decision {
	now := recent[len(recent)-1]
	var sum poolSample
	for _, s := range recent {
		sum.took += s.took
		sum.waits += s.waits
		sum.waited += s.waited
		sum.timeouts += s.timeouts
		sum.waiting += s.waiting
	}
	waiters := float64(sum.waiting) / float64(len(recent)) // those who wait in vain are only seen here
	if sum.took > 0 {
		waiters = max(waiters, float64(sum.waited)/float64(sum.took)) // those who wait briefly, only here
	}
	need := now.inUse + int(math.Ceil(waiters))
	to := r.clamp(max((3*now.size+1)/2, andAQuarter(need)))
	return decision{from: now.size, to: max(to, now.size), open: min(to, max(need, now.inUse+now.idle)), reason: fmt.Sprintf(
		"callers wait: %d waited %v in all and %d in vain within %v, on average %.1f at once, %d wait now; in use %d of %d; pool_max %d",
		sum.waits, sum.waited.Round(time.Millisecond), sum.timeouts, sum.took.Round(time.Millisecond), waiters, now.waiting, now.inUse, now.size, r.max)}
}

// shrink leaves a quarter more than what was used at once, if that was less than
// half for long and nobody waited.
func (r scaleRules) shrink(history []poolSample, m scaleMemory) decision {
	now := history[len(history)-1]
	d := decision{from: now.size, to: now.size}
	used := 0
	for i := len(history) - 1; i >= 0; i-- {
		s := history[i]
		used = max(used, s.used())
		if s.mustWait() || 2*used >= now.size {
			return d
		}
		quiet := now.at.Sub(s.at)
		if quiet < r.quiet(m) {
			continue
		}
		d.to = min(r.clamp(andAQuarter(used)), now.size)
		d.open = min(d.to, now.inUse+now.idle)
		d.reason = fmt.Sprintf("quiet for %v: at most %d of %d used at once, nobody waited; now %d in use, %d idle; pool_min %d",
			quiet.Round(time.Millisecond), used, now.size, now.inUse, now.idle, r.min)
		return d
	}
	return d
}

// andAQuarter is the size for a number of connections that are used at once.
func andAQuarter(used int) int { return (5*used + 3) / 4 }

func (r scaleRules) clamp(size int) int { return min(max(size, r.min), r.max) }

// after is the memory once d was carried out, or tried. A pool that must grow
// again soon after it shrank was quiet only for a while: it waits twice as long
// before it shrinks again, so that a load that comes and goes leaves it alone.
func (r scaleRules) after(m scaleMemory, d decision, at time.Time) scaleMemory {
	m.changed = at
	switch {
	case d.to < d.from:
		m.shrunk = at
	case d.to > d.from && at.Sub(m.shrunk) <= mostPatience*quietIntervals*r.interval:
		m.patience = min(2*max(m.patience, 1), mostPatience)
		m.shrunk = time.Time{} // one early shrinking counts once
	case d.to > d.from && !m.shrunk.IsZero():
		m.patience, m.shrunk = 1, time.Time{}
	}
	return m
}

// keep is how much of the history may still matter.
func (r scaleRules) keep(history []poolSample, m scaleMemory) []poolSample {
	now, first := history[len(history)-1], 0
	for first+1 < len(history) && now.at.Sub(history[first+1].at) >= r.quiet(m) {
		first++
	}
	return history[first:]
}
