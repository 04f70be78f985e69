package cli

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
)

// served is a running serve command.
type served struct {
	base string
	stop func() result
}

// startServe runs serve on a free port until stop, which gives how it ended.
func startServe(t *testing.T, sh shell, args ...string) served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	var logs lockedBuffer
	done := make(chan int, 1)
	go func() {
		p := newProgram(strings.NewReader(""), write, &logs)
		p.environ = func() []string { return sh.env }
		done <- p.run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--health-interval", "200ms", "--timeout", "2s"}, args...))
		_ = write.Close()
	}()
	stop := sync.OnceValue(func() result {
		cancel()
		go func() { _, _ = io.Copy(io.Discard, read) }()
		return result{code: <-done, errOut: logs.String()}
	})
	t.Cleanup(func() { stop() })
	line, err := bufio.NewReader(read).ReadString('\n')
	require.NoError(t, err, logs.String())
	return served{base: strings.TrimSpace(strings.TrimPrefix(line, "listening on ")), stop: stop}
}

type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (s served) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(s.base + path)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func (s served) becomes(t *testing.T, path string, status int) {
	t.Helper()
	require.Eventually(t, func() bool {
		got, _ := s.get(t, path)
		return got == status
	}, 20*time.Second, 50*time.Millisecond, "%s must become %d", path, status)
}

// serve starts before Redis does, says when it is there and when it is gone,
// and ends without failure when it is told to.
func TestServe(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t)
	srv.Kill()
	s := startServe(t, at(standaloneURL(srv)))
	status, _ := s.get(t, "/healthz")
	require.Equal(t, http.StatusOK, status)
	status, body := s.get(t, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "not connected")
	status, body = s.get(t, "/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "go_goroutines")

	srv.Restart(t)
	s.becomes(t, "/readyz", http.StatusOK)
	_, body = s.get(t, "/metrics")
	require.Contains(t, body, `statelink_redis_node_health{node="`+srv.Addr()+`"`)
	srv.Kill()
	s.becomes(t, "/readyz", http.StatusServiceUnavailable)
	status, _ = s.get(t, "/healthz")
	require.Equal(t, http.StatusOK, status)

	end := s.stop()
	require.Zero(t, end.code, end.errOut)
	require.Contains(t, end.errOut, "event=health_changed")
	require.Contains(t, end.errOut, "to=down")
}

// With --config the file is followed.
func TestServeFollowsTheFile(t *testing.T) {
	t.Parallel()
	one, two := redistest.StartServer(t), redistest.StartServer(t)
	file := filepath.Join(t.TempDir(), "statelink.yaml")
	write := func(srv *redistest.Server) {
		require.NoError(t, os.WriteFile(file, []byte("redis:\n  addr: "+srv.Addr()+"\n"), 0o600))
	}
	write(one)
	s := startServe(t, shell{}, "--config", file)
	s.becomes(t, "/readyz", http.StatusOK)
	write(two)
	require.Eventually(t, func() bool {
		_, body := s.get(t, "/readyz")
		return strings.Contains(body, two.Addr()) && !strings.Contains(body, one.Addr())
	}, 20*time.Second, 50*time.Millisecond)
	require.Contains(t, s.stop().errOut, "event=config_replaced")
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no port":        {"--listen", "127.0.0.1"},
		"other machine":  {"--listen", "192.0.2.1:0"},
		"short interval": {"--health-interval", "1ms"},
	} {
		got := at("redis://127.0.0.1:1").run(t.Context(), append([]string{"serve"}, args...)...)
		require.Equal(t, 2, got.code, "%s: %s", name, got.errOut)
		require.Contains(t, got.errOut, args[0], name)
	}
}
