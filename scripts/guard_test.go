package scripts_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/scripts"
)

// restrict makes a user who may run one script on the given keys and nothing more, and a client of that user.
// For a reader the keys are read-only; Redis then wants EVALSHA_RO, since EVALSHA counts as a write of its keys.
func restrict(t *testing.T, server *redistest.Server, admin *redis.Client, script scripts.Script, keys []string) *redis.Client {
	t.Helper()
	name, access := redistest.NewPrefix(t), "~"
	rules := []any{"ACL", "SETUSER", name, "on", ">" + name, "resetkeys", "resetchannels", "-@all", "+evalsha"}
	if script.ReadOnly {
		access = "%R~"
		rules = append(rules, "-evalsha", "+evalsha_ro")
	}
	for _, key := range keys {
		rules = append(rules, access+key)
	}
	for _, command := range commands(script) {
		rules = append(rules, "+"+strings.ToLower(command))
	}
	require.NoError(t, admin.Do(context.Background(), rules...).Err())

	opts := server.Options()
	opts.Username, opts.Password = name, name
	client := redis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func evalSHA(t *testing.T, admin, client *redis.Client, script scripts.Script, keys []string, args []any) (any, error) {
	t.Helper()
	ctx := context.Background()
	sha, err := admin.ScriptLoad(ctx, script.Source).Result()
	require.NoError(t, err)
	if script.ReadOnly {
		return client.EvalShaRO(ctx, sha, keys, args...).Result()
	}
	return client.EvalSha(ctx, sha, keys, args...).Result()
}

// TestLeastPrivilege runs every case as a user with exactly the keys and commands of the script.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	server := redistest.StartServer(t)
	admin := server.Client(t)
	eachCase(t, func(t *testing.T, b behaviour) {
		s, script := newStage(t, admin), b.get(t)
		s.plant(t, b.given)
		user := restrict(t, server, admin, script, s.keysOf(script))
		reply, err := evalSHA(t, admin, user, script, s.keysOf(script), b.args)
		b.requireOutcome(t, s, reply, err)
	})
	log, err := admin.ACLLog(ctx, 10).Result()
	require.NoError(t, err)
	require.Empty(t, log)

	// The control: an undeclared key, and a write by a reader, would have been seen.
	s := newStage(t, admin)
	for i, script := range []scripts.Script{
		{Source: "#!lua\nreturn redis.call('GET', KEYS[1] .. 'x')"},
		{Source: "#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], '1')", ReadOnly: true},
	} {
		keys := []string{s.keys["link"]}
		user := restrict(t, server, admin, script, keys)
		_, err := evalSHA(t, admin, user, script, keys, nil)
		require.Error(t, err)
		log, err := admin.ACLLog(ctx, 10).Result()
		require.NoError(t, err)
		require.Len(t, log, i+1)
	}
	require.Empty(t, s.find(t))
}

// TestNoChangeNoReplication counts what the replica is sent: nothing, unless the stored data changes.
func TestNoChangeNoReplication(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	// The offset only counts while there is a replica, and the pings to it count too.
	master := redistest.StartServer(t, redistest.WithConfig("repl-ping-replica-period", "3600"))
	replica := redistest.StartServer(t, redistest.WithReplicaOf(master))
	client := master.Client(t)
	offset := func() int {
		n, err := strconv.Atoi(master.Info(t, "replication", "master_repl_offset"))
		require.NoError(t, err)
		return n
	}
	eachCase(t, func(t *testing.T, b behaviour) {
		s, script := newStage(t, client), b.get(t)
		s.plant(t, b.given)
		require.NoError(t, client.ConfigResetStat(ctx).Err())
		before := offset()
		reply, err := s.run(script, b.args)
		after := offset()
		if b.want != nil {
			require.Greater(t, after, before)
		} else {
			require.Equal(t, before, after)
			if b.fails == "" {
				requireNoWriteCommand(t, client)
			}
		}
		b.requireOutcome(t, s, reply, err)
	})
	requireReplicaServesReaders(t, replica.Client(t))
}

func requireNoWriteCommand(t *testing.T, client *redis.Client) {
	t.Helper()
	stats, err := client.Info(context.Background(), "commandstats").Result()
	require.NoError(t, err)
	require.Contains(t, stats, "cmdstat_evalsha:")
	for _, command := range writes {
		require.NotContains(t, stats, "cmdstat_"+strings.ToLower(command)+":")
	}
}

// requireReplicaServesReaders proves that readers run on a replica, and that Redis refuses writers there.
func requireReplicaServesReaders(t *testing.T, client *redis.Client) {
	t.Helper()
	s := newStage(t, client)
	for _, script := range scripts.All() {
		_, err := s.run(script, []any{"1", "1", "1", "1"}[:len(script.Args)])
		if script.ReadOnly {
			require.NoError(t, err, script.Name)
		} else {
			require.ErrorContains(t, err, "READONLY", script.Name)
		}
	}
}

