package cli

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
)

func TestDoctorSeesFullMemory(t *testing.T) {
	t.Parallel()
	srv := redistest.StartServer(t)
	client := srv.Client(t)
	require.NoError(t, client.SetRange(t.Context(), "ballast", 20<<20, "x").Err())
	used, err := strconv.Atoi(srv.Info(t, "memory", "used_memory"))
	require.NoError(t, err)
	limit := func(percent int) finding {
		require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", strconv.Itoa(used/100*percent)).Err())
		code := 1
		if percent < 100 {
			code = 2
		}
		return diagnose(t, at(standaloneURL(srv)), code)["memory"]
	}
	full := limit(50)
	require.Equal(t, gradeFail, full.Status)
	require.Contains(t, full.Detail, "at maxmemory: links are refused")
	require.Equal(t, "Raise maxmemory or remove keys.", full.Remedy)
	require.Equal(t, gradeWarn, limit(105).Status)
	require.Equal(t, gradeOK, limit(200).Status)
}

// TestMemoryJudgesWhatCounts covers what no small server shows.
func TestMemoryJudgesWhatCounts(t *testing.T) {
	t.Parallel()
	info := map[string]string{"used_memory": "120", "maxmemory": "100", "maxmemory_policy": "noeviction"}
	require.Equal(t, gradeFail, memory(nodeFacts{info: info}).Status)
	info["mem_not_counted_for_evict"] = "40"
	require.Equal(t, gradeOK, memory(nodeFacts{info: info}).Status)
	info["mem_not_counted_for_evict"], info["maxmemory_policy"] = "0", "allkeys-lru"
	require.Equal(t, gradeOK, memory(nodeFacts{info: info}).Status, "it evicts; another finding says so")
	require.Equal(t, gradeWarn, memory(nodeFacts{}).Status)
}

func TestDoctorAsksEverySentinel(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinel(t, redistest.WithSentinelPassword("canary"))
	sh := shell{env: []string{"STATELINK_REDIS_SENTINEL_PASSWORD=canary", "STATELINK_REDIS_URL=" + sentinelURL(set)}}
	require.Equal(t, "3 of 3 answer", diagnose(t, sh, 1)["sentinels"].Detail)

	dead := set.Sentinels()
	dead[0].Kill()
	one := diagnose(t, sh, 1)["sentinels"]
	require.Equal(t, gradeWarn, one.Status)
	require.Contains(t, one.Detail, "2 of 3 answer; "+dead[0].Addr()+": ")

	dead[1].Kill()
	found := diagnose(t, sh, 2)
	require.Equal(t, []string{"sentinels"}, withStatus(found, gradeFail))
	require.Contains(t, found["sentinels"].Detail, "1 of 3 answer, no majority: no failover is possible")
	require.Contains(t, found["sentinels"].Detail, dead[1].Addr())
}

// TestDoctorSeesDeadMaster: it is named, and the others are still looked at.
func TestDoctorSeesDeadMaster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, redistest.WithConfig("cluster-require-full-coverage", "no"),
		redistest.WithConfig("cluster-replica-no-failover", "yes"))
	masters := cluster.Masters()
	masters[0].Kill()
	found := diagnose(t, at(clusterURL(cluster)), 2, "--timeout", "20s")
	require.ElementsMatch(t, []string{"topology", "scripts run"}, withStatus(found, gradeFail))
	require.Contains(t, found["topology"].Detail, masters[0].Addr())
	require.Contains(t, found["topology"].Remedy, "redis-cli --cluster check")
	require.Equal(t, gradeOK, found["memory"].Status)
	for _, alive := range masters[1:] {
		require.NotContains(t, found["topology"].Detail, alive.Addr())
		require.Contains(t, found["persistence"].Detail, alive.Addr()+": neither")
	}
}

func TestDoctorNamesTheCause(t *testing.T) {
	t.Parallel()
	lonely := redistest.StartServer(t, redistest.WithConfig("min-replicas-to-write", "1"))
	found := diagnose(t, at(standaloneURL(lonely)), 2)
	require.Equal(t, []string{"scripts run"}, withStatus(found, gradeFail))
	require.Equal(t, "Bring the replicas back, or lower min-replicas-to-write.", found["scripts run"].Remedy)

	secure := redistest.StartServer(t, redistest.WithTLS(redistest.NewCerts(t)))
	found = diagnose(t, at(standaloneURL(secure)), 2)
	require.Contains(t, found["connection"].Remedy, "If the server speaks TLS only, use rediss://.")
	found = diagnose(t, at("rediss://"+secure.Addr()), 2)
	require.Equal(t, "Check tls.ca_file, tls.cert_file and tls.key_file.", found["encryption"].Remedy)

	busy := redistest.StartServer(t, redistest.WithConfig("busy-reply-threshold", "1"))
	ended := make(chan struct{})
	runaway := busy.Client(t)
	go func() {
		defer close(ended)
		_ = runaway.Eval(t.Context(), "while true do end", nil).Err()
	}()
	require.Eventually(t, func() bool {
		err := busy.Client(t).Ping(t.Context()).Err()
		return err != nil && strings.HasPrefix(err.Error(), "BUSY")
	}, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, "Wait, or end the script with SCRIPT KILL.", diagnose(t, at(standaloneURL(busy)), 2)["scripts run"].Remedy)
	require.NoError(t, busy.Client(t).ScriptKill(t.Context()).Err())
	<-ended
}
