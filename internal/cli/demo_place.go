package cli

import (
	"context"
	"fmt"

	"github.com/statelink/statelink"
)

// place asks for the user's pod. The demo's pods are the only ones of its
// namespace, so any other answer is wrong.
func (d *demo) place(ctx context.Context, user int) (int, error) {
	pod, err := d.s.exec.ComputeLinkedPodIfAbsent(ctx, d.namespace, d.users[user], mainService, statelink.PersistForever)
	if err == nil && !d.has(pod) {
		err = fmt.Errorf("%w: %s was placed on pod %d, which does not exist", errUnexpected, d.users[user], pod)
	}
	return pod, err
}

// has reports whether the demo has a pod of this number.
func (d *demo) has(pod int) bool { return pod >= 0 && pod < len(d.pods) }

// placeUsers is step 2. A pod reports its new load before the next user of the
// same caller arrives, so the pods fill evenly.
func (d *demo) placeUsers(ctx context.Context, r *stepReport) error {
	err := d.forUsers(ctx, len(d.users), func(ctx context.Context, user int) error {
		pod, err := d.place(ctx, user)
		if err != nil {
			return err
		}
		d.placed[user] = pod
		return d.report(ctx, d.pods[pod], 1)
	})
	if err != nil {
		return err
	}
	links, err := d.links(ctx)
	if err != nil {
		return err
	}
	if r.Spread, err = d.spread(ctx, links); err != nil {
		return err
	}
	d.checkSpread(r, links)
	return nil
}

// checkSpread allows for callers that place at the same time and cannot see
// each other's user yet.
func (d *demo) checkSpread(r *stepReport, links []int) {
	allowed := 1
	if d.callers > 1 {
		allowed = 2 * d.callers
	}
	fewest, most, honest := len(links), 0, 0
	for _, pod := range r.Spread {
		fewest, most = min(fewest, pod.Users), max(most, pod.Users)
		if pod.Load == int64(pod.Users) {
			honest++
		}
	}
	r.equal("users with a pod", len(links), linked(links))
	r.atMost("difference between the fullest and the emptiest pod", allowed, most-fewest)
	r.equal("pods whose reported load is their number of users", len(d.pods), honest)
}

func linked(links []int) int {
	n := 0
	for _, pod := range links {
		if pod != statelink.NoPod {
			n++
		}
	}
	return n
}

// singleReads is how many users are also asked for one by one.
const singleReads = 100

// findUsers is step 3: what the store says is what placing answered, read in
// one batch and one by one.
func (d *demo) findUsers(ctx context.Context, r *stepReport) error {
	links, err := d.links(ctx)
	if err != nil {
		return err
	}
	same := 0
	for user, pod := range links {
		if pod == d.placed[user] {
			same++
		}
	}
	r.equal("users found, all in one call, where they were placed", len(d.users), same)
	some := d.random.Perm(len(d.users))[:min(singleReads, len(d.users))]
	same = 0
	for _, user := range some {
		pod, err := d.linkOf(ctx, user)
		if err != nil {
			return err
		}
		if pod == d.placed[user] {
			same++
		}
	}
	r.equal("users found, one by one, where they were placed", len(some), same)
	return nil
}

// refuseTakeover is step 4.
func (d *demo) refuseTakeover(ctx context.Context, r *stepReport) error {
	user := d.random.IntN(len(d.users))
	owner := d.placed[user]
	other := (owner + 1 + d.random.IntN(len(d.pods)-1)) % len(d.pods)
	r.say("%s asks for %s", podName(other), d.users[user])
	taken, told, err := d.s.exec.TrySetLinkedPod(ctx, d.namespace, d.users[user], mainService, other, statelink.PersistForever)
	if err != nil {
		return err
	}
	r.equal("refused", "yes", yesNo(!taken))
	r.equal("owner that it is told", podName(owner), podName(told))
	after, err := d.linkOf(ctx, user)
	if err != nil {
		return err
	}
	r.equal("owner in Redis afterwards", podName(owner), podName(after))
	return nil
}
