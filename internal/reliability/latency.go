package reliability

import (
	"math"
	"time"
)

// latencyBuckets cover 1 µs to more than an hour in steps of 5 %.
const (
	latencyBuckets = 460
	latencyStep    = 1.05
)

// Latency is a histogram of durations, of fixed size however many there are.
// Its zero value is empty.
type Latency struct {
	buckets [latencyBuckets]uint32
	n       uint64
	max     time.Duration
}

// Add counts one duration.
func (l *Latency) Add(d time.Duration) {
	l.buckets[bucketOf(d)]++
	l.n++
	l.max = max(l.max, d)
}

func bucketOf(d time.Duration) int {
	if d <= time.Microsecond {
		return 0
	}
	i := int(math.Log(float64(d)/float64(time.Microsecond)) / math.Log(latencyStep))
	return min(i, latencyBuckets-1)
}

// Max is the longest duration, exactly.
func (l *Latency) Max() time.Duration { return l.max }

// Quantile gives the duration that the share q (0 to 1) of all did not exceed,
// at most 5 % too long.
func (l *Latency) Quantile(q float64) time.Duration {
	want := uint64(math.Ceil(q * float64(l.n)))
	var seen uint64
	for i, n := range l.buckets {
		seen += uint64(n)
		if seen >= want && seen > 0 {
			upper := time.Duration(float64(time.Microsecond) * math.Pow(latencyStep, float64(i+1)))
			return min(upper, l.max)
		}
	}
	return l.max
}

func (l *Latency) merge(o *Latency) {
	for i, n := range o.buckets {
		l.buckets[i] += n
	}
	l.n += o.n
	l.max = max(l.max, o.max)
}
