package statelink

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"
)

func (e *Executor) stateKey(namespace, serviceName string) (string, error) {
	if err := firstError(checkNamespace(namespace), checkService(serviceName)); err != nil {
		return "", err
	}
	return e.keys.State(namespace, serviceName), nil
}

// SetServiceState stores a pod's state, given in the stored form
// <load>-<unix ms>-<routing>. The time is replaced by the server's own, so any
// number will do there. [Executor.ReportPodState] takes typed values.
func (e *Executor) SetServiceState(ctx context.Context, namespace, serviceName string, podID int, state string) (err error) {
	ctx, op := e.begin(ctx, Op{Name: "set_service_state", Namespace: namespace, Service: serviceName, Pod: podID, Changes: true})
	defer op.end(&err)
	parsed, err := ParsePodState(podID, state)
	if err != nil {
		return refuse("state", quote(state), "<load>-<unix ms>-<routing>, routing 0, 1 or 2")
	}
	return e.reportPodState(ctx, namespace, serviceName, podID, parsed.Load, parsed.Routing)
}

// ReportPodState stores a pod's load and routing state; the server stamps the
// heartbeat with its own clock.
func (e *Executor) ReportPodState(ctx context.Context, namespace, serviceName string, podID int, load int64, routing Routing) (err error) {
	ctx, op := e.begin(ctx, Op{Name: "report_pod_state", Namespace: namespace, Service: serviceName, Pod: podID, Changes: true})
	defer op.end(&err)
	return e.reportPodState(ctx, namespace, serviceName, podID, load, routing)
}

func (e *Executor) reportPodState(ctx context.Context, namespace, serviceName string, podID int, load int64, routing Routing) error {
	key, err := e.stateKey(namespace, serviceName)
	if err = firstError(err, checkPod(podID), checkLoad(load), checkRouting(routing)); err != nil {
		return err
	}
	_, err = e.scripts.ExecuteSetState(ctx, key, podID, load, routing)
	return about(err, "report state of pod %d, service %s", podID, serviceName)
}

// GetServiceState gives the stored state of each pod that has reported,
// including those that are dead. Fields that are no pod index are left out.
func (e *Executor) GetServiceState(ctx context.Context, namespace, serviceName string) (states map[int]string, err error) {
	ctx, op := e.begin(ctx, Op{Name: "get_service_state", Namespace: namespace, Service: serviceName, Pod: NoPod})
	defer op.end(&err)
	key, err := e.stateKey(namespace, serviceName)
	if err != nil {
		return nil, err
	}
	_, states, err = e.scripts.ExecuteGetService(ctx, key)
	return states, about(err, "get states of service %s", serviceName)
}

// PodStates gives the state of each pod that has reported, by pod index, and
// the server's time, against which heartbeats are to be judged. States that do
// not parse, written by another program, are left out.
func (e *Executor) PodStates(ctx context.Context, namespace, serviceName string) (states []PodState, now time.Time, err error) {
	ctx, op := e.begin(ctx, Op{Name: "pod_states", Namespace: namespace, Service: serviceName, Pod: NoPod})
	defer op.end(&err)
	if _, err := e.stateKey(namespace, serviceName); err != nil {
		return nil, time.Time{}, err
	}
	t, err := e.stateTable(ctx, namespace, serviceName)
	return t.pods, t.now, about(err, "get states of service %s", serviceName)
}

// ReadyPods lists the pods that are ready and whose heartbeat is at most maxAge
// old by the server's clock (0: any age), least loaded first, at most limit of
// them (0: all). maxAge is 0 to 24 h, limit 0 to 1,000,000.
func (e *Executor) ReadyPods(ctx context.Context, namespace, serviceName string, maxAge time.Duration, limit int) (ready []PodLoad, err error) {
	ctx, op := e.begin(ctx, Op{Name: "ready_pods", Namespace: namespace, Service: serviceName, Pod: NoPod})
	defer op.end(&err)
	key, err := e.stateKey(namespace, serviceName)
	if err != nil {
		return nil, err
	}
	if maxAge < 0 || maxAge > 24*time.Hour || maxAge > 0 && maxAge < time.Millisecond {
		return nil, refuse("maxAge", maxAge.String(), "0 or 1ms to 24h")
	}
	if limit < 0 || limit > 1_000_000 {
		return nil, refuse("limit", strconv.Itoa(limit), "0 to 1000000")
	}
	ready, err = e.scripts.ExecuteGetServicePod(ctx, key, maxAge, limit)
	return ready, about(err, "get ready pods of service %s", serviceName)
}

// stateTable is the states of a service's pods at one moment of the server.
type stateTable struct {
	now        time.Time
	pods       []PodState // by pod index
	unreadable []int      // pods that reported in a form that is not ours
}

func (e *Executor) stateTable(ctx context.Context, namespace, serviceName string) (stateTable, error) {
	now, stored, err := e.scripts.ExecuteGetService(ctx, e.keys.State(namespace, serviceName))
	if err != nil {
		return stateTable{}, err
	}
	t := stateTable{now: now}
	for pod, state := range stored {
		if parsed, err := ParsePodState(pod, state); err == nil {
			t.pods = append(t.pods, parsed)
		} else {
			t.unreadable = append(t.unreadable, pod)
		}
	}
	slices.SortFunc(t.pods, func(a, b PodState) int { return cmp.Compare(a.Pod, b.Pod) })
	return t, nil
}

func (t stateTable) fresh(s PodState, maxAge time.Duration) bool {
	return t.now.Sub(s.Heartbeat) <= maxAge
}

// alive reports whether the pod's heartbeat is fresh, whatever its routing.
func (t stateTable) alive(pod int, maxAge time.Duration) bool {
	i, found := slices.BinarySearchFunc(t.pods, pod, func(s PodState, pod int) int { return cmp.Compare(s.Pod, pod) })
	return found && t.fresh(t.pods[i], maxAge)
}

// leastLoaded gives the ready and fresh pod with the least load, the lower
// index among equals.
func (t stateTable) leastLoaded(maxAge time.Duration) (pod int, found bool) {
	var best PodState
	for _, s := range t.pods {
		if s.Routing == RoutingReady && t.fresh(s, maxAge) && (!found || s.Load < best.Load) {
			best, found = s, true
		}
	}
	return best.Pod, found
}
