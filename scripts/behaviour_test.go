package scripts_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/scripts"
)

func clusterClient(t *testing.T) *redis.ClusterClient {
	t.Helper()
	cluster := redistest.SharedCluster(t)
	opts := cluster.Nodes()[0].Options()
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: cluster.Addrs(), DisableIdentity: true, MaintNotificationsConfig: opts.MaintNotificationsConfig,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// withoutShebang is the source for a server that does not know the first line.
func withoutShebang(script scripts.Script) scripts.Script {
	_, rest, _ := strings.Cut(script.Source, "\n")
	script.Source = "--\n" + rest
	return script
}

func TestEveryScriptHasCases(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for _, b := range cases {
		count[b.script]++
	}
	for _, script := range scripts.All() {
		require.GreaterOrEqual(t, count[script.Name], 2, script.Name)
		delete(count, script.Name)
	}
	require.Empty(t, count)
}

func TestBehaviourStandalone(t *testing.T) {
	t.Parallel()
	client := redistest.SharedStandalone(t).Client(t)
	eachCase(t, func(t *testing.T, b behaviour) {
		s := newStage(t, client)
		s.plant(t, b.given)
		reply, err := s.run(b.get(t), b.args)
		b.requireOutcome(t, s, reply, err)
	})
}

func TestBehaviourCluster(t *testing.T) {
	t.Parallel()
	client := clusterClient(t)
	eachCase(t, func(t *testing.T, b behaviour) {
		s := newStage(t, client)
		s.plant(t, b.given)
		reply, err := s.run(b.get(t), b.args)
		b.requireOutcome(t, s, reply, err)
	})
}

func TestBehaviourMiniredis(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr(), DisableIdentity: true})
	t.Cleanup(func() { _ = client.Close() })
	eachCase(t, func(t *testing.T, b behaviour) {
		s := newStage(t, client)
		s.plant(t, b.given)
		reply, err := s.run(withoutShebang(b.get(t)), b.args)
		b.requireOutcome(t, s, reply, err)
	})
}

// TestFreshnessBound stands on a clock that the test sets, which no real server has.
func TestFreshnessBound(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	now := time.UnixMilli(1795525256999)
	server.SetTime(now.Add(999 * time.Microsecond))
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), DisableIdentity: true})
	t.Cleanup(func() { _ = client.Close() })

	server.HSet("state", "0", "1-1795525255999-1", "1", "2-1795525255998-1")
	get, _ := scripts.Get(scripts.GetServicePod)
	reply, err := client.Eval(context.Background(), withoutShebang(get).Source, []string{"state"}, 1000, 0).Result()
	require.NoError(t, err)
	require.Equal(t, list("0", "1"), reply, "fresh is: not older than max_age")

	set, _ := scripts.Get(scripts.SetState)
	require.NoError(t, client.Eval(context.Background(), withoutShebang(set).Source, []string{"state"}, 5, 3, 1).Err())
	require.Equal(t, "3-1795525256999-1", server.HGet("state", "5"), "whole milliseconds, all digits")
}

func TestLoad(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	nodes := append(redistest.SharedCluster(t).Masters(), redistest.SharedStandalone(t))
	require.Len(t, nodes, 4)
	for _, node := range nodes {
		client := node.Client(t)
		for _, script := range scripts.All() {
			sum := sha1.Sum([]byte(script.Source))
			sha, err := client.ScriptLoad(ctx, script.Source).Result()
			require.NoError(t, err, script.Name)
			require.Equal(t, hex.EncodeToString(sum[:]), sha, script.Name)
		}
	}
}

// TestNoCrossSlot proves that a user's keys cannot be mixed with another's in a Cluster.
func TestNoCrossSlot(t *testing.T) {
	t.Parallel()
	client := clusterClient(t)
	one, other := newStage(t, client), newStage(t, client)
	one.keys["user"] = other.keys["user"]
	for _, script := range scripts.All() {
		if len(script.Keys) < 2 {
			continue
		}
		args := []any{"chat", "-1", "-1", "-1"}[:len(script.Args)]
		_, err := one.run(script, args)
		require.ErrorContains(t, err, "CROSSSLOT", script.Name)
	}
	require.Empty(t, one.find(t))
	require.Empty(t, other.find(t))
}
