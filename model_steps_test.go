package statelink_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"github.com/statelink/statelink"
)

const (
	ageStep   = 150               // seconds; all TTLs of the model are multiples of it
	oldBeat   = 1_000_000_000_000 // unix ms of a heartbeat in 2001
	aliveHour = time.Hour         // no sequence lasts that long
)

var (
	batchUIDs     = []string{"alice", "nobody", "bob", "c:lk:d", "alice"}
	batchServices = []string{"chat", "nothing", "game", "chat"}
	ttls          = []int{forever, 300, 900}
)

// step is one kind of operation: what it does to the store, and to the model.
// Both give the answer in words.
type step struct {
	real  func(r *runner, o op) (any, error)
	model func(m *model, o op) string
}

// steps are all methods of the executor, and three things that happen by themselves.
var steps = map[string]step{
	"SetLinkedPod": {func(r *runner, o op) (any, error) {
		return r.SetLinkedPod(r.ctx, o.ns, o.uid, o.service, o.pod, o.ttl)
	}, (*model).set},
	"TrySetLinkedPod": {func(r *runner, o op) (any, error) {
		ok, pod, err := r.TrySetLinkedPod(r.ctx, o.ns, o.uid, o.service, o.pod, o.ttl)
		return fmt.Sprint(ok, pod), err
	}, (*model).try},
	"SetLinkedPodIfAbsent": {func(r *runner, o op) (any, error) {
		return r.SetLinkedPodIfAbsent(r.ctx, o.ns, o.uid, o.service, o.pod, o.ttl)
	}, (*model).setIfAbsent},
	"GetLinkedPod": {func(r *runner, o op) (any, error) {
		return r.GetLinkedPod(r.ctx, o.ns, o.uid, o.service)
	}, (*model).getLink},
	"GetLinkedPodIfPersist": {func(r *runner, o op) (any, error) {
		return r.GetLinkedPodIfPersist(r.ctx, o.ns, o.uid, o.service)
	}, (*model).getPersistent},
	"BatchGetLinkedPod": {func(r *runner, o op) (any, error) {
		return r.BatchGetLinkedPod(r.ctx, o.ns, batchUIDs, o.service)
	}, (*model).batch},
	"RemoveLinkedPod": {func(r *runner, o op) (any, error) {
		return r.RemoveLinkedPod(r.ctx, o.ns, o.uid, o.service, o.remove)
	}, (*model).remove},
	"RemoveLinkedPodWithId": {func(r *runner, o op) (any, error) {
		return r.RemoveLinkedPodWithId(r.ctx, o.ns, o.uid, o.service, o.remove, o.pod)
	}, (*model).removeWithID},
	"GetLinkService": {func(r *runner, o op) (any, error) {
		return r.GetLinkService(r.ctx, o.ns, o.uid)
	}, func(m *model, o op) string { return fmt.Sprint(m.services(o)) }},
	"ComputeLinkedPodIfAbsent": {func(r *runner, o op) (any, error) {
		pod, err := r.ComputeLinkedPodIfAbsent(r.ctx, o.ns, o.uid, o.service, o.ttl)
		if errors.Is(err, statelink.ErrNoReadyPod) {
			return "no ready pod", nil
		}
		return pod, err
	}, (*model).compute},
	"SetServiceState": {func(r *runner, o op) (any, error) {
		return "done", r.SetServiceState(r.ctx, o.ns, o.service, o.pod, fmt.Sprintf("%d-0-%d", o.load, o.routing))
	}, (*model).report},
	"ReportPodState": {func(r *runner, o op) (any, error) {
		return "done", r.ReportPodState(r.ctx, o.ns, o.service, o.pod, o.load, o.routing)
	}, (*model).report},
	"GetServiceState": {func(r *runner, o op) (any, error) {
		return r.GetServiceState(r.ctx, o.ns, o.service)
	}, (*model).states},
	"PodStates": {func(r *runner, o op) (any, error) {
		states, _, err := r.PodStates(r.ctx, o.ns, o.service)
		list := map[int]string{}
		for _, state := range states {
			list[state.Pod] = state.String()
		}
		return list, err
	}, (*model).states},
	"ReadyPods": {func(r *runner, o op) (any, error) {
		maxAge := aliveHour
		if o.anyAge {
			maxAge = 0
		}
		return r.ReadyPods(r.ctx, o.ns, o.service, maxAge, o.limit)
	}, (*model).ready},
	"SetWorkloadState": {func(r *runner, o op) (any, error) {
		return "done", r.SetWorkloadState(r.ctx, o.ns, o.service, o.word)
	}, (*model).setWord},
	"GetWorkloadState": {func(r *runner, o op) (any, error) {
		return r.GetWorkloadState(r.ctx, o.ns, o.service)
	}, (*model).word},
	"GetWorkloadStateBatch": {func(r *runner, o op) (any, error) {
		return r.GetWorkloadStateBatch(r.ctx, o.ns, batchServices)
	}, (*model).wordBatch},
	"(link expires)": {(*runner).expire, (*model).expire},
	"(link ages)":    {(*runner).age, (*model).age},
	"(pod dies)":     {(*runner).die, (*model).die},
}

