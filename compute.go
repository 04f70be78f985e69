package statelink

import (
	"context"
	"fmt"
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
// read: a pod that lives or drains never loses a user to it, and two callers
// agree on one pod. persistSeconds is for a link that it makes; an existing
// live link stays as it is.
//
// [ErrNoReadyPod] says that there is no pod to link to.
func (e *Executor) ComputeLinkedPodIfAbsent(ctx context.Context, namespace, uid, serviceName string, persistSeconds int) (int, error) {
	k, err := e.linkKeys(namespace, uid, serviceName)
	if err = firstError(err, checkPersist(persistSeconds)); err != nil {
		return NoPod, err
	}
	pod, err := e.place(ctx, k, namespace, serviceName, persistSeconds)
	return pod, about(err, "place uid %q of service %s", uid, serviceName)
}

func (e *Executor) place(ctx context.Context, k keyPair, namespace, serviceName string, persistSeconds int) (int, error) {
	linked, err := e.readLink(ctx, k.link)
	if err != nil {
		return NoPod, err
	}
	for range computeTries {
		table, err := e.stateTable(ctx, namespace, serviceName)
		if err != nil {
			return NoPod, err
		}
		if linked != NoPod && table.alive(linked, e.podMaxAge) {
			return linked, nil
		}
		candidate, found := table.leastLoaded(e.podMaxAge)
		if !found {
			return NoPod, fmt.Errorf("%w: %d pods of service %s have reported, none is ready and fresh", ErrNoReadyPod, len(table.pods), serviceName)
		}
		current, _, err := e.scripts.ExecuteComputeLinkIfAbsent(ctx, k.link, k.user, serviceName, persistSeconds, candidate, linked)
		if err != nil {
			return NoPod, err
		}
		if current == candidate {
			return current, nil
		}
		linked = current // another caller was first: is that pod alive?
	}
	return linked, nil
}
