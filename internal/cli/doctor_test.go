package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// diagnose runs doctor in both forms, which must agree, and gives the findings
// by name.
func diagnose(t *testing.T, sh shell, code int, args ...string) map[string]finding {
	t.Helper()
	args = append([]string{"doctor"}, args...)
	r := sh.do(t, args...)
	require.Equal(t, code, r.code)
	require.Empty(t, r.errOut)
	doc := sh.do(t, append(args, "-o", "json")...)
	require.Equal(t, code, doc.code)
	require.Equal(t, []string{"ok", "warn", "fail"}[code], document(t, doc.out)["status"])
	found := map[string]finding{}
	for _, check := range document(t, doc.out)["checks"].([]any) {
		fields := check.(map[string]any)
		f := finding{fields["name"].(string), grade(fields["status"].(string)), fields["detail"].(string), fields["remedy"].(string)}
		found[f.Name] = f
		require.Regexp(t, `(?m)^`+grades[f.Status].word+` +`+f.Name+` `, r.out)
		require.Equal(t, f.Status == gradeOK, f.Remedy == "", "a remedy for what is not OK: %v", f)
		require.NotEmpty(t, f.Detail)
		require.NotContains(t, f.Detail, "\n")
	}
	return found
}

// withStatus gives the names of the findings that have it.
func withStatus(found map[string]finding, status grade) []string {
	names := []string{}
	for name, f := range found {
		if f.Status == status {
			names = append(names, name)
		}
	}
	return names
}

func TestDoctorAllOK(t *testing.T) {
	t.Parallel()
	master := redistest.StartServer(t, redistest.WithConfig("appendonly", "yes"), redistest.WithConfig("min-replicas-to-write", "1"))
	redistest.StartServer(t, redistest.WithReplicaOf(master))
	open(t, redismanager.RedisConfig{Addr: master.Addr()})
	found := diagnose(t, at(standaloneURL(master)), 0)
	require.Len(t, found, 13)
	require.Equal(t, "standalone, 1 master, 1 replica connected", found["topology"].Detail)
	require.Equal(t, "1 connected per master; min-replicas-to-write is 1", found["replicas"].Detail)
	require.Equal(t, "append-only file", found["persistence"].Detail)
	require.Equal(t, "without acks a change survives the end of the server's process, and may be lost in a failover; "+
		"with acks of 1 it survives one, with up to 1 to be had", found["durability"].Detail)
	require.Equal(t, "11 on every master", found["scripts present"].Detail)
	require.Regexp(t, `^median \S+, worst \S+ of 20 round trips$`, found["latency"].Detail)
}

func TestDoctorWarns(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t, redistest.WithConfig("maxmemory-policy", "volatile-lru"))
	found := diagnose(t, at(standaloneURL(srv)), 1)
	require.ElementsMatch(t, []string{"eviction", "persistence", "replicas", "scripts present"}, withStatus(found, gradeWarn))
	require.Equal(t, "11 of 11 missing on some master", found["scripts present"].Detail)
	require.Equal(t, "without acks a change may end with the server's process; acks cannot be had: a master has no replica", found["durability"].Detail)
	exists, err := srv.Client(t).ScriptExists(t.Context(), "825968a20b16b6a6a99f7f27ca7f642272d43a24").Result()
	require.NoError(t, err)
	require.Equal(t, []bool{false}, exists, "doctor changes nothing")
}

func TestDoctorSnapshotsAreEnough(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t, redistest.WithConfig("save", "3600 1"))
	found := diagnose(t, at(standaloneURL(srv)), 1)
	require.Equal(t, gradeOK, found["persistence"].Status)
	require.Contains(t, found["persistence"].Detail, "save 3600 1")
}

