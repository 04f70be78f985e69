package statelink_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// raceBound is how long a race may take at most.
const raceBound = 30 * time.Second

// contest is a way to win a user. Each racer comes with a pod of its own, and
// learns which pod has the user now and whether it won itself.
type contest struct {
	name string
	run  func(ctx context.Context, s *stage, uid string, own int) (pod int, won bool, err error)
	// changing: the pods' loads change meanwhile, and decide who has the user.
	changing bool
}

var contests = []contest{
	{name: "SetLinkedPodIfAbsent", run: func(ctx context.Context, s *stage, uid string, own int) (int, bool, error) {
		pod, err := s.SetLinkedPodIfAbsent(ctx, s.ns, uid, "chat", own, forever)
		return pod, pod == own, err
	}},
	{name: "TrySetLinkedPod", run: func(ctx context.Context, s *stage, uid string, own int) (int, bool, error) {
		ok, pod, err := s.TrySetLinkedPod(ctx, s.ns, uid, "chat", own, forever)
		return pod, ok, err
	}},
	{name: "ComputeLinkedPodIfAbsent", run: func(ctx context.Context, s *stage, uid string, _ int) (int, bool, error) {
		pod, err := s.ComputeLinkedPodIfAbsent(ctx, s.ns, uid, "chat", forever)
		return pod, false, err
	}, changing: true},
}

// field is how many race, and for how many users: goroutines in all start
// together, perUser of them for the same user.
type field struct{ goroutines, perUser, users int }

// racePool is how many calls can be at one server at the same time.
const racePool = 64

func racing(c *redismanager.RedisConfig) {
	c.PoolSize, c.PoolTimeout, c.ReadTimeout = racePool, raceBound, raceBound
}

// outcome is what one racer learned.
type outcome struct {
	own, pod   int
	won        bool
	err        error
	begin, end time.Time
}

// TestRace: of all who want a new user at the same time exactly one gets it, and
// all the others are told who.
func TestRace(t *testing.T) {
	t.Parallel()
	t.Run("standalone", func(t *testing.T) {
		t.Parallel()
		cfg := redismanager.RedisConfig{Addr: redistest.StartServer(t).Addr()}
		racing(&cfg)
		exec, err := statelink.Open(t.Context(), cfg)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, exec.Close()) })
		s := newStage(t, exec)
		for _, c := range contests {
			f := field{500, 20, 1000}
			if c.changing {
				f.perUser = 10 // three calls each
			}
			t.Run(c.name, func(t *testing.T) { s.race(t, c, f, true) })
		}
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, backendNamed(t, "cluster").ownExecutor(t, racing))
		for _, c := range contests {
			t.Run(c.name, func(t *testing.T) { s.race(t, c, field{400, 20, 200}, false) })
		}
	})
}

// race may hold the server, which is then its own, until it is full of calls.
func (s *stage) race(t *testing.T, c contest, f field, mayHold bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, raceBound)
	defer cancel()
	hold := mayHold && !c.changing
	if c.changing {
		defer s.changeLoads(ctx, t)()
	}
	begin, contended, byPod := time.Now(), 0, map[int]int{}
	for first := 0; first < f.users; first += f.goroutines / f.perUser {
		for uid, outcomes := range s.wave(ctx, t, c, f, first, hold) {
			pod, err := s.judge(c, uid, outcomes)
			require.NoError(t, err, uid)
			byPod[pod]++
			if overlap(outcomes) {
				contended++
			}
		}
	}
	took := time.Since(begin)
	t.Logf("%d calls for %d users in %v, %d users contended, %d pods", f.users*f.perUser, f.users, took.Round(time.Millisecond), contended, len(byPod))
	require.Less(t, took, raceBound)
	require.Greater(t, len(byPod), 5, "one pod wins all")
	if hold {
		require.Equal(t, f.users, contended, "every user is wanted by several at the same time")
	} else {
		require.Greater(t, contended, f.users/4, "the racers hardly met")
	}
}

// TestRaceCanFail lets those race who first look and then set, as a caller
// without scripts would: several of them win the same user.
func TestRaceCanFail(t *testing.T) {
	t.Parallel()
	s := newStage(t, backendNamed(t, "standalone").ownExecutor(t, racing))
	lookAndSet := contest{name: "look and set", run: func(ctx context.Context, s *stage, uid string, own int) (int, bool, error) {
		pod, err := s.GetLinkedPod(ctx, s.ns, uid, "chat")
		if err != nil || pod != statelink.NoPod {
			return pod, false, err
		}
		_, err = s.SetLinkedPod(ctx, s.ns, uid, "chat", own, forever)
		return own, true, err
	}}
	users, wrong := 0, 0
	for ; wrong == 0 && users < 1000; users += 25 {
		for uid, outcomes := range s.wave(s.ctx, t, lookAndSet, field{500, 20, 25}, users, false) {
			if _, err := s.judge(lookAndSet, uid, outcomes); err != nil {
				wrong++
			}
		}
	}
	t.Logf("%d of %d users have been given to several pods", wrong, users)
	require.Positive(t, wrong)
}

