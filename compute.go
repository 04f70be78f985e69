package statelink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// computeTries is how often a placement is thought over again when another
// caller changed the link in between. Each lost race leaves a link that is
// fresher than the last, so one repeat is rare and three practically never
// happen.
const computeTries = 4

// ComputeLinkedPodIfAbsent gives the pod that uid is linked to. If there is no
// link, or its pod is dead (no state, or its heartbeat is older than
// [WithPodMaxAge] by the server's clock), it links uid to the least-loaded pod
// that is ready and fresh. The change is a compare-and-set on the link that was
// read, so two callers agree on one pod, and a draining pod keeps its users.
// persistSeconds is for a link that it makes; an existing live link stays as it
// is.
//
// A pod is known to live only by its heartbeats: one whose heartbeats have not
// reached Redis for longer than the age loses its users to the others, even if
// it runs, also when it was Redis that was away. Such a pod must stop serving
// and claim its users again with [Executor.TrySetLinkedPod].
//
// With [Executor.WithReplicaAcks] a link that it makes is acknowledged; one that
// was there is given as it was read.
//
// Errors besides those of the connection: [ErrNoReadyPod], there is no pod to
// link to; [ErrContended], other callers kept changing the link;
// [ErrMalformedData], the link or its pod's state is not in our form, so that
// the pod cannot be judged.
func (e *Executor) ComputeLinkedPodIfAbsent(ctx context.Context, namespace, uid, serviceName string, persistSeconds int) (pod int, err error) {
	ctx, op := e.begin(ctx, Op{Name: "compute_linked_pod_if_absent", Namespace: namespace, Service: serviceName, UID: uid, Pod: NoPod, Changes: true})
	defer op.end(&err)
	k, err := e.linkKeys(namespace, uid, serviceName)
	if err = firstError(err, checkPersist(persistSeconds)); err != nil {
		return NoPod, err
	}
	p := placement{executor: e, keyPair: k, namespace: namespace, service: serviceName, persistSeconds: persistSeconds}
	pod, err = p.run(ctx)
	return pod, about(err, "place uid %q of service %s", uid, serviceName)
}

// placement is one call of ComputeLinkedPodIfAbsent.
type placement struct {
	keyPair
	executor           *Executor
	namespace, service string
	persistSeconds     int
}

func (p *placement) run(ctx context.Context) (int, error) {
	linked, err := p.executor.readLink(ctx, p.link)
	if err != nil {
		return NoPod, err
	}
	for range computeTries {
		pod, settled, err := p.judge(ctx, linked)
		if settled || err != nil {
			return pod, err
		}
		linked = pod // another caller was first: is that pod alive?
	}
	return NoPod, fmt.Errorf("%w: the link changed %d times, last to pod %d", ErrContended, computeTries, linked)
}

// judge settles on the linked pod if it lives, or tries to replace it. If
// another caller was first, pod is what the link is now, and not settled.
//
// It is one decision on one view of the pods. It must not be carried out when
// that view has become older than a heartbeat may be: a pod may be back by then.
func (p *placement) judge(ctx context.Context, linked int) (pod int, settled bool, err error) {
	maxAge := p.executor.podMaxAge
	limit := time.Now().Add(maxAge)
	if own, ok := ctx.Deadline(); ok && own.Before(limit) {
		return p.decide(ctx, linked)
	}
	ctx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	pod, settled, err = p.decide(ctx, linked)
	if err != nil && !time.Now().Before(limit) {
		err = fmt.Errorf("the decision took longer than the pod max age of %v: %w", maxAge, err)
	}
	return pod, settled, err
}

func (p *placement) decide(ctx context.Context, linked int) (pod int, settled bool, err error) {
	e := p.executor
	table, err := e.stateTable(ctx, p.namespace, p.service)
	if err != nil {
		return NoPod, false, err
	}
	if linked != NoPod && table.alive(linked, e.podMaxAge) {
		return linked, true, nil
	}
	if slices.Contains(table.unreadable, linked) {
		return NoPod, false, fmt.Errorf("%w: state of pod %d, so whether it is alive is not known", ErrMalformedData, linked)
	}
	candidate, found := table.leastLoaded(e.podMaxAge)
	if !found {
		return NoPod, false, fmt.Errorf("%w: %d pods of service %s have reported, none is ready and fresh", ErrNoReadyPod, len(table.pods), p.service)
	}
	current, _, err := e.scripts.ExecuteComputeLinkIfAbsent(ctx, p.link, p.user, p.service, p.persistSeconds, candidate, linked)
	if current != candidate && errors.Is(err, ErrNotDurable) {
		err = nil // nothing was changed
	}
	return current, current == candidate, err
}