// runner runs operations on a store that nobody else uses.
type runner struct {
	*stage
	begin time.Time
}

// expire lets the server itself end a temporary link's time, a millisecond
// later, and waits for it.
func (r *runner) expire(o op) (any, error) {
	left, key, err := r.left(o)
	if err != nil || left < 0 {
		return "done", err
	}
	if err := r.raw().PExpire(r.ctx, key, time.Millisecond).Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Second)
	defer cancel()
	for {
		there, err := r.raw().Exists(ctx, key).Result()
		if err != nil || there == 0 {
			return "done", err
		}
	}
}

// age makes a temporary link look as if ageStep had passed.
func (r *runner) age(o op) (any, error) {
	left, key, err := r.left(o)
	if err != nil || left <= ageStep*time.Second {
		return "done", err
	}
	return "done", r.raw().PExpire(r.ctx, key, left-ageStep*time.Second).Err()
}

func (r *runner) left(o op) (time.Duration, string, error) {
	key := r.keys.Link(o.ns, o.uid, o.service)
	left, err := r.raw().PTTL(r.ctx, key).Result()
	return left, key, err
}

// die puts an old time in the place of a pod's heartbeat.
func (r *runner) die(o op) (any, error) {
	key, field := r.keys.State(o.ns, o.service), strconv.Itoa(o.pod)
	stored, err := r.raw().HMGet(r.ctx, key, field).Result()
	if err != nil || stored[0] == nil {
		return "done", err
	}
	parts := storedState.FindStringSubmatch(stored[0].(string))
	return "done", r.raw().HSet(r.ctx, key, field, fmt.Sprintf("%s-%d-%s", parts[1], oldBeat, parts[3])).Err()
}

var unixMillis = regexp.MustCompile(`\b\d{13}\b`)

// timesInWords replaces heartbeats: those since the runner began by NOW.
func (r *runner) timesInWords(text string) string {
	return unixMillis.ReplaceAllStringFunc(text, func(digits string) string {
		ms, _ := strconv.ParseInt(digits, 10, 64)
		switch {
		case ms == oldBeat:
			return "OLD"
		case r.begin.UnixMilli() <= ms && ms <= time.Now().UnixMilli():
			return "NOW"
		}
		return digits
	})
}

// store is what Redis holds, in the words of the model.
func (r *runner) store(t tester) map[string]string {
	t.Helper()
	keys := map[string]string{}
	for key, e := range r.stored(t) {
		value := e.text
		if e.kind == "hash" {
			value = inWords(e.fields)
		}
		keys[key] = r.timesInWords(fmt.Sprintf("%s, %s: %s", e.kind, ttlClass(e.ttl, 150, 300, 450, 600, 750, 900), value))
	}
	return keys
}

// anyOps draws a sequence over few users, services and pods, so that they meet.
// The first kind is a reader: a failing sequence shrinks towards it.
func anyOps(kinds []string) *rapid.Generator[[]op] {
	one := rapid.Custom(func(t *rapid.T) op {
		return op{
			kind:    rapid.SampledFrom(kinds).Draw(t, "kind"),
			ns:      rapid.SampledFrom([]string{"", "-b"}).Draw(t, "ns"),
			uid:     rapid.SampledFrom([]string{"alice", "bob", "c:lk:d"}).Draw(t, "uid"),
			service: rapid.SampledFrom([]string{"chat", "game"}).Draw(t, "service"),
			pod:     rapid.SampledFrom([]int{0, 1, 2, 10}).Draw(t, "pod"),
			ttl:     rapid.SampledFrom(ttls).Draw(t, "ttl"),
			remove:  rapid.SampledFrom([]int{forever, 0, 300, 900}).Draw(t, "remove"),
			load:    rapid.SampledFrom([]int64{0, 2, 10, statelink.MaxLoad}).Draw(t, "load"),
			routing: rapid.SampledFrom([]statelink.Routing{ready, ready, draining, unavailable}).Draw(t, "routing"),
			limit:   rapid.IntRange(0, 3).Draw(t, "limit"),
			anyAge:  rapid.Bool().Draw(t, "anyAge"),
			word:    rapid.SampledFrom([]string{"running", "stopped", "ü"}).Draw(t, "word"),
		}
	})
	return rapid.SliceOfN(one, opsInSequence, opsInSequence+50)
}

// opsInSequence is how many operations a sequence has at least.
const opsInSequence = 100
