package cli

import (
	"context"
	"time"

	"github.com/statelink/statelink"
)

// expireLink is step 6.
func (d *demo) expireLink(ctx context.Context, r *stepReport) error {
	user := d.random.IntN(len(d.users))
	d.expired = user
	start := time.Now()
	was, err := d.s.exec.RemoveLinkedPod(ctx, d.namespace, d.users[user], mainService, 1)
	if err != nil {
		return err
	}
	r.say("%s is removed, with 1 s to go", d.users[user])
	r.equal("there was a link", "yes", yesNo(was))
	if err := d.checkStillThere(ctx, r, user, start); err != nil {
		return err
	}
	gone, err := d.awaitNoLink(ctx, user)
	if err != nil {
		return err
	}
	lived := time.Since(start)
	d.placed[user] = statelink.NoPod
	const shortest, longest = 990 * time.Millisecond, 3 * time.Second
	r.verify("time until it was gone", "1 s, or a little more", short(lived), gone && lived >= shortest && lived <= longest)
	return nil
}

// checkStillThere looks at the link before its second is over. On a machine so
// busy that it is over already there is nothing to look at.
func (d *demo) checkStillThere(ctx context.Context, r *stepReport, user int, start time.Time) error {
	pod, err := d.linkOf(ctx, user)
	if err != nil {
		return err
	}
	persistent, err := d.s.exec.GetLinkedPodIfPersist(ctx, d.namespace, d.users[user], mainService)
	if err != nil || time.Since(start) > 900*time.Millisecond {
		return err
	}
	r.equal("link right after that", podName(d.placed[user]), podName(pod))
	r.equal("persistent link", podName(statelink.NoPod), podName(persistent))
	return nil
}

// awaitNoLink gives false if the link does not go away.
func (d *demo) awaitNoLink(ctx context.Context, user int) (bool, error) {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		pod, err := d.linkOf(ctx, user)
		if err != nil || pod == statelink.NoPod {
			return err == nil, err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return false, err
		}
	}
	return false, nil
}

// listServices is step 7: the persistent links of one user, and not its
// temporary one.
func (d *demo) listServices(ctx context.Context, r *stepReport) error {
	user := d.random.IntN(len(d.users))
	d.listed = user
	want := map[string]int{}
	if user != d.expired {
		want[mainService] = d.placed[user]
	}
	for _, service := range moreServices {
		want[service] = d.random.IntN(len(d.pods))
		if _, err := d.s.exec.SetLinkedPod(ctx, d.namespace, d.users[user], service, want[service], statelink.PersistForever); err != nil {
			return err
		}
	}
	if _, err := d.s.exec.SetLinkedPod(ctx, d.namespace, d.users[user], tempService, 0, 60); err != nil {
		return err
	}
	found, err := d.s.exec.GetLinkService(ctx, d.namespace, d.users[user])
	if err != nil {
		return err
	}
	r.say("%s; a temporary link, of service %s, is not listed", d.users[user], tempService)
	r.equal("its persistent links", serviceText(want), serviceText(found))
	return nil
}
