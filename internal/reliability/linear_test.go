package reliability

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
	"github.com/statelink/statelink/scripts"
)

// The size of a history. Each second has users of its own: a history that is too
// long could not be judged.
const (
	linearCallers = 50
	linearUsers   = 20
	judgeTime     = 30 * time.Second
)

// history is what the callers asked and were told, and when.
type history struct {
	begun time.Time
	ops   [][]porcupine.Operation // by caller
	kinds []opKind
	run   func(ctx context.Context, op linkOp) (linkReply, error)
	judge func(error) Outcome
}

// call is one operation on one of the users of this second.
func (h *history) call(ctx context.Context, caller, _ int) error {
	second := int(time.Since(h.begun).Seconds())
	op := linkOp{
		kind: h.kinds[rand.IntN(len(h.kinds))], pod: rand.IntN(5),
		uid: fmt.Sprintf("s%du%d", second, rand.IntN(linearUsers)),
	}
	from := time.Since(h.begun)
	reply, err := h.run(ctx, op)
	to := time.Since(h.begun)
	outcome := h.judge(err)
	if outcome == NotApplied || outcome == Unknown && op.kind == opGet {
		return err // it is not part of what happened
	}
	until := to.Nanoseconds()
	if outcome == Unknown {
		reply, until = linkReply{unknown: true}, math.MaxInt64
	}
	h.ops[caller] = append(h.ops[caller], porcupine.Operation{
		ClientId: caller, Input: op, Call: from.Nanoseconds(), Output: reply, Return: until,
	})
	return err
}

