package reliability

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// The deadline of each caller, and by how much its call may return too late.
const (
	callerDeadline = 100 * time.Millisecond
	deadlineSlack  = 50 * time.Millisecond
)

// TestDeadlineKept: 200 callers call a server that has been stopped. As many
// goroutines that only wait for the same deadline tell how late this machine
// itself is.
func TestDeadlineKept(t *testing.T) {
	watchLeaks(t)
	for name, warmed := range map[string]bool{"warm pool": true, "cold pool": false} {
		t.Run(name, func(t *testing.T) {
			srv, key := redistest.StartServer(t), redistest.NewPrefix(t)
			cfg := redismanager.RedisConfig{Addr: srv.Addr(), PoolSize: 50, MinIdleConns: -1}
			e := open(t, cfg, counting)
			if warmed {
				warm(t, e, key, 50)
			}
			srv.Pause()
			defer srv.Resume()
			call := countWith(e, key)
			late, machine := inTime(func(ctx context.Context) { assert.Error(t, call(ctx, 0, 0)) })
			f := newFigures(t, library+", "+name)
			f.took("99th percentile of this machine's own timers", machine)
			f.tookAtMost("99th percentile of return", late, max(machine, callerDeadline)+deadlineSlack)
		})
	}
}

// TestDeadlinePlain is the control: the deadline of the context is not given to
// the sockets.
func TestDeadlinePlain(t *testing.T) {
	watchLeaks(t)
	srv := redistest.StartServer(t)
	client := redis.NewClient(&redis.Options{Addr: srv.Addr(), MaxRetries: -1})
	defer client.Close()
	srv.Pause()
	defer srv.Resume()
	ctx, cancel := context.WithTimeout(context.Background(), callerDeadline)
	defer cancel()
	begun := time.Now()
	assert.Error(t, client.Get(ctx, "k").Err())
	f := newFigures(t, control)
	f.tookAtLeast("one call with 100 ms returned after", time.Since(begun), time.Second)
}

// inTime gives the 99th percentile of 200 calls, and that of 200 bare timers.
func inTime(call func(ctx context.Context)) (calls, timers time.Duration) {
	const callers = 200
	took, waited := make([]time.Duration, callers), make([]time.Duration, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() { took[i] = timed(call) })
		all.Go(func() { waited[i] = timed(func(ctx context.Context) { <-ctx.Done() }) })
	}
	all.Wait()
	return p99(took), p99(waited)
}

func timed(wait func(ctx context.Context)) time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), callerDeadline)
	defer cancel()
	begun := time.Now()
	wait(ctx)
	return time.Since(begun)
}

func p99(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)*99/100]
}
