package redismanager_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// counted runs the counting script with acknowledgements.
func counted(ctx context.Context, m *redismanager.Manager, key string, acks redismanager.Acks) (any, error) {
	return m.Run(ctx, redismanager.ScriptCall{Script: "counting", Keys: []string{key}, Acks: acks})
}

// Where each master has one replica one acknowledgement can be had, two cannot;
// a standalone server gives none. The answer comes all the same.
func TestAcks(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		require.NoError(t, m.AddScripts(counting))
		ctx, key := within(t, 20*time.Second), redistest.NewPrefix(t)
		has := 1
		if m.Mode() == redismanager.ModeStandalone {
			has = 0
		}
		for replicas := 1; replicas <= 2; replicas++ {
			value, err := counted(ctx, m, key, redismanager.Acks{Replicas: replicas, Timeout: 500 * time.Millisecond})
			require.EqualValues(t, replicas, value)
			requireAcked(t, err, has, replicas)
			_, err = m.WriteAcked(ctx, redismanager.Acks{Replicas: replicas, Timeout: 500 * time.Millisecond}, "set", key+"w", "x")
			requireAcked(t, err, has, replicas)
		}
	})
}

func requireAcked(t *testing.T, err error, has, wanted int) {
	t.Helper()
	if has >= wanted {
		require.NoError(t, err)
		return
	}
	var missing *redismanager.NotDurableError
	require.ErrorAs(t, err, &missing)
	require.ErrorIs(t, err, redismanager.ErrNotDurable)
	require.NotErrorIs(t, err, redismanager.ErrOutcomeUnknown)
	require.Equal(t, has, missing.Acked)
	require.Equal(t, wanted, missing.Wanted)
	require.NotEmpty(t, missing.Node)
	require.False(t, redismanager.Retryable(err), "it is applied")
}

func TestAcksAreRefused(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr(), ReadTimeout: time.Second}, redismanager.WithScripts(counting))
	key := redistest.NewPrefix(t)
	for name, acks := range map[string]redismanager.Acks{
		"negative":         {Replicas: -1, Timeout: time.Second},
		"too many":         {Replicas: 17, Timeout: time.Second / 2},
		"no timeout":       {Replicas: 1},
		"no replicas":      {Timeout: time.Second / 2},
		"past the timeout": {Replicas: 1, Timeout: 901 * time.Millisecond},
	} {
		_, err := counted(within(t, 5*time.Second), m, key, acks)
		require.ErrorIs(t, err, redismanager.ErrInvalidArgument, name)
	}
	value, err := m.Read(within(t, 5*time.Second), "get", key)
	require.NoError(t, err)
	require.Nil(t, value, "nothing was sent")
}

// A reader has nothing to be acknowledged.
func TestAcksOfAReader(t *testing.T) {
	reading := redismanager.Script{Name: "reading", Source: "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])\n"}
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()}, redismanager.WithScripts(reading))
	_, err := m.Run(within(t, 5*time.Second), redismanager.ScriptCall{
		Script: "reading", Keys: []string{redistest.NewPrefix(t)}, Acks: redismanager.Acks{Replicas: 1, Timeout: time.Second},
	})
	require.NoError(t, err)
}

// The caller's deadline cuts the wait short, early enough for the answer.
func TestAcksWithinTheDeadline(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()}, redismanager.WithScripts(counting))
	ctx, key := within(t, 400*time.Millisecond), redistest.NewPrefix(t)
	value, err := counted(ctx, m, key, redismanager.Acks{Replicas: 1, Timeout: 2 * time.Second})
	require.EqualValues(t, 1, value)
	requireAcked(t, err, 0, 1)
}

// A change whose reply is lost is unknown, not "not durable": its answer is not
// known either.
func TestAcksOfALostReply(t *testing.T) {
	proxy := redistest.NewProxy(t, redistest.SharedStandalone(t).Addr())
	m := open(t, throughProxy(proxy), redismanager.WithScripts(counting))
	ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
	proxy.DropReplies("evalsha", 1, redistest.FaultClose)
	_, err := counted(ctx, m, key, redismanager.Acks{Replicas: 1, Timeout: 50 * time.Millisecond})
	require.ErrorIs(t, err, redismanager.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, redismanager.ErrNotDurable)
	value, err := m.Read(ctx, "get", key)
	require.NoError(t, err)
	require.Contains(t, []any{nil, "1"}, value)
}

// A user who may not WAIT gets the answer, and is told why it is not durable.
func TestAcksWithoutPermission(t *testing.T) {
	srv := redistest.StartServer(t)
	ctx := within(t, 10*time.Second)
	require.NoError(t, srv.Client(t).Do(ctx, "acl", "setuser", "app", "on", ">secret", "~*", "+@all", "-wait").Err())
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr(), Username: "app", Password: "secret"}, redismanager.WithScripts(counting))
	value, err := counted(ctx, m, "k", redismanager.Acks{Replicas: 1, Timeout: 50 * time.Millisecond})
	require.EqualValues(t, 1, value)
	var missing *redismanager.NotDurableError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, -1, missing.Acked)
	require.ErrorContains(t, err, "NOPERM")
	require.Equal(t, redismanager.ClassNotDurable, redismanager.Classify(err))
}

// While a slot moves its keys are served by two nodes; the acknowledgements are
// those of the replica of the node that served the call.
func TestAcksDuringAMove(t *testing.T) {
	cluster := redistest.StartCluster(t)
	m := open(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs()}, redismanager.WithScripts(counting))
	ctx := within(t, 30*time.Second)
	const tag = "{moving}"
	owner := cluster.NodeForKey(t, tag)
	var target *redistest.Server
	for _, node := range cluster.Masters() {
		if node.Addr() != owner.Addr() {
			target = node
		}
	}
	acks := redismanager.Acks{Replicas: 1, Timeout: 2 * time.Second}
	_, err := counted(ctx, m, tag+"0", acks)
	require.NoError(t, err)
	move, err := cluster.StartMove(redismanager.Slot(tag), target)
	require.NoError(t, err)
	for i := range 10 { // absent on the owner: ASK
		value, err := counted(ctx, m, fmt.Sprintf("%snew%d", tag, i), acks)
		require.NoError(t, err)
		require.EqualValues(t, 1, value)
	}
	require.NoError(t, move.Finish())
	for i := range 10 { // MOVED until the view is fresh
		value, err := counted(ctx, m, fmt.Sprintf("%snew%d", tag, i), acks)
		require.NoError(t, err)
		require.EqualValues(t, 2, value)
	}
}
