package reliability

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// How many connections idle while the server restarts, and how many calls find them.
const (
	deadConnections = 100
	callsAfter      = 200
)

// TestDeadTLSConnections: a server restarts behind idle connections over TLS, on
// which go-redis cannot see that they are dead. Calls that may be repeated do
// not fail.
func TestDeadTLSConnections(t *testing.T) {
	watchLeaks(t)
	certs := redistest.NewCerts(t)
	srv, ns := redistest.StartServer(t, redistest.WithTLS(certs)), redistest.NewPrefix(t)
	e := open(t, redismanager.RedisConfig{
		Addr: srv.Addr(), PoolSize: deadConnections, MinIdleConns: -1,
		TLS: redismanager.TLSConfig{
			Enabled: true, CAFile: certs.CAFile, CertFile: certs.ClientCertFile, KeyFile: certs.ClientKeyFile,
		},
	})
	read := func(ctx context.Context) error { return second(e.GetLinkedPod(ctx, ns, "u", service)) }
	openAll(t, srv, read)
	require.Equal(t, deadConnections, e.Manager().PoolStats().Total.Idle)
	srv.Restart(t)
	failed, longest := callsOnDead(read)
	f := newFigures(t, library)
	f.exactly("failed calls of 200", failed, 0)
	f.took("longest call", longest)
	writes, _ := callsOnDead(func(ctx context.Context) error { return second(e.SetLinkedPod(ctx, ns, "u", service, 1, forever)) })
	f.exactly("failed changes of 200 afterwards", writes, 0)
}

// TestDeadTLSConnectionsPlain is the control, with the retries that go-redis has
// by default.
func TestDeadTLSConnectionsPlain(t *testing.T) {
	watchLeaks(t)
	certs := redistest.NewCerts(t)
	srv := redistest.StartServer(t, redistest.WithTLS(certs))
	client := redis.NewClient(&redis.Options{Addr: srv.Addr(), TLSConfig: certs.ClientTLS(), PoolSize: deadConnections})
	defer client.Close()
	set := func(ctx context.Context) error { return client.Set(ctx, "k", "v", 0).Err() }
	openAll(t, srv, set)
	require.EqualValues(t, deadConnections, client.PoolStats().IdleConns)
	srv.Restart(t)
	failed, longest := callsOnDead(set)
	f := newFigures(t, control)
	f.atLeast("failed calls of 200", failed, 1)
	f.took("longest call", longest)
}

// openAll makes a client open all its connections: while the server does not
// answer, each call needs one of its own.
func openAll(t *testing.T, srv *redistest.Server, call func(ctx context.Context) error) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	errs := make(chan error, deadConnections)
	srv.Pause()
	for range deadConnections {
		go func() { errs <- call(ctx) }()
	}
	time.Sleep(200 * time.Millisecond) // all of them are on their way
	srv.Resume()
	for range deadConnections {
		require.NoError(t, <-errs)
	}
}

// callsOnDead makes the calls one after the other, so that each finds what the
// one before has left in the pool.
func callsOnDead(call func(ctx context.Context) error) (failed int, longest time.Duration) {
	for range callsAfter {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		begun := time.Now()
		if call(ctx) != nil {
			failed++
		}
		longest = max(longest, time.Since(begun))
		cancel()
	}
	return failed, longest
}
