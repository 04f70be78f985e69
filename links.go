package statelink

import "context"

// keyPair are the two keys of a link.
type keyPair struct{ link, user string }

// linkKeys checks the names and gives the keys of a link.
func (e *Executor) linkKeys(namespace, uid, serviceName string) (keyPair, error) {
	if err := firstError(checkNamespace(namespace), checkUID(uid), checkService(serviceName)); err != nil {
		return keyPair{}, err
	}
	return keyPair{link: e.keys.Link(namespace, uid, serviceName), user: e.keys.User(namespace, uid)}, nil
}

// SetLinkedPod links uid to podID, whatever the link was before, and gives the
// previous pod or [NoPod]. Setting the same persistent link again writes
// nothing. A previous value that is no pod index, written by another program,
// is overwritten and counts as no pod.
func (e *Executor) SetLinkedPod(ctx context.Context, namespace, uid, serviceName string, podID, persistSeconds int) (previousPod int, err error) {
	ctx, op := e.begin(ctx, Op{Name: "set_linked_pod", Namespace: namespace, Service: serviceName, UID: uid, Pod: podID, Changes: true})
	defer op.end(&err)
	k, err := e.linkKeys(namespace, uid, serviceName)
	if err = firstError(err, checkPod(podID), checkPersist(persistSeconds)); err != nil {
		return NoPod, err
	}
	pod, err := e.scripts.ExecuteSetLink(ctx, k.link, k.user, serviceName, podID, persistSeconds)
	return pod, about(err, "set link of uid %q, service %s to pod %d", uid, serviceName, podID)
}

// TrySetLinkedPod links uid to podID unless a persistent link to another pod
// is there, which stays; a temporary one is replaced. ok says whether the link
// is to podID now; currentPod is where it is.
func (e *Executor) TrySetLinkedPod(ctx context.Context, namespace, uid, serviceName string, podID, persistSeconds int) (ok bool, currentPod int, err error) {
	ctx, op := e.begin(ctx, Op{Name: "try_set_linked_pod", Namespace: namespace, Service: serviceName, UID: uid, Pod: podID, Changes: true})
	defer op.end(&err)
	k, err := e.linkKeys(namespace, uid, serviceName)
	if err = firstError(err, checkPod(podID), checkPersist(persistSeconds)); err != nil {
		return false, NoPod, err
	}
	ok, currentPod, err = e.scripts.ExecuteTrySetLink(ctx, k.link, k.user, serviceName, podID, persistSeconds)
	return ok, currentPod, about(err, "try link of uid %q, service %s to pod %d", uid, serviceName, podID)
}

// SetLinkedPodIfAbsent links uid to podID only if there is no link, temporary
// or not; an existing one is left exactly as it is. It gives the pod that is
// linked now.
func (e *Executor) SetLinkedPodIfAbsent(ctx context.Context, namespace, uid, serviceName string, podID, persistSeconds int) (currentPod int, err error) {
	ctx, op := e.begin(ctx, Op{Name: "set_linked_pod_if_absent", Namespace: namespace, Service: serviceName, UID: uid, Pod: podID, Changes: true})
	defer op.end(&err)
	k, err := e.linkKeys(namespace, uid, serviceName)
	if err = firstError(err, checkPod(podID), checkPersist(persistSeconds)); err != nil {
		return NoPod, err
	}
	pod, err := e.scripts.ExecuteSetLinkIfAbsent(ctx, k.link, k.user, serviceName, podID, persistSeconds)
	return pod, about(err, "link uid %q, service %s to pod %d if absent", uid, serviceName, podID)
}

// GetLinkedPod gives the linked pod, or [NoPod].
func (e *Executor) GetLinkedPod(ctx context.Context, namespace, uid, serviceName string) (pod int, err error) {
	ctx, op := e.begin(ctx, Op{Name: "get_linked_pod", Namespace: namespace, Service: serviceName, UID: uid, Pod: NoPod})
	defer op.end(&err)
	k, err := e.linkKeys(namespace, uid, serviceName)
	if err != nil {
		return NoPod, err
	}
	pod, err = e.readLink(ctx, k.link)
	return pod, about(err, "get link of uid %q, service %s", uid, serviceName)
}

func (e *Executor) readLink(ctx context.Context, linkKey string) (int, error) {
	value, err := e.manager.Read(ctx, "get", linkKey)
	if err != nil {
		return NoPod, err
	}
	return storedPod(value)
}