func TestDoctorFailsOnEviction(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t, redistest.WithConfig("maxmemory-policy", "allkeys-lru"), redistest.WithConfig("maxmemory", "100mb"))
	found := diagnose(t, at(standaloneURL(srv)), 2)
	require.Equal(t, []string{"eviction"}, withStatus(found, gradeFail))
	require.Contains(t, found["eviction"].Detail, "maxmemory-policy allkeys-lru: links are thrown away")
	require.Contains(t, found["eviction"].Remedy, "noeviction")
}

// TestDoctorMayNotLook: the user may run the scripts and nothing else.
func TestDoctorMayNotLook(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t, redistest.WithACL("limited on >canary resetkeys ~sf:* -@all +evalsha +eval +get"))
	found := diagnose(t, at("redis://limited:canary@"+srv.Addr()), 1)
	require.Equal(t, "not allowed to look (INFO)", found["eviction"].Detail)
	require.Equal(t, "not allowed to look (INFO)", found["persistence"].Detail)
	require.Equal(t, "not allowed to look (INFO)", found["replicas"].Detail)
	require.Equal(t, "not allowed to look (PING)", found["latency"].Detail)
	require.Equal(t, "not allowed to look (SCRIPT EXISTS)", found["scripts present"].Detail)
	require.Equal(t, "standalone, 1 master", found["topology"].Detail)
	require.Equal(t, "7.0 or newer, by its greeting", found["server version"].Detail)
	require.Empty(t, withStatus(found, gradeFail))

	// INFO tells enough of everything but the snapshots.
	srv = redistest.StartServer(t, redistest.WithACL("limited on >canary resetkeys ~sf:* -@all +evalsha +eval +get +info +ping"))
	found = diagnose(t, at("redis://limited:canary@"+srv.Addr()), 1)
	require.ElementsMatch(t, []string{"persistence", "replicas", "scripts present"}, withStatus(found, gradeWarn))
	require.Equal(t, "not allowed to look (CONFIG GET)", found["persistence"].Detail)
}

func TestDoctorCannotConnect(t *testing.T) {
	t.Parallel()
	locked := redistest.StartServer(t, redistest.WithPassword("other"), redistest.WithACL("default off", "noscripts on >canary ~* -@all +get"))
	hanging := redistest.NewProxy(t, locked.Addr())
	hanging.Hang(true)
	for url, want := range map[string]string{
		"redis://127.0.0.1:1":                               "connection",
		"redis://:canary@" + locked.Addr():                  "connection",
		"redis://noscripts:canary@" + locked.Addr():         "scripts run",
		"redis+cluster://noscripts:canary@" + locked.Addr(): "topology",
		"redis://" + hanging.Addr():                         "connection",
		"localhost":                                         "configuration",
	} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			found := diagnose(t, at(url), 2, "--timeout", "500ms")
			require.Equal(t, []string{want}, withStatus(found, gradeFail))
			require.Len(t, found, 1)
		})
	}
}

func TestDoctorLatency(t *testing.T) {
	t.Parallel()
	srv := redistest.SharedStandalone(t)
	open(t, redismanager.RedisConfig{Addr: srv.Addr()}) // the scripts are there, whatever other tests do
	proxy := redistest.NewProxy(t, srv.Addr())
	proxy.SetDelay(15 * time.Millisecond)
	sh := at("redis://" + proxy.Addr())
	require.Equal(t, gradeOK, diagnose(t, sh, 1, "--timeout", "1m")["latency"].Status)
	sh.slow = slowMedian
	require.Equal(t, gradeWarn, diagnose(t, sh, 1, "--timeout", "1m")["latency"].Status)
}

