package reliability

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// counting counts its executions on the server: more than the callers were told
// of means that a call ran twice behind its caller's back.
var counting = redismanager.Script{Name: "counting", Source: "#!lua\nreturn redis.call('INCR', KEYS[1])\n"}

func countWith(e *statelink.Executor, key string) func(context.Context, int, int) error {
	return func(ctx context.Context, _, _ int) error {
		_, err := e.Manager().ExecuteScript(ctx, counting.Name, []string{key}, nil)
		return err
	}
}

var plainCounting = redis.NewScript(counting.Source)

func countPlain(client redis.UniversalClient, key string) func(context.Context, int, int) error {
	return func(ctx context.Context, _, _ int) error {
		return plainCounting.Run(ctx, client, []string{key}).Err()
	}
}

func executions(t *testing.T, srv *redistest.Server, key string) int {
	t.Helper()
	text, err := srv.Client(t).Get(within(t, 5*time.Second), key).Result()
	require.NoError(t, err)
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// truth asserts ok <= executed <= ok + unknown.
func (f *figures) truth(tally Tally, executed int) {
	f.t.Helper()
	f.count("outcome unknown", tally.Unknown)
	f.atLeast("executions beyond the successes", executed-tally.OK, 0)
	f.atMost("executions that no caller knows of", max(executed-tally.OK-tally.Unknown, 0), 0)
}

// TestScriptFlush empties the script cache all the time.
func TestScriptFlush(t *testing.T) {
	watchLeaks(t)
	srv, key := redistest.StartServer(t), redistest.NewPrefix(t)
	e := open(t, redismanager.RedisConfig{Addr: srv.Addr()}, counting)
	load := Load{Callers: 50, Timeout: 5 * time.Second, Pause: time.Millisecond, Call: countWith(e, key)}.Start()
	requireTraffic(t, load, 1000)
	client := srv.Client(t)
	flushes := every(10*time.Millisecond, pick(10*time.Second, 3*time.Second), func() {
		require.NoError(t, client.ScriptFlush(context.Background()).Err())
	})
	tally := load.StopAll()
	f := newFigures(t, library)
	f.load(tally)
	f.count("SCRIPT FLUSH", flushes)
	f.exactly("failed calls", tally.Failed(), 0)
	f.exactly("extra executions", executions(t, srv, key)-tally.OK, 0)
}

// every does something again and again for a while, and counts.
func every(period, whole time.Duration, do func()) (times int) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for end := time.Now().Add(whole); time.Now().Before(end); times++ {
		do()
		<-ticker.C
	}
	return times
}

// TestConnectionsKilled closes all connections every 20 ms.
func TestConnectionsKilled(t *testing.T) {
	watchLeaks(t)
	srv, key := redistest.StartServer(t), redistest.NewPrefix(t)
	e := open(t, redismanager.RedisConfig{Addr: srv.Addr()}, counting)
	tally := killConnections(t, srv, countWith(e, key), JudgeLibrary)
	f := newFigures(t, library)
	f.load(tally)
	f.truth(tally, executions(t, srv, key))
}

// TestConnectionsKilledPlain is its control: more executions than its callers
// can know of, even if every error is read as unknown.
func TestConnectionsKilledPlain(t *testing.T) {
	watchLeaks(t)
	srv, key := redistest.StartServer(t), redistest.NewPrefix(t)
	tally := killConnections(t, srv, countPlain(plainServer(t, srv.Addr()), key), JudgePlain)
	f := newFigures(t, control)
	f.load(tally)
	f.count("errors", tally.Failed())
	f.atLeast("executions that no caller knows of", executions(t, srv, key)-tally.OK-tally.Unknown, 1)
}

func killConnections(t *testing.T, srv *redistest.Server, call func(context.Context, int, int) error, judge func(error) Outcome) Tally {
	t.Helper()
	load := Load{Callers: 50, Timeout: 5 * time.Second, Pause: time.Millisecond, Call: call, Judge: judge}.Start()
	requireTraffic(t, load, 1000)
	client := srv.Client(t)
	every(20*time.Millisecond, pick(5*time.Second, 3*time.Second), func() {
		require.NoError(t, client.ClientKillByFilter(context.Background(), "TYPE", "normal").Err())
	})
	return load.StopAll()
}

// TestLateExecution: a stopped server executes a call after its caller has given
// up. Such a call must not be reported as one that surely was not applied.
func TestLateExecution(t *testing.T) {
	watchLeaks(t)
	srv, prefix := redistest.StartServer(t), redistest.NewPrefix(t)
	e := open(t, redismanager.RedisConfig{Addr: srv.Addr(), PoolSize: 20}, counting)
	warm(t, e, prefix, 20)
	f := newFigures(t, library)
	var late, lies int
	for round := range pick(10, 3) {
		rows := lateRound(t, srv, e, prefix+strconv.Itoa(round))
		late, lies = late+rows.late, lies+rows.lies
	}
	f.atLeast("executed after their caller had given up", late, 1)
	f.exactly("of them reported as surely not applied", lies, 0)
}

type lateness struct{ late, lies int }

// lateRound stops the server, lets 20 calls run into their deadlines, and
// compares what their callers were told with what the server did then.
func lateRound(t *testing.T, srv *redistest.Server, e *statelink.Executor, prefix string) (l lateness) {
	t.Helper()
	errs := make([]error, 20)
	srv.Pause()
	load := Load{Callers: len(errs), Timeout: 100 * time.Millisecond, Call: func(ctx context.Context, caller, n int) error {
		if n > 0 {
			return nil
		}
		_, errs[caller] = e.Manager().ExecuteScript(ctx, counting.Name, []string{prefix + ":" + strconv.Itoa(caller)}, nil)
		return errs[caller]
	}, Pause: 50 * time.Millisecond}.Start()
	time.Sleep(300 * time.Millisecond)
	srv.Resume()
	load.StopAll()
	client := srv.Client(t)
	for caller, err := range errs {
		executed := client.Exists(within(t, 5*time.Second), prefix+":"+strconv.Itoa(caller)).Val() == 1
		if executed && err != nil {
			l.late++
		}
		if executed && JudgeLibrary(err) == NotApplied || !executed && err == nil {
			l.lies++
		}
	}
	return l
}

// warm opens n connections, each by a caller of its own.
func warm(t *testing.T, e *statelink.Executor, key string, n int) {
	t.Helper()
	begun := make(chan struct{})
	done := make(chan error, n)
	for range n {
		go func() {
			<-begun
			_, err := e.Manager().ExecuteScript(within(t, 5*time.Second), counting.Name, []string{key}, nil)
			done <- err
		}()
	}
	close(begun)
	for range n {
		require.NoError(t, <-done)
	}
}