// GetLinkedPodIfPersist gives the linked pod if the link is persistent, else
// [NoPod].
func (e *Executor) GetLinkedPodIfPersist(ctx context.Context, namespace, uid, serviceName string) (pod int, err error) {
	ctx, op := e.begin(ctx, Op{Name: "get_linked_pod_if_persist", Namespace: namespace, Service: serviceName, UID: uid, Pod: NoPod})
	defer op.end(&err)
	k, err := e.linkKeys(namespace, uid, serviceName)
	if err != nil {
		return NoPod, err
	}
	pod, err = e.scripts.ExecuteGetLinkIfPersist(ctx, k.link)
	return pod, about(err, "get persistent link of uid %q, service %s", uid, serviceName)
}

// BatchGetLinkedPod reads the links of many uids, in pipelines grouped by
// node, and gives each pod's uids in the order given; uids without a link are
// under [NoPod]. A uid that is given twice is listed once. There is no partial
// result.
func (e *Executor) BatchGetLinkedPod(ctx context.Context, namespace string, uids []string, serviceName string) (byPod map[int][]string, err error) {
	ctx, op := e.begin(ctx, Op{Name: "batch_get_linked_pod", Namespace: namespace, Service: serviceName, Pod: NoPod, Items: len(uids)})
	defer op.end(&err)
	distinct, keys, err := e.batchKeys(namespace, uids, serviceName)
	if err != nil {
		return nil, err
	}
	values, err := e.manager.GetBatch(ctx, keys)
	if err != nil {
		return nil, about(err, "get links of %d uids, service %s", len(distinct), serviceName)
	}
	byPod = map[int][]string{}
	for i, uid := range distinct {
		pod, err := storedPod(values[i])
		if err != nil {
			return nil, about(err, "get link of uid %q, service %s", uid, serviceName)
		}
		byPod[pod] = append(byPod[pod], uid)
	}
	return byPod, nil
}

func (e *Executor) batchKeys(namespace string, uids []string, serviceName string) (distinct, keys []string, err error) {
	if err := firstError(checkNamespace(namespace), checkService(serviceName)); err != nil {
		return nil, nil, err
	}
	seen := make(map[string]struct{}, len(uids))
	for i, uid := range uids {
		if err := checkUID(uid); err != nil {
			return nil, nil, about(err, "uids[%d]", i)
		}
		if _, twice := seen[uid]; !twice {
			seen[uid] = struct{}{}
			distinct = append(distinct, uid)
			keys = append(keys, e.keys.Link(namespace, uid, serviceName))
		}
	}
	return distinct, keys, nil
}

// RemoveLinkedPod removes a link: at once if persistSeconds is -1 or 0, else it
// becomes a temporary link of that many seconds. It gives whether there was a
// link.
func (e *Executor) RemoveLinkedPod(ctx context.Context, namespace, uid, serviceName string, persistSeconds int) (removed bool, err error) {
	ctx, op := e.begin(ctx, Op{Name: "remove_linked_pod", Namespace: namespace, Service: serviceName, UID: uid, Pod: NoPod, Changes: true})
	defer op.end(&err)
	k, err := e.linkKeys(namespace, uid, serviceName)
	if err = firstError(err, checkRemoval(persistSeconds)); err != nil {
		return false, err
	}
	removed, err = e.scripts.ExecuteRemoveLink(ctx, k.link, k.user, serviceName, persistSeconds)
	return removed, about(err, "remove link of uid %q, service %s", uid, serviceName)
}

// RemoveLinkedPodWithId is [Executor.RemoveLinkedPod] only if the link is to
// podID; a link to another pod is left as it is and gives false.
func (e *Executor) RemoveLinkedPodWithId(ctx context.Context, namespace, uid, serviceName string, persistSeconds, podID int) (removed bool, err error) {
	ctx, op := e.begin(ctx, Op{Name: "remove_linked_pod_with_id", Namespace: namespace, Service: serviceName, UID: uid, Pod: podID, Changes: true})
	defer op.end(&err)
	k, err := e.linkKeys(namespace, uid, serviceName)
	if err = firstError(err, checkRemoval(persistSeconds), checkPod(podID)); err != nil {
		return false, err
	}
	removed, err = e.scripts.ExecuteRemoveLinkWithId(ctx, k.link, k.user, serviceName, persistSeconds, podID)
	return removed, about(err, "remove link of uid %q, service %s to pod %d", uid, serviceName, podID)
}

// GetLinkService lists the persistent links of a uid: service name to pod.
func (e *Executor) GetLinkService(ctx context.Context, namespace, uid string) (services map[string]int, err error) {
	ctx, op := e.begin(ctx, Op{Name: "get_link_service", Namespace: namespace, UID: uid, Pod: NoPod})
	defer op.end(&err)
	if err := firstError(checkNamespace(namespace), checkUID(uid)); err != nil {
		return nil, err
	}
	services, err = e.scripts.ExecuteGetLinkService(ctx, e.keys.User(namespace, uid))
	return services, about(err, "list links of uid %q", uid)
}
