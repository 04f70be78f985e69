package redismanager

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// warmAtOnce is how many connections are opened at the same time for a pool that
// is being prepared. A TLS handshake keeps a server, which has one thread for
// all, busy for about a millisecond: more at once would be felt by the calls.
const warmAtOnce = 4

// resizeWarm gives the node a pool of another size with open connections in it,
// so that calls do not pay for the change. Half of dial_timeout is time for that,
// and half as many as the old pool has must be there by then; the others are
// opened by calls. If one cannot be opened, all stays as it is: so it does while
// the server is stuck or at its limit of clients.
func (n *node) resizeWarm(ctx context.Context, size, open int) (opened int, err error) {
	old := n.current.Load()
	next := n.newPooled(size, old.minIdle, false)
	ctx, cancel := context.WithTimeout(ctx, n.set.cfg.DialTimeout)
	defer cancel()
	unwatch := context.AfterFunc(ctx, func() { _ = next.Close() }) // a read would not notice a cancellation
	opened, err = next.warm(ctx, open, time.Now().Add(n.set.cfg.DialTimeout/2))
	if least := min(open, int(old.PoolStats().TotalConns)/2); err == nil && opened < least {
		err = fmt.Errorf("%w: only %d came to be, at least %d are needed", errSlowDials, opened, least)
	}
	if !unwatch() { // whatever failed, failed because of that
		err = ctx.Err()
	}
	if err != nil {
		_ = next.Close()
		return opened, explainConnection(attempt{err: err, node: n.addr})
	}
	return opened, n.exchange(old, next)
}

var errSlowDials = errors.New("opening connections takes too long")

// warm opens connections, logs in on each, and leaves them idle in the pool. It
// begins no more of them after enough time.
func (p *pooled) warm(ctx context.Context, count int, enough time.Time) (opened int, err error) {
	if most := p.Options().MaxIdleConns; most > 0 {
		count = min(count, most)
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	conns := make(chan *redis.Conn, count) // held until all are open, else the next would get the same
	var begun atomic.Int64
	var opening sync.WaitGroup
	for range min(warmAtOnce, count) {
		opening.Go(func() {
			for begun.Add(1) <= int64(count) && ctx.Err() == nil && time.Now().Before(enough) {
				conn := p.Conn()
				conns <- conn
				if err := conn.Do(ctx, "hello", "3").Err(); err != nil { // needs no permission
					fail(err)
				}
			}
		})
	}
	opening.Wait()
	close(conns)
	for conn := range conns {
		opened++
		_ = conn.Close() // gives it back to the pool
	}
	return opened, context.Cause(ctx)
}