// TestLinearizable: with replies lost and connections cut, what the callers were
// told is what one link that changes in one order would have answered.
func TestLinearizable(t *testing.T) {
	watchLeaks(t)
	srv, ns := redistest.StartServer(t), redistest.NewPrefix(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	e := open(t, redismanager.RedisConfig{Addr: proxy.Addr(), PoolSize: linearCallers, MinIdleConns: -1, DialTimeout: time.Second})
	h := &history{kinds: allOps, run: runOurs(e, ns), judge: JudgeLibrary}
	f := newFigures(t, library)
	result := h.judgeUnderFaults(t, f, srv, proxy)
	f.atLeast("operations of unknown outcome among them", h.unknown(), linearUsers)
	f.exactly("illegal histories", count(result == porcupine.Illegal), 0)
	f.exactly("histories that could not be judged", count(result == porcupine.Unknown), 0)
}

// TestLinearizablePlain is the control: a client that sends again what got no
// reply removes twice, and tells its caller that there was nothing to remove.
func TestLinearizablePlain(t *testing.T) {
	watchLeaks(t)
	srv, ns := redistest.StartServer(t), redistest.NewPrefix(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	client := redis.NewClient(&redis.Options{Addr: proxy.Addr(), PoolSize: linearCallers, ReadTimeout: 100 * time.Millisecond})
	defer client.Close()
	h := &history{kinds: []opKind{opSet, opGet, opRemove}, run: runPlain(client, ns), judge: JudgePlain}
	f := newFigures(t, control)
	result := h.judgeUnderFaults(t, f, srv, proxy)
	f.atLeast("illegal histories", count(result == porcupine.Illegal), 1)
}

// unknown counts the operations of which the caller does not know the outcome:
// with too few of them the faults did not reach it.
func (h *history) unknown() (n int) {
	for _, ops := range h.ops {
		for _, op := range ops {
			n += count(op.Output.(linkReply).unknown)
		}
	}
	return n
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// judgeUnderFaults makes a history under random faults and judges it.
func (h *history) judgeUnderFaults(t *testing.T, f *figures, srv *redistest.Server, proxy *redistest.Proxy) porcupine.CheckResult {
	t.Helper()
	h.begun, h.ops = time.Now(), make([][]porcupine.Operation, linearCallers)
	load := Load{Callers: linearCallers, Timeout: 300 * time.Millisecond, Pause: 15 * time.Millisecond, Call: h.call, Judge: h.judge}.Start()
	requireTraffic(t, load, 500)
	admin := srv.Client(t)
	faults := every(20*time.Millisecond, pick(10*time.Second, 3*time.Second), func() { oneFault(t, admin, proxy) })
	tally := load.StopAll()
	proxy.DropReplies("", 0, redistest.FaultClose)
	var all []porcupine.Operation
	for _, ops := range h.ops {
		all = append(all, ops...)
	}
	begun := time.Now()
	result := porcupine.CheckOperationsTimeout(linkModel, all, judgeTime)
	f.load(tally)
	f.count("faults", faults)
	f.count("operations judged", len(all))
	f.took("judged in", time.Since(begun))
	return result
}

func oneFault(t *testing.T, admin *redis.Client, proxy *redistest.Proxy) {
	t.Helper()
	switch rand.IntN(10) {
	case 0:
		require.NoError(t, admin.ClientKillByFilter(context.Background(), "TYPE", "normal").Err())
	case 1, 2, 3, 4:
		proxy.DropReplies("evalsha", 2, redistest.FaultSilence)
	default:
		proxy.DropReplies("evalsha", 3, redistest.FaultClose)
	}
}

func runOurs(e *statelink.Executor, ns string) func(context.Context, linkOp) (linkReply, error) {
	return func(ctx context.Context, op linkOp) (r linkReply, err error) {
		switch op.kind {
		case opSet:
			r.pod, err = e.SetLinkedPod(ctx, ns, op.uid, service, op.pod, forever)
		case opTrySet:
			r.ok, r.pod, err = e.TrySetLinkedPod(ctx, ns, op.uid, service, op.pod, forever)
		case opIfAbsent:
			r.pod, err = e.SetLinkedPodIfAbsent(ctx, ns, op.uid, service, op.pod, forever)
		case opGet:
			r.pod, err = e.GetLinkedPod(ctx, ns, op.uid, service)
		case opRemove:
			r.ok, err = e.RemoveLinkedPod(ctx, ns, op.uid, service, 0)
		case opRemoveID:
			r.ok, err = e.RemoveLinkedPodWithId(ctx, ns, op.uid, service, 0, op.pod)
		}
		return r, err
	}
}

func runPlain(client *redis.Client, ns string) func(context.Context, linkOp) (linkReply, error) {
	on, remove := plain{client, ns}, redis.NewScript(mustScript(scripts.RemoveLink))
	return func(ctx context.Context, op linkOp) (r linkReply, err error) {
		switch op.kind {
		case opSet:
			r.pod, err = on.Set(ctx, op.uid, op.pod)
		case opRemove:
			link := []string{keys.Link(ns, op.uid, service), keys.User(ns, op.uid)}
			reply, runErr := remove.Run(ctx, client, link, service, 0).Int64Slice()
			r.ok, err = len(reply) > 0 && reply[0] == 1, runErr
		default:
			r.pod, err = on.Get(ctx, op.uid)
		}
		return r, err
	}
}

// TestModelCanFail holds the judge against histories that are right and wrong.
func TestModelCanFail(t *testing.T) {
	at := func(n int64, op linkOp, reply linkReply) porcupine.Operation {
		return porcupine.Operation{Input: op, Output: reply, Call: n, Return: n}
	}
	set := at(1, linkOp{kind: opSet, pod: 3}, linkReply{pod: statelink.NoPod})
	right := at(2, linkOp{kind: opGet}, linkReply{pod: 3})
	stale := at(2, linkOp{kind: opGet}, linkReply{pod: statelink.NoPod})
	require.True(t, porcupine.CheckOperations(linkModel, []porcupine.Operation{set, right}))
	require.False(t, porcupine.CheckOperations(linkModel, []porcupine.Operation{set, stale}))
	unknown := porcupine.Operation{Input: linkOp{kind: opRemove}, Output: linkReply{unknown: true}, Call: 1, Return: math.MaxInt64}
	require.True(t, porcupine.CheckOperations(linkModel, []porcupine.Operation{set, stale, unknown}))
	require.True(t, porcupine.CheckOperations(linkModel, []porcupine.Operation{set, right, unknown}))
}
