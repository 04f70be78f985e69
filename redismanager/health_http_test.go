package redismanager_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

func get(handler http.Handler, method string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(method, "/", http.NoBody))
	return w
}

var stamps = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]*"`)

// golden gives a body with what differs from run to run replaced.
func golden(body string, addrs ...string) string {
	body = stamps.ReplaceAllString(body, `"TIME"`)
	for i, addr := range addrs {
		body = strings.ReplaceAll(body, addr, "node-"+string(rune('a'+i)))
	}
	return strings.TrimSpace(body)
}

func TestReadyHandler(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), Password: "", DialTimeout: time.Second})
	ready := m.ReadyHandler()

	w := get(ready, http.MethodGet)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, `{"ready":false,"state":"unknown","reason":"the health check is not started","nodes":[]}`, golden(w.Body.String()))

	m.StartHealthCheck(pace)
	rounds(t, m, 1)
	w = get(ready, http.MethodGet)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, `{"ready":true,"state":"healthy","checked_at":"TIME","nodes":[{"addr":"node-a","role":"master","state":"healthy"}]}`,
		golden(w.Body.String(), srv.Addr()))

	srv.Kill()
	reach(t, m, 5*time.Second, is(redismanager.Down))
	w = get(ready, http.MethodGet)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	refused := `redis unavailable: node node-a: dial tcp node-a: connect: connection refused`
	require.Equal(t, `{"ready":false,"state":"down","reason":"master node-a is down: `+refused+`","checked_at":"TIME",`+
		`"nodes":[{"addr":"node-a","role":"master","state":"down","reason":"`+refused+`"}]}`, golden(w.Body.String(), srv.Addr()))
	require.Equal(t, http.StatusOK, get(m.LiveHandler(), http.MethodGet).Code, "the process lives")

	m.StopHealthCheck()
	require.Contains(t, get(ready, http.MethodGet).Body.String(), "not started")
	require.NoError(t, m.Close())
	w = get(ready, http.MethodGet)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "the manager is closed")
}

func TestLiveHandler(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	w := get(m.LiveHandler(), http.MethodGet)
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{"status":"ok"}`, w.Body.String())
	require.NoError(t, m.Close())
	require.Equal(t, http.StatusServiceUnavailable, get(m.LiveHandler(), http.MethodGet).Code)
}

func TestHealthHandlersOnlyRead(t *testing.T) {
	m := checked(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	for _, handler := range []http.Handler{m.LiveHandler(), m.ReadyHandler()} {
		w := get(handler, http.MethodPost)
		require.Equal(t, http.StatusMethodNotAllowed, w.Code)
		require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
		server := httptest.NewServer(handler)
		response, err := http.Head(server.URL)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	}
}

// What a check says of a login that fails holds no secret.
func TestHealthHoldsNoSecret(t *testing.T) {
	const secret = "canary-4711"
	srv := redistest.StartServer(t, redistest.WithPassword(secret))
	m := checked(t, redismanager.RedisConfig{Addr: srv.Addr(), Password: secret})
	admin := srv.Client(t)
	require.NoError(t, admin.ConfigSet(within(t, time.Second), "requirepass", "another").Err())
	require.NoError(t, admin.Do(within(t, time.Second), "client", "kill", "type", "normal").Err())
	reach(t, m, 5*time.Second, is(redismanager.Down))
	status, err := json.Marshal(m.Health())
	require.NoError(t, err)
	for _, text := range []string{get(m.ReadyHandler(), http.MethodGet).Body.String(), string(status)} {
		require.Contains(t, text, "WRONGPASS")
		require.NotContains(t, text, secret)
	}
}
