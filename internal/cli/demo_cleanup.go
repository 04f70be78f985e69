package cli

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// takeNamespace makes sure that nobody else plays in the namespace, which
// belongs to the seed. What a killed demo of the same seed has left is removed.
func (d *demo) takeNamespace(ctx context.Context) error {
	states, now, err := d.s.exec.PodStates(ctx, d.namespace, mainService)
	if err != nil {
		return err
	}
	for _, state := range states {
		if now.Sub(state.Heartbeat) <= demoMaxAge {
			return fmt.Errorf("another demo with --seed %d is running on this Redis, or has just been killed: choose another seed", d.flags.seed)
		}
	}
	if len(states) > 0 {
		_, err = d.removeAll(ctx)
	}
	return err
}

// cleanUp removes what the demo wrote, also after a failure or an interrupt: it
// has time of its own for that. A second pass finds what is left.
func (d *demo) cleanUp(ctx context.Context, report *demoReport) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second+time.Duration(len(d.users))*time.Millisecond)
	defer cancel()
	if report.err != nil {
		_ = pause(ctx, 100*time.Millisecond) // what was on its way to the server arrives
	}
	removed, err := d.removeAll(ctx)
	left := 0
	if err == nil {
		left, err = d.removeAll(ctx)
	}
	if err != nil {
		report.err = errors.Join(report.err, leftoverError{fmt.Errorf("demo: keys of namespace %s may be left: %w", d.namespace, err)})
		return
	}
	report.Cleanup = &cleanupReport{Removed: removed, Left: left}
	if left > 0 && report.err == nil {
		report.err = fmt.Errorf("demo: %w: %s came back after they were removed", errUnexpected, count(left, "key"))
	}
}

// removeAll deletes every key that the demo can have written, and gives how
// many there were. Others of the namespace are not touched.
func (d *demo) removeAll(ctx context.Context) (int, error) {
	var removed atomic.Int64
	remove := func(ctx context.Context, keys ...any) error {
		n, err := d.s.manager.Write(ctx, append([]any{"del"}, keys...)...)
		if count, ok := n.(int64); ok {
			removed.Add(count)
		}
		return err
	}
	err := d.forUsers(ctx, len(d.users), func(ctx context.Context, user int) error {
		return remove(ctx, d.userKeys(user)...)
	})
	if err == nil {
		err = remove(ctx, d.s.keys.State(d.namespace, mainService))
	}
	return int(removed.Load()), err
}

// userKeys are the keys of one user, which share a slot.
func (d *demo) userKeys(user int) []any {
	uid := d.users[user]
	keys := []any{d.s.keys.Link(d.namespace, uid, mainService), d.s.keys.User(d.namespace, uid)}
	if user == d.listed {
		for _, service := range append([]string{tempService}, moreServices...) {
			keys = append(keys, d.s.keys.Link(d.namespace, uid, service))
		}
	}
	return keys
}
