package redismanager_test

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// halfway is a proxy that holds the requests of a connection in front of a
// marker, once: the server answers what comes before, something happens, and the
// rest goes on. That is what a long pipeline meets on the way.
type halfway struct {
	listener net.Listener
	target   string
	open     sync.WaitGroup

	mu     sync.Mutex
	marker []byte
	then   func()
}

func newHalfway(t *testing.T, target string) *halfway {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := &halfway{listener: listener, target: target}
	h.open.Go(h.accept)
	t.Cleanup(func() { _ = listener.Close(); h.open.Wait() })
	return h
}

func (h *halfway) hold(marker string, then func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.marker, h.then = []byte(marker), then
}

func (h *halfway) accept() {
	for {
		client, err := h.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", h.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		answered := make(chan struct{}, 1)
		h.open.Go(func() { move(server, client, func(b []byte) { h.request(server, b, answered) }) })
		h.open.Go(func() {
			move(client, server, func(b []byte) {
				select {
				case answered <- struct{}{}:
				default:
				}
				_, _ = client.Write(b)
			})
		})
	}
}

func (h *halfway) request(server net.Conn, b []byte, answered chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at := bytes.Index(b, h.marker); h.then != nil && at > 0 {
		at = bytes.LastIndexByte(b[:at], '*') // where that command begins
		select {
		case <-answered: // of a request before
		default:
		}
		_, _ = server.Write(b[:at])
		if at > 0 {
			<-answered
		}
		b = b[at:]
		h.then()
		h.then = nil
	}
	_, _ = server.Write(b)
}

func move(to, from net.Conn, write func([]byte)) {
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			write(buf[:n])
		}
		if err != nil {
			_, _ = to.Close(), from.Close()
			return
		}
	}
}

func (h *halfway) config() redismanager.RedisConfig {
	return redismanager.RedisConfig{Addr: h.listener.Addr().String(), MinIdleConns: -1}
}

// A server that becomes a master between two items of a pipeline has refused the
// first and run the second. The first sent again would run after the second.
func TestPromotionWithinAPipelineKeepsTheOrderOfASlot(t *testing.T) {
	srv := redistest.StartServer(t)
	h := newHalfway(t, srv.Addr())
	m := open(t, h.config())
	admin, ctx, key := srv.Client(t), within(t, 10*time.Second), redistest.NewPrefix(t)
	get := command("GET", key)
	get.ReadOnly = true
	require.NoError(t, admin.Do(ctx, "replicaof", "127.0.0.1", "1").Err())
	h.hold("the-second", func() { _ = admin.Do(ctx, "replicaof", "no", "one").Err() })
	results, err := m.Batch(ctx, []redismanager.BatchItem{
		command("SET", key+"other", "x"), command("SET", key, "first"), command("SET", key, "the-second"), get,
	})
	require.NoError(t, err)
	require.NoError(t, results[0].Err, "of another slot: sent again")
	require.ErrorIs(t, results[1].Err, redismanager.ErrReadOnly, "surely not applied, and not sent again")
	require.NoError(t, results[2].Err)
	require.Equal(t, "the-second", results[3].Value)
	require.Equal(t, "the-second", admin.Get(ctx, key).Val())
}

// A server that is busy when it is to load a script, and is not any more when the
// items come, runs all of them in their order or none.
func TestBusyServerKeepsTheOrderOfASlot(t *testing.T) {
	srv := redistest.StartServer(t, redistest.WithConfig("busy-reply-threshold", "10"))
	h := newHalfway(t, srv.Addr())
	appending := redismanager.Script{Name: "append", Source: "#!lua\nreturn redis.call('APPEND', KEYS[1], ARGV[1])\n"}
	m := open(t, h.config())
	require.NoError(t, m.AddScripts(appending))
	admin, ctx, key := srv.Client(t), within(t, 10*time.Second), redistest.NewPrefix(t)
	require.NoError(t, admin.Set(ctx, key, "", 0).Err())
	spinning := make(chan struct{})
	go func() {
		defer close(spinning)
		_ = srv.Client(t).Do(ctx, "eval", "while true do end", 0).Err()
	}()
	require.Eventually(t, func() bool {
		err := admin.Ping(ctx).Err()
		return err != nil && strings.HasPrefix(err.Error(), "BUSY ")
	}, 5*time.Second, time.Millisecond)
	h.hold("evalsha", func() {
		_ = admin.Do(ctx, "script", "kill").Err()
		<-spinning
	})
	results, err := m.Batch(ctx, []redismanager.BatchItem{run("append", key, "1"), command("APPEND", key, "2")})
	require.NoError(t, err)
	h.hold("", nil)
	_ = admin.Do(ctx, "script", "kill").Err()
	<-spinning
	for i, r := range results {
		require.ErrorIs(t, r.Err, redismanager.ErrBusyScript, "item %d", i)
	}
	require.Empty(t, admin.Get(ctx, key).Val())
}
