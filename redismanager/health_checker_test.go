package redismanager_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/embedded"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

func TestHealthCheckerLifecycle(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	m.StopHealthCheck()
	require.Equal(t, redismanager.HealthUnknown, m.Health().State)
	changes, cancel := m.HealthChanges()
	for range 2 {
		m.StartHealthCheck(time.Hour) // kept within 5 min
		m.StartHealthCheck(0)
		m.StartHealthCheck(time.Millisecond) // the new interval holds at once
		rounds(t, m, 3)
		require.Equal(t, redismanager.Healthy, m.Health().State)
		m.StopHealthCheck()
		m.StopHealthCheck()
		require.Equal(t, redismanager.HealthUnknown, m.Health().State)
		require.Equal(t, redismanager.HealthUnknown, (<-changes).State, "the newest wins")
	}
	cancel()
	cancel()
	_, open := <-changes
	require.False(t, open)

	changes, cancel = m.HealthChanges()
	m.StartHealthCheck(pace)
	require.NoError(t, m.Close())
	for range changes { // ends
		continue
	}
	cancel()
	m.StartHealthCheck(pace)
	m.StopHealthCheck()
	require.Equal(t, redismanager.HealthUnknown, m.Health().State)
	changes, _ = m.HealthChanges()
	_, open = <-changes
	require.False(t, open)
}

// Start, stop, read, follow and close from everywhere.
func TestHealthCheckerConcurrently(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				m.StartHealthCheck(pace)
				_ = m.Health()
				changes, cancel := m.HealthChanges()
				m.StopHealthCheck()
				drain(changes)
				cancel()
			}
		})
	}
	all.Go(func() {
		time.Sleep(20 * time.Millisecond) // any moment is right
		_ = m.Close()
	})
	all.Wait()
}

// Close does not wait for a check that hangs.
func TestCloseDuringACheckThatHangs(t *testing.T) {
	srv := redistest.StartServer(t)
	m := checked(t, redismanager.RedisConfig{Addr: srv.Addr(), ReadTimeout: time.Minute})
	m.StartHealthCheck(3 * time.Second)
	srv.Pause()
	m.StopHealthCheck()
	m.StartHealthCheck(3 * time.Second)
	start := time.Now()
	require.NoError(t, m.Close())
	require.Less(t, time.Since(start), 500*time.Millisecond)
	srv.Resume()
}

// The server in the process knows neither INFO of these sections nor "#!lua".
func TestHealthOfTheEmbeddedServer(t *testing.T) {
	srv, err := embedded.Start()
	require.NoError(t, err)
	defer srv.Close()
	m := checked(t, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithScripts(counting))
	rounds(t, m, 2)
	require.Equal(t, redismanager.Healthy, m.Health().State, m.Health().Reason)
	require.Empty(t, m.Events())
}

func TestHealthPolicyIsValidated(t *testing.T) {
	for field, policy := range map[string]redismanager.HealthPolicy{
		"Fall": {Fall: -1}, "Rise": {Rise: 101}, "LagBytes": {LagBytes: -2}, "Latency": {Latency: time.Nanosecond}, "MarkerPrefix": {MarkerPrefix: "a{b"},
	} {
		_, err := redismanager.New(within(t, time.Second), redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()},
			redismanager.WithHealthPolicy(policy))
		require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
		require.ErrorContains(t, err, field)
	}
}