// wave lets all goroutines go at once, several for each of its users. With
// hold, nothing is answered before all have begun and no more calls fit in.
func (s *stage) wave(ctx context.Context, t *testing.T, c contest, f field, firstUser int, hold bool) map[string][]outcome {
	t.Helper()
	outcomes := make([]outcome, f.goroutines)
	start := make(chan struct{})
	var ready, begun, done sync.WaitGroup
	ready.Add(f.goroutines)
	begun.Add(f.goroutines)
	user := func(i int) string { return fmt.Sprintf("%s-%d", c.name, firstUser+i/f.perUser) }
	for i := range outcomes {
		done.Go(func() {
			o := outcome{own: i}
			ready.Done()
			<-start
			o.begin = time.Now()
			begun.Done()
			o.pod, o.won, o.err = c.run(ctx, s, user(i), i)
			o.end = time.Now()
			outcomes[i] = o
		})
	}
	ready.Wait()
	if hold {
		require.NoError(t, s.raw().Do(ctx, "client", "pause", raceBound.Milliseconds(), "write").Err())
	}
	close(start)
	begun.Wait()
	if hold {
		s.releaseFull(t)
	}
	done.Wait()
	byUser := map[string][]outcome{}
	for i, o := range outcomes {
		byUser[user(i)] = append(byUser[user(i)], o)
	}
	return byUser
}

// releaseFull waits until a paused server holds as many calls as the pool lets
// through, and ends the pause. It asks on a connection beside that pool.
func (s *stage) releaseFull(t *testing.T) {
	t.Helper()
	admin := redis.NewClient(&redis.Options{Addr: s.Manager().GetConfig().Addr, DisableIdentity: true})
	defer admin.Close()
	eventually(t, func() bool {
		clients, err := admin.Info(s.ctx, "clients").Result()
		require.NoError(t, err)
		return strings.Contains(clients, fmt.Sprintf("blocked_clients:%d\r\n", racePool))
	}, "the server is full")
	require.NoError(t, admin.Do(s.ctx, "client", "unpause").Err())
}

// judge compares what the racers for a user were told with what is stored, and
// gives the pod that has the user.
func (s *stage) judge(c contest, uid string, outcomes []outcome) (pod int, err error) {
	stored, err := s.raw().Get(s.ctx, s.keys.Link(s.ns, uid, "chat")).Result()
	if err != nil {
		return 0, err
	}
	if pod, err = strconv.Atoi(stored); err != nil {
		return 0, err
	}
	listed, err := s.GetLinkService(s.ctx, s.ns, uid)
	if err != nil || len(listed) != 1 || listed["chat"] != pod {
		return 0, fmt.Errorf("link to pod %d, but the list is %v, %w", pod, listed, err)
	}
	winners := 0
	for _, o := range outcomes {
		if o.err != nil || o.pod != pod || o.won && o.own != pod {
			return 0, fmt.Errorf("stored is pod %d, but a caller with pod %d was told %d, won %v, %w", pod, o.own, o.pod, o.won, o.err)
		}
		if o.won {
			winners++
		}
	}
	if winners != 1 && !c.changing { // there it is the pod that wins, not the caller
		return 0, fmt.Errorf("%d callers have won", winners)
	}
	return pod, nil
}

// overlap reports whether another call had begun before the first one ended.
func overlap(outcomes []outcome) bool {
	firstEnd := outcomes[0].end
	for _, o := range outcomes {
		if o.end.Before(firstEnd) {
			firstEnd = o.end
		}
	}
	begun := 0
	for _, o := range outcomes {
		if o.begin.Before(firstEnd) {
			begun++
		}
	}
	return begun > 1
}

// changeLoads keeps reporting new loads for many pods, so that those who race
// at the same time see different pods as the least loaded.
func (s *stage) changeLoads(ctx context.Context, t *testing.T) (stop func()) {
	t.Helper()
	const pods = 20
	random := rand.New(rand.NewPCG(3, 4))
	for pod := range pods {
		s.report(t, pod, random.Int64N(1000), ready)
	}
	ctx, cancel := context.WithCancel(ctx)
	var reporter sync.WaitGroup
	reporter.Go(func() {
		for pod := 0; ctx.Err() == nil; pod = (pod + 1) % pods {
			_ = s.ReportPodState(ctx, s.ns, "chat", pod, random.Int64N(1000), statelink.RoutingReady)
		}
	})
	return func() {
		cancel()
		reporter.Wait()
	}
}
