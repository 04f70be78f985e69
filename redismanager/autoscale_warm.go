package redismanager

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// warmAtOnce is how many connections are opened at the same time for a pool that
// is being prepared. A TLS handshake keeps a server, which has one thread for
// all, busy for about a millisecond: more at once would be felt by the calls.
const warmAtOnce = 4

// resizeWarm gives the node a pool of another size with open connections in it,
// so that calls do not pay for the change. If they cannot be opened within
// dial_timeout, all stays as it is: so it does while the server is stuck or at its
// limit of clients.
func (n *node) resizeWarm(ctx context.Context, size, open int) error {
	old := n.current.Load()
	next := n.newPooled(size, old.minIdle, false)
	ctx, cancel := context.WithTimeout(ctx, n.set.cfg.DialTimeout)
	defer cancel()
	unwatch := context.AfterFunc(ctx, func() { _ = next.Close() }) // a read would not notice a cancellation
	err := next.warm(ctx, open)
	if !unwatch() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = next.Close()
		return explainConnection(attempt{err: err, node: n.addr})
	}
	return n.replace(old, next)
}

// warm opens connections, logs in on each, and leaves them idle in the pool.
func (p *pooled) warm(ctx context.Context, count int) error {
	if most := p.Options().MaxIdleConns; most > 0 {
		count = min(count, most)
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	conns := make([]*redis.Conn, count)
	turns := make(chan struct{}, warmAtOnce)
	var opening sync.WaitGroup
	for i := range conns {
		conns[i] = p.Conn() // held until all are open, else the next would get it again
		opening.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			if err := conns[i].Do(ctx, "hello", "3").Err(); err != nil { // needs no permission
				fail(err)
			}
		})
	}
	opening.Wait()
	for _, c := range conns {
		_ = c.Close() // gives it back to the pool
	}
	return context.Cause(ctx)
}
