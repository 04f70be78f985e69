package statelink_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// rules are the model, or a wrong one.
type rules struct {
	name  string
	steps map[string]func(m *model, o op) string // in place of those of the model
	store func(m *model) map[string]string
}

func (r rules) apply(m *model, o op) string {
	if wrong, ok := r.steps[o.kind]; ok {
		return wrong(m, o)
	}
	return steps[o.kind].model(m, o)
}

// session runs sequences on one store and counts what it ran.
type session struct {
	stage     *stage
	sequences int
	ops       map[string]int // by kind
}

func newSession(s *stage) *session { return &session{stage: s, ops: map[string]int{}} }

func (s *session) total() (n int) {
	for _, count := range s.ops {
		n += count
	}
	return n
}

// run runs one sequence in a namespace of its own and says where the store and
// the rules part: in an answer, or in what is stored in the end.
func (s *session) run(t tester, ops []op, right rules) error {
	t.Helper()
	s.sequences++
	stage := *s.stage
	stage.ns = fmt.Sprintf("%s.%d", s.stage.ns, s.sequences)
	r := &runner{stage: &stage, begin: time.Now()}
	defer unlink(t, stage.Executor, stage.pattern)
	m := newModel()
	for i, o := range ops {
		o.ns = stage.ns + o.ns
		s.ops[o.kind]++
		got, err := steps[o.kind].real(r, o)
		if err != nil {
			return fmt.Errorf("operation %d, %+v: %w", i, o, err)
		}
		answer := r.timesInWords(fmt.Sprint(got))
		if want := right.apply(m, o); answer != want {
			return fmt.Errorf("operation %d, %+v: got %s, want %s, after\n%s", i, o, answer, want, writesOf(ops[:i]))
		}
	}
	if got, want := r.store(t), right.store(m); !reflect.DeepEqual(got, want) {
		return fmt.Errorf("stored is\n%swant\n%safter\n%s", lines(got), lines(want), writesOf(ops))
	}
	return nil
}

func lines(keys map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		fmt.Fprintf(&b, "  %s: %s\n", key, keys[key])
	}
	return b.String()
}

// writesOf leaves the readers out: they change nothing.
func writesOf(ops []op) string {
	var b strings.Builder
	for _, o := range ops {
		if !strings.Contains(o.kind, "Get") && o.kind != "PodStates" && o.kind != "ReadyPods" {
			fmt.Fprintf(&b, "  %+v\n", o)
		}
	}
	return b.String()
}

var theModel = rules{name: "the model", store: (*model).store}

// allKinds has a reader first: see anyOps.
func allKinds() []string {
	kinds := slices.Sorted(maps.Keys(steps))
	i := slices.Index(kinds, "GetLinkedPod")
	kinds[0], kinds[i] = kinds[i], kinds[0]
	return kinds
}

// TestModel runs random operations against real Redis and the model side by
// side: every answer, and after each sequence everything stored, must agree.
func TestModel(t *testing.T) {
	t.Parallel()
	for _, run := range []struct {
		backend string
		ops     int
	}{{"standalone", 10_000}, {"cluster", 2_000}, {"sentinel", 1_000}, {"embedded", 1_000}} {
		t.Run(run.backend, func(t *testing.T) {
			t.Parallel()
			s := modelStage(t, run.backend)
			runModel(t, s, run.ops)
		})
	}
}

// modelStage gives the standalone run a server of its own, where it looks at
// every key that there is.
func modelStage(t *testing.T, name string) *stage {
	t.Helper()
	alive := statelink.WithPodMaxAge(aliveHour)
	if name != "standalone" {
		return newStage(t, backendNamed(t, name).ownExecutor(t, nil, alive))
	}
	exec, err := statelink.Open(t.Context(), redismanager.RedisConfig{Addr: redistest.StartServer(t).Addr()}, alive)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, exec.Close()) })
	s := newStage(t, exec)
	s.pattern = "*"
	return s
}

func runModel(t *testing.T, s *stage, atLeast int) {
	t.Helper()
	if testing.Short() {
		atLeast = max(atLeast/10, 600) // enough for every kind to come up
	}
	session := newSession(s)
	sequences := anyOps(allKinds())
	begin, seed := time.Now(), rand.Int()
	for session.total() < atLeast {
		if s.pattern == "*" {
			rapid.Check(t, func(rt *rapid.T) {
				if err := session.run(rt, sequences.Draw(rt, "operations"), theModel); err != nil {
					rt.Fatal(err)
				}
			})
			continue
		}
		require.NoError(t, session.run(t, sequences.Example(seed+session.sequences), theModel), "seed %d", seed)
	}
	t.Logf("%d operations in %d sequences, %v", session.total(), session.sequences, time.Since(begin).Round(time.Millisecond))
	require.GreaterOrEqual(t, session.total(), atLeast)
	for kind := range steps {
		require.Positive(t, session.ops[kind], kind)
	}
}

// TestModelHasEveryMethod: a new method of the executor needs its step.
func TestModelHasEveryMethod(t *testing.T) {
	t.Parallel()
	contract := reflect.TypeFor[statelink.StatefulExecutor]()
	for i := range contract.NumMethod() {
		require.Contains(t, steps, contract.Method(i).Name)
	}
	for _, m := range methods {
		require.Contains(t, steps, m.name)
	}
}
