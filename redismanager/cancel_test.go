package redismanager_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// hanging gives the address of a server that accepts connections and never answers.
func hanging(tb testing.TB) string {
	tb.Helper()
	proxy := redistest.NewProxy(tb, redistest.SharedStandalone(tb).Addr())
	proxy.Hang(true)
	return proxy.Addr()
}

// A cancellation ends New at once, not after read_timeout.
func TestNewIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	start := time.Now()
	_, err := redismanager.New(ctx, redismanager.RedisConfig{Addr: hanging(t), ReadTimeout: time.Minute})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(start), 3*time.Second)
}

// Close does not wait for an update that hangs.
func TestCloseDuringAHangingUpdate(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	result := make(chan error, 1)
	addr := hanging(t)
	go func() { result <- m.UpdateConfig(&redismanager.RedisConfig{Addr: addr, ReadTimeout: time.Minute}) }()
	time.Sleep(50 * time.Millisecond) // either order is right
	start := time.Now()
	require.NoError(t, m.Close())
	require.Less(t, time.Since(start), 3*time.Second)
	require.ErrorIs(t, <-result, redismanager.ErrClosed)
}

// The context's error stays in the chain also when the socket noticed first.
func TestDeadlineIsInTheChain(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), MinIdleConns: -1}, redismanager.WithScripts(counting))
	key := redistest.NewPrefix(t)
	for range 3 {
		_, err := m.ExecuteScript(within(t, time.Second), "counting", []string{key}, nil)
		require.NoError(t, err)
		srv.Pause()
		_, err = m.ExecuteScript(within(t, 80*time.Millisecond), "counting", []string{key}, nil)
		srv.Resume()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, redismanager.ErrOutcomeUnknown)
	}
}

// A dial that runs into dial_timeout has a deadline of its own: it is not the
// caller's, so the server is unavailable and another try is allowed.
func TestHangingHandshakeIsUnavailable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	certs := redistest.NewCerts(t)
	_, err = redismanager.New(context.Background(), redismanager.RedisConfig{
		Addr: listener.Addr().String(), DialTimeout: 100 * time.Millisecond,
		TLS: redismanager.TLSConfig{Enabled: true, CAFile: certs.CAFile},
	})
	require.Equal(t, redismanager.ClassUnavailable, redismanager.Classify(err), "%v", err)
	require.True(t, redismanager.Retryable(err))
}

// A batch waits for a connection as long as a single call, and says the same.
func TestExhaustedPoolOfABatch(t *testing.T) {
	m := open(t, redismanager.RedisConfig{
		Addr: redistest.SharedStandalone(t).Addr(), PoolSize: 2, MinIdleConns: -1, PipelinePoolSize: -1, PoolTimeout: 80 * time.Millisecond,
	})
	defer holdConnections(t, m, "k", 2)()
	for name, ctx := range map[string]context.Context{
		"for pool_timeout":   context.Background(),
		"until the deadline": within(t, 300*time.Millisecond),
	} {
		start := time.Now()
		_, err := m.GetBatch(ctx, []string{"a", "b"})
		var full *redismanager.PoolExhaustedError
		require.ErrorAs(t, err, &full, name)
		require.Equal(t, 2, full.Size, name)
		require.Less(t, time.Since(start), time.Second, name)
	}
}

// PING would be answered; a server that refuses every write is not healthy.
func TestHealthCheckSeesADemotedMaster(t *testing.T) {
	srv, master := redistest.StartServer(t), redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()})
	require.NoError(t, m.HealthCheck(within(t, time.Second)))
	host, port := split(t, master.Addr())
	require.NoError(t, srv.Client(t).ReplicaOf(context.Background(), host, port).Err())
	require.ErrorIs(t, m.HealthCheck(within(t, time.Second)), redismanager.ErrReadOnly)
}

type explosive struct{}

func (explosive) MarshalBinary() ([]byte, error) { panic("boom") }

type unwilling struct{}

func (unwilling) MarshalBinary() ([]byte, error) { return nil, errors.New("not today") }

type willing struct{}

func (willing) MarshalBinary() ([]byte, error) { return []byte("encoded"), nil }

// Arguments that encode themselves do so before anything is sent.
func TestArgumentsThatEncodeThemselves(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr(), CloseTimeout: 100 * time.Millisecond})
	ctx := within(t, 2*time.Second)
	args := []any{"x", willing{}}
	value, err := m.ExecuteScript(ctx, "return ARGV[2]", []string{"k"}, args)
	require.NoError(t, err)
	require.Equal(t, "encoded", value)
	require.Equal(t, []any{"x", willing{}}, args, "the caller's slice is the caller's")
	_, err = m.ExecuteScript(ctx, "return ARGV[1]", []string{"k"}, []any{unwilling{}})
	require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
	require.ErrorContains(t, err, "not today")
	require.Panics(t, func() { _, _ = m.ExecuteScript(ctx, "return ARGV[1]", []string{"k"}, []any{explosive{}}) })
	require.NoError(t, m.Close(), "nothing is left in flight")
}

func TestVerifyWithoutScripts(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	rows, _, err := m.VerifyScripts(within(t, time.Second))
	require.NoError(t, err)
	require.Empty(t, rows)
}

// A start that is given up while it asks who serves what leaves nothing behind.
func TestNewIsCancelledAtAnyMoment(t *testing.T) {
	for _, top := range topologies[1:] {
		cfg := top.config(t)
		start := time.Now()
		m, err := redismanager.New(within(t, 10*time.Second), cfg, redismanager.WithLogger(quiet))
		require.NoError(t, err)
		require.NoError(t, m.Close())
		took := time.Since(start)
		for i := range 60 {
			ctx, cancel := context.WithTimeout(context.Background(), took*time.Duration(i)/50)
			m, err := redismanager.New(ctx, cfg, redismanager.WithLogger(quiet))
			cancel()
			if err == nil {
				require.NoError(t, m.Close())
			}
		}
	}
}

// Nobody canceled the call: the node left while it waited for a connection.
func TestDialThatIsGivenUpIsNotCanceled(t *testing.T) {
	certs := redistest.NewCerts(t)
	proxy := redistest.NewProxy(t, redistest.StartServer(t, redistest.WithTLS(certs)).Addr())
	m := open(t, redismanager.RedisConfig{
		Addr: proxy.Addr(), MinIdleConns: -1, MaxRetries: -1, CloseTimeout: 50 * time.Millisecond,
		TLS: redismanager.TLSConfig{Enabled: true, CAFile: certs.CAFile, CertFile: certs.ClientCertFile, KeyFile: certs.ClientKeyFile},
	})
	proxy.CutAll()
	proxy.Hang(true)
	done := make(chan error)
	go func() {
		for {
			_, err := m.Read(context.Background(), "get", "k")
			if err == nil || !errors.Is(err, io.EOF) { // else it was cut just now
				done <- err
				return
			}
		}
	}()
	time.Sleep(200 * time.Millisecond) // it dials
	_ = m.Close()
	err := <-done
	require.NotErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, redismanager.ErrOutcomeUnknown)
}