// wrongTypeCases name, for each way through a script that touches all its keys, what else is stored.
var wrongTypeCases = []behaviour{
	{script: scripts.SetLink, name: "first", args: list("chat", "3", "-1")},
	{script: scripts.SetLink, name: "again", args: list("chat", "3", "-1"), given: data{link: "3"}},
	{script: scripts.SetLink, name: "temporary", args: list("chat", "3", soon), given: data{link: "5"}},
	{script: scripts.SetLinkIfAbsent, name: "persistent", args: list("chat", "3", "-1")},
	{script: scripts.SetLinkIfAbsent, name: "temporary", args: list("chat", "3", soon)},
	{script: scripts.TrySetLink, name: "first", args: list("chat", "3", "-1")},
	{script: scripts.TrySetLink, name: "again", args: list("chat", "3", "-1"), given: data{link: "3"}},
	{script: scripts.TrySetLink, name: "temporary", args: list("chat", "3", soon), given: data{link: "5", ttl: later}},
	{script: scripts.RemoveLink, name: "nothing", args: list("chat", "-1")},
	{script: scripts.RemoveLink, name: "now", args: list("chat", "-1"), given: data{link: "3"}},
	{script: scripts.RemoveLink, name: "later", args: list("chat", soon), given: data{link: "3"}},
	{script: scripts.RemoveLinkWithId, name: "now", args: list("chat", "0", "3"), given: data{link: "3"}},
	{script: scripts.RemoveLinkWithId, name: "later", args: list("chat", soon, "3"), given: data{link: "3"}},
	{script: scripts.ComputeLinkIfAbsent, name: "first", args: list("chat", "-1", "3", "-1")},
	{script: scripts.ComputeLinkIfAbsent, name: "replace", args: list("chat", "-1", "3", "5"), given: data{link: "5"}},
	{script: scripts.ComputeLinkIfAbsent, name: "temporary", args: list("chat", soon, "3", "5"), given: data{link: "5"}},
	{script: scripts.GetLinkIfPersist, name: "read", args: list()},
	{script: scripts.GetLinkService, name: "read", args: list()},
	{script: scripts.GetService, name: "read", args: list()},
	{script: scripts.GetServicePod, name: "any age", args: list("0", "0")},
	{script: scripts.GetServicePod, name: "fresh", args: list("1000", "1")},
	{script: scripts.SetState, name: "write", args: list("0", "1", "1")},
}

// TestWrongTypeWritesNothing puts a foreign type in the place of each key in turn.
func TestWrongTypeWritesNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	client := redistest.SharedStandalone(t).Client(t)
	covered := map[string]bool{}
	for _, b := range wrongTypeCases {
		script := b.get(t)
		covered[b.script] = true
		for _, wrong := range script.Keys {
			t.Run(fmt.Sprintf("%s/%s/%s", b.script, b.name, wrong), func(t *testing.T) {
				s := newStage(t, client)
				given := b.given
				switch wrong {
				case "link":
					given.link = ""
					require.NoError(t, client.RPush(ctx, s.keys[wrong], "3").Err())
				default:
					require.NoError(t, client.Set(ctx, s.keys[wrong], "3", 0).Err())
				}
				s.plant(t, given)
				before := s.dump(t)
				_, err := s.run(script, b.args)
				require.ErrorContains(t, err, "WRONGTYPE")
				require.True(t, strings.HasPrefix(err.Error(), "WRONGTYPE"), err.Error())
				require.Equal(t, before, s.dump(t))
			})
		}
	}
	require.Len(t, covered, len(scripts.All()))
}

// TestOutOfMemory: nothing is added, but links are still read and let go.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	client := redistest.StartServer(t, redistest.WithConfig("maxmemory-policy", "noeviction")).Client(t)
	mayRun := append([]string{scripts.RemoveLink, scripts.RemoveLinkWithId}, readers...)
	eachCase(t, func(t *testing.T, b behaviour) {
		s := newStage(t, client)
		require.NoError(t, client.ConfigSet(ctx, "maxmemory", "0").Err())
		s.plant(t, b.given)
		require.NoError(t, client.ConfigSet(ctx, "maxmemory", "1").Err())
		reply, err := s.run(b.get(t), b.args)
		if slices.Contains(mayRun, b.script) {
			b.requireOutcome(t, s, reply, err)
			return
		}
		require.Error(t, err)
		require.True(t, strings.HasPrefix(err.Error(), "OOM "), err.Error())
		require.Equal(t, s.expect(b.given), s.find(t))
	})
}
