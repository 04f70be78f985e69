package redismanager

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each letter is what a check finds, or the state after it: Healthy, Degraded, doWn.
func TestTrend(t *testing.T) {
	letters := map[byte]HealthState{'H': Healthy, 'D': Degraded, 'W': Down}
	for _, c := range []struct{ findings, states string }{
		{"HWHWHWHW", "HHHHHHHH"},
		{"WHWHWHWH", "WWWWWWWW"},
		{"HDHDHWHD", "HHHHHHHH"},
		{"HWWHH", "HHWWH"},
		{"HDDHH", "HHDDH"},
		{"HDWDW", "HHDDD"}, // bad twice in a row, but not down twice
		{"HDDWW", "HHDDW"},
		{"WWDDHH", "WWWDDH"},
		{"WHDHH", "WWDDH"},
		{"DHWDH", "DDDDD"},
		{"DHH", "DDH"},
	} {
		var tr trend
		var states strings.Builder
		for i := range len(c.findings) {
			state := tr.observe(letters[c.findings[i]], HealthPolicy{Fall: 2, Rise: 2})
			for letter, s := range letters {
				if s == state {
					states.WriteByte(letter)
				}
			}
		}
		require.Equal(t, c.states, states.String(), c.findings)
	}
}

func TestLag(t *testing.T) {
	master := parseNodeInfo("# Replication\r\nrole:master\r\nconnected_slaves:1\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=900,lag=1\r\nmaster_repl_offset:1000\r\n" +
		"# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb5:keys=4,expires=0,avg_ttl=0\r\n")
	require.EqualValues(t, 7, master.keys)
	replica := parseNodeInfo("role:slave\r\nmaster_link_status:up\r\nslave_read_repl_offset:960\r\nslave_repl_offset:950\r\nmaster_repl_offset:940\r\n")
	require.True(t, replica.linkUp)
	require.EqualValues(t, 50, lagOf("10.0.0.2:6379", replica, master))
	require.EqualValues(t, 100, lagOf("10.0.0.2:6379", nodeInfo{}, master), "what it confirmed last")
	require.EqualValues(t, -1, lagOf("10.0.0.3:6379", nodeInfo{}, master))
	require.EqualValues(t, -1, lagOf("10.0.0.2:6379", replica, nodeInfo{}))
	replica.offset = 2000
	require.EqualValues(t, 0, lagOf("10.0.0.2:6379", replica, master), "asked a moment later")

	p := HealthPolicy{LagBytes: 40}.withDefaults()
	f := &finding{target: target{addr: "a", of: "b"}, info: replica}
	require.Equal(t, opinion{state: Healthy}, p.judge(f, 40, 0))
	require.Equal(t, opinion{Degraded, "it is more than 40 bytes behind its master"}, p.judge(f, 41, 0))
	require.Equal(t, Healthy, HealthPolicy{LagBytes: -1}.withDefaults().judge(f, 1<<40, 0).state)
}

func TestMarkerKeysAreOfTheirSlots(t *testing.T) {
	start := time.Now()
	for slot := 0; slot < slotCount; slot += 1000 {
		require.Equal(t, slot, Slot(markerKey(slot, "sf:")))
	}
	t.Log("each took", time.Since(start)/17)
}

// A result that is too old is not trusted.
func TestReadinessGetsOld(t *testing.T) {
	m := &Manager{}
	m.health = newHealthChecker(m)
	m.health.interval.Store(int64(2 * time.Second))
	require.Equal(t, "the first health check has not ended", m.readiness(time.Now()).Reason)
	now := time.Now()
	m.health.last.Store(&HealthStatus{State: Degraded, CheckedAt: now})
	require.True(t, m.readiness(now.Add(5*time.Second)).Ready)
	r := m.readiness(now.Add(7 * time.Second))
	require.False(t, r.Ready)
	require.Equal(t, "the last health check ended 7s ago, the interval is 2s", r.Reason)
}
