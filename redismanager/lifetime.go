package redismanager

import (
	"sync"
	"sync/atomic"
)

// lifetime counts the users of something that is closed after the last of
// them. Until it is retired it counts itself as one.
type lifetime struct {
	refs    atomic.Int64
	drained chan struct{} // closed when the last user has gone
	retired sync.Once
}

func (l *lifetime) begin() {
	l.drained = make(chan struct{})
	l.refs.Store(1)
}

// acquire keeps it open until release. It reports false once it has drained.
func (l *lifetime) acquire() bool {
	for {
		n := l.refs.Load()
		if n == 0 {
			return false
		}
		if l.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (l *lifetime) release() {
	if l.refs.Add(-1) == 0 {
		close(l.drained)
	}
}

// retire lets it drain; it may be called more than once.
func (l *lifetime) retire() { l.retired.Do(l.release) }

// inUse is the number of users that still hold it after it was retired.
func (l *lifetime) inUse() int64 { return l.refs.Load() }
