//go:build soak

package reliability

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// The environment of a soak: SEED repeats a sequence of faults, DURATION says
// how long.
const (
	seedVar     = "SEED"
	durationVar = "DURATION"
)

// TestSoak runs 50 callers on a standalone server and on a Cluster while one
// random fault follows the other. The server keeps each write on disk before it
// answers, so there the whole invariant holds; a Cluster may lose what no
// replica had, but never executes anything twice and never lies.
func TestSoak(t *testing.T) {
	watchLeaks(t)
	seed, duration := soakSettings(t)
	s := newSoak(t, rand.New(rand.NewPCG(seed, 0)))
	s.start()
	time.Sleep(3 * time.Second)
	s.sample()
	faults := map[string]int{}
	for begun := time.Now(); time.Since(begun) < duration; {
		name, fault := s.next()
		t.Logf("%7.1f s  %s", time.Since(begun).Seconds(), name)
		fault()
		faults[name]++
		s.sample()
		time.Sleep(s.between(time.Second, 4*time.Second))
	}
	time.Sleep(5 * time.Second) // calm again
	s.sample()
	f := newFigures(t, library+", seed "+strconv.FormatUint(seed, 10))
	f.took("duration", duration)
	for name, n := range faults {
		f.count("faults: "+name, n)
	}
	s.report(f)
}

func soakSettings(t *testing.T) (seed uint64, duration time.Duration) {
	t.Helper()
	seed, duration = uint64(time.Now().UnixNano()), 10*time.Minute
	var err error
	if text := os.Getenv(seedVar); text != "" {
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, seedVar)
	}
	if text := os.Getenv(durationVar); text != "" {
		duration, err = time.ParseDuration(text)
		require.NoError(t, err, durationVar)
	}
	t.Logf("repeat with: make soak %s=%d %s=%v", seedVar, seed, durationVar, duration)
	return seed, duration
}

// soak is what a soak works on.
type soak struct {
	t       *testing.T
	random  *rand.Rand
	srv     *redistest.Server
	cluster *redistest.Cluster
	ns      string
	uids    []string
	single  *statelink.Executor
	many    *statelink.Executor

	links                 *Links
	onServer, onCluster   *Running
	counters              *Running
	samples               []Resources
	serverKey, clusterKey string
}

func newSoak(t *testing.T, random *rand.Rand) *soak {
	s := &soak{t: t, random: random, ns: redistest.NewPrefix(t), uids: uidsOf("u", 20)}
	s.srv = redistest.StartServer(t, redistest.WithConfig("appendonly", "yes"), redistest.WithConfig("appendfsync", "always"))
	s.cluster = startPartialCluster(t)
	s.single = open(t, redismanager.RedisConfig{Addr: s.srv.Addr()}, counting)
	s.many = open(t, clusterConfig(s.cluster), counting)
	s.links = NewLinks(ours{s.many, s.ns}, s.uids, JudgeLibrary)
	s.serverKey, s.clusterKey = s.ns+":server", s.ns+":cluster"
	return s
}

// start lets 50 callers go.
func (s *soak) start() {
	load := func(callers int, call func(context.Context, int, int) error) *Running {
		return Load{Callers: callers, Timeout: 2 * time.Second, Pause: 20 * time.Millisecond, Call: call}.Start()
	}
	s.onServer = load(25, countWith(s.single, s.serverKey))
	s.onCluster = load(len(s.uids), s.links.Call)
	s.counters = load(5, countWith(s.many, s.clusterKey))
}

func (s *soak) sample() { s.samples = append(s.samples, ReadResources()) }

// report checks the invariants.
func (s *soak) report(f *figures) {
	s.t.Helper()
	server, links, counters := s.onServer.StopAll(), s.onCluster.StopAll(), s.counters.StopAll()
	s.reportLoad(f, "server: ", server)
	s.reportLoad(f, "Cluster links: ", links)
	s.reportLoad(f, "Cluster counters: ", counters)
	f.truth(server, executions(s.t, s.srv, s.serverKey))
	executed := executions(s.t, s.cluster.NodeForKey(s.t, s.clusterKey), s.clusterKey)
	f.exactly("executions on the Cluster that no caller knows of", max(executed-counters.OK-counters.Unknown, 0), 0)
	f.exactly("wrong answers", int(s.links.Wrong.Load()), 0)
	f.count("acknowledged links seen lost (no replica asked)", int(s.links.Lost.Load()))
	s.reportResources(f)
}

// reportLoad also wants that most calls were answered: a soak that only fails
// proves nothing.
func (s *soak) reportLoad(f *figures, what string, tally Tally) {
	s.t.Helper()
	f.count(what+"calls", tally.Calls)
	f.count(what+"outcome unknown", tally.Unknown)
	f.count(what+"surely not applied", tally.NotApplied)
	f.atLeast(what+"answered", tally.OK, tally.Calls/4)
	f.failures(tally)
}

// poolRoom is by how much the pools may have filled since the start: ten
// connections for each of seven servers.
const poolRoom = 70

// reportResources compares the calm before the first fault with that after the last.
func (s *soak) reportResources(f *figures) {
	s.t.Helper()
	first, last := s.samples[0], s.samples[len(s.samples)-1]
	memory := make([]float64, len(s.samples))
	for i, one := range s.samples {
		memory[i] = float64(one.RSS) / 1024
	}
	f.atMost("goroutines more than at the start", last.Goroutines-first.Goroutines, poolRoom)
	f.atMost("files more than at the start", last.Files-first.Files, poolRoom)
	f.count("memory slope in KiB per fault", int(Slope(memory)))
	assert.Less(s.t, last.RSS, 2*first.RSS+64<<20, "memory")
}
