package cli

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// survivePodDeath is step 5. Everybody's pod is asked for again: the users of
// the dead pod by two callers at once, who must agree.
func (d *demo) survivePodDeath(ctx context.Context, r *stepReport) error {
	before, err := d.links(ctx)
	if err != nil {
		return err
	}
	user := d.random.IntN(len(before))
	if !d.has(before[user]) {
		r.equal("pod of "+d.users[user], podName(d.placed[user]), podName(before[user]))
		return nil
	}
	victim := d.pods[before[user]]
	victim.die()
	if err := d.awaitDeath(ctx, r, victim.index); err != nil {
		return err
	}
	disagreed, err := d.askAgain(ctx, before, victim.index)
	if err != nil {
		return err
	}
	after, err := d.links(ctx)
	if err != nil {
		return err
	}
	if r.Spread, err = d.spread(ctx, after); err != nil {
		return err
	}
	orphans, onLive, moved := compareLinks(before, after, victim.index, r.Spread)
	r.say("%s had %s", podName(victim.index), count(orphans, "user"))
	r.equal("of these, users on a live pod now", orphans, onLive)
	r.equal("of these, users whose two callers were told different pods", 0, disagreed)
	r.equal("users of the other pods that moved", 0, moved)
	return nil
}

// awaitDeath waits until the victim's heartbeat is too old by the server's
// clock, and no other's is.
func (d *demo) awaitDeath(ctx context.Context, r *stepReport, victim int) error {
	deadline := time.Now().Add(demoMaxAge + 5*time.Second)
	for {
		spread, err := d.spread(ctx, nil)
		if err != nil {
			return err
		}
		dead := 0
		for _, pod := range spread {
			if !pod.Alive {
				dead++
			}
		}
		gone := !spread[victim].Alive
		if gone || time.Now().After(deadline) {
			r.say("%s stops reporting; after %v it counts as dead", podName(victim), demoMaxAge)
			r.equal("pods that are dead by the server's clock", 1, dead)
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// askAgain places every user again and gives the number of those about whom
// two callers disagreed.
func (d *demo) askAgain(ctx context.Context, before []int, victim int) (disagreed int, err error) {
	var different atomic.Int64
	err = d.forUsers(ctx, len(d.users), func(ctx context.Context, user int) error {
		if before[user] != victim {
			var err error
			d.placed[user], err = d.place(ctx, user)
			return err
		}
		first, second, err := d.placeTwice(ctx, user)
		if err != nil {
			return err
		}
		if first != second {
			different.Add(1)
		}
		d.placed[user] = first
		return d.report(ctx, d.pods[first], 1)
	})
	return int(different.Load()), err
}

func (d *demo) placeTwice(ctx context.Context, user int) (first, second int, err error) {
	var wg sync.WaitGroup
	var otherErr error
	wg.Go(func() { second, otherErr = d.place(ctx, user) })
	first, err = d.place(ctx, user)
	wg.Wait()
	if err == nil {
		err = otherErr
	}
	return first, second, err
}

// compareLinks counts the dead pod's users, those of them on a live pod now, and
// the users of other pods that moved although their pod lives.
func compareLinks(before, after []int, victim int, spread []podSpread) (orphans, onLive, moved int) {
	for user, was := range before {
		is := after[user]
		switch {
		case was == victim:
			orphans++
			if is != victim && is >= 0 && is < len(spread) && spread[is].Alive {
				onLive++
			}
		case is != was:
			moved++
		}
	}
	return orphans, onLive, moved
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting: %w", ctx.Err())
	}
}
