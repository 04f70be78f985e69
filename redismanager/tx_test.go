package redismanager_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

func TestTransaction(t *testing.T) {
	onAll(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, tag := within(t, 10*time.Second), "{"+redistest.NewPrefix(t)+"}"
		require.NoError(t, m.Register(ctx, counting))
		results, err := m.Tx(ctx, []redismanager.BatchItem{
			command("SET", tag+"a", 5), run("counting", tag+"a"), run("counting", tag+"b"), run("return ARGV[1]", tag+"c", "x"),
			command("GET", tag+"absent"), command("HGETALL", tag+"absent"),
		})
		require.NoError(t, err)
		want := []any{"OK", int64(6), int64(1), "x", nil, map[any]any{}}
		for i, r := range results {
			require.Equal(t, redismanager.BatchResult{Value: want[i]}, r, "item %d", i)
		}
	})
}

// Redis has no rollback: an item that fails says so, and the others count.
func TestTransactionWithAnItemThatFails(t *testing.T) {
	onAll(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
		results, err := m.Tx(ctx, []redismanager.BatchItem{
			command("INCR", key), command("LPUSH", key, "x"), run("return redis.error_reply('MINE it is')", key), command("INCR", key),
		})
		require.NoError(t, err)
		require.EqualValues(t, 1, results[0].Value)
		require.ErrorIs(t, results[1].Err, redismanager.ErrWrongType)
		require.ErrorIs(t, results[2].Err, redismanager.ErrScriptRuntime)
		require.EqualValues(t, 2, results[3].Value)
	})
}

// What the server refuses before EXEC discards the transaction, and the item is
// named.
func TestTransactionWithAnItemThatIsRefused(t *testing.T) {
	onAll(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, key := within(t, 10*time.Second), redistest.NewPrefix(t)
		results, err := m.Tx(ctx, []redismanager.BatchItem{command("INCR", key), command("SET", key), command("INCR", key)})
		require.ErrorContains(t, err, "items[1]: ")
		require.ErrorContains(t, err, "wrong number of arguments")
		require.Len(t, results, 3)
		for _, r := range results {
			require.ErrorContains(t, r.Err, "wrong number of arguments")
		}
		value, err := m.Read(ctx, "get", key)
		require.NoError(t, err)
		require.Nil(t, value)
	})
}

// Keys of several slots are named, and nothing is sent.
func TestTransactionOverSeveralSlots(t *testing.T) {
	m := open(t, topologies[2].config(t), redismanager.WithScripts(counting))
	ctx, prefix := within(t, 5*time.Second), redistest.NewPrefix(t)
	a, b, c := prefix+"{a}", prefix+"{b}", prefix+"{c}"
	for _, items := range [][]redismanager.BatchItem{
		{command("INCR", a), command("INCR", a), run("counting", b), command("INCR", c)},
		{run("counting", a), run("counting", b), run("counting", c)},
	} {
		_, err := m.Tx(ctx, items)
		var crossing *redismanager.CrossSlotError
		require.ErrorAs(t, err, &crossing)
		require.Equal(t, []string{a, b, c}, crossing.Keys)
	}
	values, err := m.GetBatch(ctx, []string{a, b, c})
	require.NoError(t, err)
	require.Equal(t, []any{nil, nil, nil}, values)

	plain := open(t, topologies[0].config(t), redismanager.WithScripts(counting))
	_, err = plain.Tx(ctx, []redismanager.BatchItem{run("counting", a), run("counting", b)})
	require.NoError(t, err, "one server has no slots")
}

// Others never see a state in the middle.
func TestTransactionIsOneStep(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, tag := within(t, 20*time.Second), "{"+redistest.NewPrefix(t)+"}"
		both := redismanager.Script{Name: "both", Source: "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1]) == redis.call('GET', KEYS[2])\n"}
		require.NoError(t, m.Register(ctx, both, counting))
		stop := every(t, time.Millisecond, func() {
			value, err := m.ExecuteScript(ctx, "both", []string{tag + "a", tag + "b"}, nil)
			if err != nil || value != int64(1) {
				t.Errorf("seen in the middle: %v %v", value, err)
			}
		})
		defer stop()
		for range 200 {
			_, err := m.Tx(ctx, []redismanager.BatchItem{run("counting", tag+"a"), command("INCR", tag+"b")})
			require.NoError(t, err)
		}
	})
}

