package redismanager_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

func TestMain(m *testing.M) {
	if fleetMember() { // this is a process that a test has started
		return
	}
	redistest.Main(m)
}

// topologies are the real deployments that a test runs on.
var topologies = []struct {
	name   string
	config func(tb testing.TB) redismanager.RedisConfig
}{
	{"standalone", func(tb testing.TB) redismanager.RedisConfig {
		return redismanager.RedisConfig{Addr: redistest.SharedStandalone(tb).Addr()}
	}},
	{"sentinel", func(tb testing.TB) redismanager.RedisConfig {
		set := redistest.SharedSentinel(tb)
		return redismanager.RedisConfig{Mode: redismanager.ModeSentinel, Addrs: set.Addrs(), MasterName: set.MasterName}
	}},
	{"cluster", func(tb testing.TB) redismanager.RedisConfig {
		return redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: redistest.SharedCluster(tb).Addrs()}
	}},
}

// onEach runs a test on every topology with a manager of its own.
func onEach(t *testing.T, test func(t *testing.T, m *redismanager.Manager)) {
	for _, top := range topologies {
		t.Run(top.name, func(t *testing.T) { test(t, open(t, top.config(t))) })
	}
}

func within(tb testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	tb.Cleanup(cancel)
	return ctx
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func open(tb testing.TB, cfg redismanager.RedisConfig, opts ...redismanager.Option) *redismanager.Manager {
	tb.Helper()
	m, err := redismanager.New(within(tb, 10*time.Second), cfg, append([]redismanager.Option{redismanager.WithLogger(quiet)}, opts...)...)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = m.Close() })
	return m
}

// The scripts of these tests: each counts its executions in KEYS[1].
var (
	counting = redismanager.Script{Name: "counting", Source: "#!lua\nreturn redis.call('INCR', KEYS[1])\n"}
	setting  = redismanager.Script{Name: "setting", Source: "#!lua\nredis.call('INCR', KEYS[1])\nreturn 'done'\n", Idempotent: true}
	reading  = redismanager.Script{Name: "reading", Source: "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])\n"}
)
