package reliability

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/statelink/statelink/redismanager"
)

// The callers who are there when a master dies, each with its own uid.
var hasty, patient, beside = uidsOf("hasty", 200), uidsOf("patient", 20), uidsOf("plain", 20)

// threeLoads see the same fault: the library with 1 s per call, the library with
// 10 s, and go-redis' own client with its defaults.
type threeLoads struct {
	hasty, patient, beside                *Running
	hastyLinks, patientLinks, besideLinks *Links
}

func startLoads(t *testing.T, ns string, cfg redismanager.RedisConfig, client redis.UniversalClient, group func([]string) func(int) string) *threeLoads {
	t.Helper()
	l := &threeLoads{
		hastyLinks:   NewLinks(ours{open(t, cfg), ns}, hasty, JudgeLibrary),
		patientLinks: NewLinks(ours{open(t, cfg), ns}, patient, JudgeLibrary),
		besideLinks:  NewLinks(plain{client, ns}, beside, JudgePlain),
	}
	start := func(links *Links, uids []string, timeout time.Duration) *Running {
		return Load{
			Callers: len(uids), Timeout: timeout, Pause: 50 * time.Millisecond,
			Group: group(uids), Call: links.Call, Judge: links.judge,
		}.Start()
	}
	l.hasty = start(l.hastyLinks, hasty, time.Second)
	l.patient = start(l.patientLinks, patient, 10*time.Second)
	l.beside = start(l.besideLinks, beside, time.Second)
	return l
}

// report ends the loads. least is how long the control must fail, so that the
// run shows the fault.
func (l *threeLoads) report(t *testing.T, fault time.Time, most, least time.Duration) {
	t.Helper()
	hastyGroups, patientGroups, besideGroups := l.hasty.Stop(), l.patient.Stop(), l.beside.Stop()
	reportHasty(t, hastyGroups, l.hastyLinks, fault, most)
	reportPatient(t, patientGroups, l.patientLinks)
	reportBeside(t, besideGroups, fault, least)
}

// allHit is the group of every caller where there is only one shard.
func allHit([]string) func(int) string { return func(int) string { return onHitShard } }

func reportHasty(t *testing.T, groups map[string]Tally, l *Links, fault time.Time, most time.Duration) {
	hit, rest := groups[onHitShard], groups[elsewhere]
	f := newFigures(t, library+", 200 callers, 1 s per call")
	f.load(hit)
	f.window(hit, fault)
	f.tookAtMost("window of errors on the shard", hit.Window(), most)
	f.exactly("failed calls on other shards", rest.Failed(), 0)
	f.took("99th percentile call on other shards", rest.Latency.Quantile(0.99))
	f.exactly("wrong answers", int(l.Wrong.Load()), 0)
	f.count("acknowledged links seen lost (no replica asked)", int(l.Lost.Load()))
	for class, err := range rest.Examples {
		t.Logf("other shards: %s: %v", class, err)
	}
}

func reportPatient(t *testing.T, groups map[string]Tally, l *Links) {
	hit, rest := groups[onHitShard], groups[elsewhere]
	f := newFigures(t, library+", 20 callers, 10 s per call")
	f.load(hit)
	f.exactly("failed calls, outcome unknown left out", hit.Failed()-hit.Unknown+rest.Failed()-rest.Unknown, 0)
	f.count("outcome unknown", hit.Unknown+rest.Unknown)
	f.took("longest call", hit.Latency.Max())
	f.exactly("wrong answers", int(l.Wrong.Load()), 0)
}

// reportBeside wants the control to fail for longer than the library may.
func reportBeside(t *testing.T, groups map[string]Tally, fault time.Time, least time.Duration) {
	hit := groups[onHitShard]
	f := newFigures(t, control+", 20 callers, beside it")
	f.load(hit)
	f.window(hit, fault)
	f.tookAtLeast("window of errors on the shard (cut off by the end of the run)", hit.Window(), least)
}