func TestDoctorTopologies(t *testing.T) {
	t.Parallel()
	cluster, sentinel := redistest.SharedCluster(t), redistest.SharedSentinel(t)
	open(t, redismanager.RedisConfig{Mode: redismanager.ModeCluster, Addrs: cluster.Addrs()})
	open(t, redismanager.RedisConfig{Mode: redismanager.ModeSentinel, Addrs: sentinel.Addrs(), MasterName: sentinel.MasterName})
	found := diagnose(t, at(clusterURL(cluster)), 1)
	require.Equal(t, "cluster, 3 masters, 3 replicas connected", found["topology"].Detail)
	require.Equal(t, gradeOK, found["replicas"].Status)
	require.Equal(t, gradeWarn, found["persistence"].Status)
	for _, master := range cluster.Masters() {
		require.Contains(t, found["persistence"].Detail, master.Addr()+": neither")
	}
	found = diagnose(t, at(sentinelURL(sentinel)), 1)
	require.Equal(t, "sentinel, 1 master, 1 replica connected", found["topology"].Detail)
	require.Contains(t, found["replicas"].Detail, "min-replicas-to-write is 0")
}

// TestWorstNode: one bad master is enough, and it is named.
func TestWorstNode(t *testing.T) {
	t.Parallel()
	node := func(addr, policy string) nodeFacts {
		return nodeFacts{addr: addr, info: map[string]string{"maxmemory_policy": policy}}
	}
	f := facts{nodes: []nodeFacts{node("a:1", "noeviction"), node("b:1", "volatile-ttl"), node("c:1", "allkeys-lfu"), node("d:1", "allkeys-random")}}
	worst := f.worst(eviction)
	require.Equal(t, gradeFail, worst.Status)
	require.Equal(t, 2, strings.Count(worst.Detail, "thrown away"))
	require.NotContains(t, worst.Detail, "a:1")
	require.NotContains(t, worst.Detail, "b:1")
	f.nodes = f.nodes[:1]
	require.Equal(t, fine("eviction", "maxmemory-policy noeviction"), f.worst(eviction))
	require.Equal(t, gradeWarn, eviction(node("a:1", "")).Status)
	require.Equal(t, gradeFail, version(nodeFacts{info: map[string]string{"redis_version": "6.2.14"}}).Status)
}

func TestExposed(t *testing.T) {
	t.Parallel()
	for addr, elsewhere := range map[string]bool{
		"localhost:6379": false, "127.0.0.1:1": false, "127.9.9.9:1": false, "[::1]:1": false, "[::ffff:127.0.0.1]:1": false,
		"10.0.0.1:6379": true, "redis.example:6379": true, "[2001:db8::1]:1": true, "(sentinel master)": false,
	} {
		require.Equal(t, elsewhere, isElsewhere(addr), addr)
	}
	open, secret := redismanager.RedisConfig{Addr: "10.0.0.1:6379"}, redismanager.RedisConfig{Addr: "10.0.0.1:6379", Password: "x"}
	require.Equal(t, gradeWarn, (&facts{cfg: open}).access().Status)
	require.Equal(t, gradeWarn, (&facts{cfg: open}).encryption().Status)
	require.Equal(t, gradeOK, (&facts{cfg: secret, nodes: make([]nodeFacts, 2)}).access().Status)
	require.Equal(t, gradeWarn, (&facts{cfg: secret, nodes: []nodeFacts{{}, {defaultOpen: true}}}).access().Status)
	secret.TLS.Enabled = true
	require.Equal(t, gradeOK, (&facts{cfg: secret}).encryption().Status)
	moved := facts{cfg: redismanager.RedisConfig{Addrs: []string{"127.0.0.1:1"}}, nodes: []nodeFacts{{addr: "10.0.0.7:1"}}}
	require.True(t, moved.exposed(), "a seed on this machine, a master elsewhere")
}

// TestDefaultUserIsAsked covers what only another machine would trigger.
func TestDefaultUserIsAsked(t *testing.T) {
	t.Parallel()
	for rules, want := range map[string]bool{"default on nopass ~* +@all": true, "default on >x ~* +@all": false, "default off nopass": false} {
		srv := redistest.StartServer(t, redistest.WithACL(rules))
		n := askNode(t.Context(), srv.Addr(), srv.Client(t), true)
		require.NoError(t, n.defaultOpenErr)
		require.Equal(t, want, n.defaultOpen, rules)
	}
}