// Users with fewer rights: where MULTI is refused nothing runs at all, and who may
// not EVAL runs by SHA what somebody else has loaded.
func TestTransactionOfARestrictedUser(t *testing.T) {
	rights := " on >secret ~* +@all -flushall "
	srv := redistest.StartServer(t, redistest.WithACL("nomulti"+rights+"-multi", "noeval"+rights+"-eval", "bysha"+rights+"-eval -script|load", "blind"+rights+"-eval -script"))
	as := func(user string) *redismanager.Manager {
		return open(t, redismanager.RedisConfig{Addr: srv.Addr(), Username: user, Password: "secret"})
	}
	ctx, admin := within(t, 20*time.Second), srv.Client(t)
	items := func(key string) []redismanager.BatchItem {
		return []redismanager.BatchItem{command("INCR", key), run(counting.Source, key), run(counting.Source, key)}
	}

	plain := redis.NewClient(&redis.Options{Addr: srv.Addr(), Username: "nomulti", Password: "secret"})
	defer func() { _ = plain.Close() }()
	_, err := plain.TxPipelined(ctx, func(pipe redis.Pipeliner) error { return pipe.Incr(ctx, "plain").Err() })
	require.Error(t, err)
	require.Equal(t, "1", admin.Get(ctx, "plain").Val(), "the plain client says no and does it all the same")

	_, err = as("nomulti").Tx(ctx, items("nomulti"))
	require.ErrorIs(t, err, redismanager.ErrAuth)
	require.Zero(t, admin.Exists(ctx, "nomulti").Val(), "run one by one")

	noEval := as("noeval")
	for range 3 {
		require.NoError(t, admin.ScriptFlush(ctx).Err())
		results, err := noEval.Tx(ctx, items("noeval"))
		require.True(t, noFailure(results, err), "%v %v", err, results)
	}
	require.Equal(t, "9", admin.Get(ctx, "noeval").Val())

	bySHA := as("bysha")
	require.NoError(t, admin.ScriptFlush(ctx).Err())
	_, err = bySHA.Tx(ctx, items("bysha"))
	require.ErrorIs(t, err, redismanager.ErrScriptUnknown)
	batch, err := bySHA.Batch(ctx, items("bysha-batch"))
	require.NoError(t, err)
	require.NoError(t, batch[0].Err)
	require.ErrorIs(t, batch[1].Err, redismanager.ErrScriptUnknown)
	require.Zero(t, admin.Exists(ctx, "bysha").Val())
	require.NoError(t, admin.ScriptLoad(ctx, counting.Source).Err())
	results, err := bySHA.Tx(ctx, items("bysha"))
	require.True(t, noFailure(results, err), "%v %v", err, results)

	_, err = as("blind").Tx(ctx, items("blind"))
	require.ErrorIs(t, err, redismanager.ErrAuth)
	require.Zero(t, admin.Exists(ctx, "blind").Val())
}

// A server that has no memory left refuses EXEC as a whole.
func TestTransactionOnAFullServer(t *testing.T) {
	srv := redistest.StartServer(t)
	m := open(t, redismanager.RedisConfig{Addr: srv.Addr()}, redismanager.WithScripts(counting))
	ctx := within(t, 5*time.Second)
	require.NoError(t, srv.Client(t).ConfigSet(ctx, "maxmemory", "1").Err())
	_, err := m.Tx(ctx, []redismanager.BatchItem{command("SET", "k", "v"), run("counting", "n")})
	require.ErrorIs(t, err, redismanager.ErrOutOfMemory)
	require.NoError(t, srv.Client(t).ConfigSet(ctx, "maxmemory", "0").Err())
	require.Zero(t, srv.Client(t).Exists(ctx, "k", "n").Val())
}

// The limits and the refusals of an item, before anything is sent.
func TestItemsAreRefusedBeforeAnythingIsSent(t *testing.T) {
	onEach(t, func(t *testing.T, m *redismanager.Manager) {
		ctx, key := within(t, 20*time.Second), redistest.NewPrefix(t)
		require.NoError(t, m.AddScripts(counting))
		first := command("INCR", key)
		many := func(n int) []redismanager.BatchItem {
			items := make([]redismanager.BatchItem, n)
			for i := range items {
				items[i] = first
			}
			return items
		}
		huge := strings.Repeat("x", redismanager.MaxBatchBytes/2)
		both := []func(context.Context, []redismanager.BatchItem) ([]redismanager.BatchResult, error){m.Batch, m.Tx}
		for i, limit := range []int{redismanager.MaxBatchItems, redismanager.MaxTxItems} {
			_, err := both[i](ctx, many(limit+1))
			require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
			require.ErrorContains(t, err, "items: got")
		}
		for want, items := range map[string][]redismanager.BatchItem{
			"items[2].args: got 67108":        {first, command("SET", key, huge), command("SET", key, huge)},
			"items[1].args[2]: got struct {}": {first, command("SET", key, struct{}{})},
			"items[1].args[1]: got int":       {first, command("SET", 5)},
			"items[1].args: got 1 elements":   {first, command("PING")},
			"items[1].args: got 0 elements":   {first, {}},
			"items[1].args[0]: got \"Multi\"": {first, command("Multi", key)},
			"items[1].args[0]: got []uint8":   {first, command([]byte("EXEC"), key)},
			"items[1].keys: got 1 keys":       {first, {Keys: []string{key}, Args: []any{"GET", key}}},
			"items[1].read_only":              {first, {Script: "counting", Keys: []string{key}, ReadOnly: true}},
			"items[1]: script unknown":        {first, run("nosuch", key)},
			"not today":                       {first, run("counting", key, unwilling{})},
		} {
			for _, call := range both {
				_, err := call(ctx, items)
				require.ErrorContains(t, err, want)
			}
		}
		if m.Mode() == redismanager.ModeCluster {
			for _, call := range both {
				_, err := call(ctx, []redismanager.BatchItem{first, {Script: "counting"}})
				require.ErrorContains(t, err, "items[1].keys: got none")
				var crossing *redismanager.CrossSlotError
				_, err = call(ctx, []redismanager.BatchItem{first, {Script: "counting", Keys: []string{"a", "b"}}})
				require.ErrorAs(t, err, &crossing)
				require.ErrorContains(t, err, "items[1]: ")
			}
		}
		value, err := m.Read(ctx, "get", key)
		require.NoError(t, err)
		require.Nil(t, value, "nothing was sent")
	})
}
