package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
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

// removeBatch is how many users' keys are deleted in one pipeline.
const removeBatch = 500

// removeAll deletes every key that the demo can have written, and gives how
// many there were. Others of the namespace are not touched.
func (d *demo) removeAll(ctx context.Context) (int, error) {
	removed, err := d.remove(ctx, [][]string{{d.s.keys.State(d.namespace, mainService)}})
	for start := 0; start < len(d.users) && err == nil; start += removeBatch {
		var sets [][]string
		for user := start; user < min(start+removeBatch, len(d.users)); user++ {
			sets = append(sets, d.userKeys(user))
		}
		var n int
		n, err = d.remove(ctx, sets)
		removed += n
	}
	return removed, err
}

// remove deletes sets of keys, each of one slot, in one pipeline. Deleting
// twice does no harm, so the client may send it again.
func (d *demo) remove(ctx context.Context, sets [][]string) (int, error) {
	cmds, err := d.s.manager.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, keys := range sets {
			pipe.Del(ctx, keys...)
		}
		return nil
	})
	removed := 0
	for _, cmd := range cmds {
		if del, ok := cmd.(*redis.IntCmd); ok {
			removed += int(del.Val())
		}
	}
	return removed, err
}

// userKeys are the keys of one user, which share a slot.
func (d *demo) userKeys(user int) []string {
	uid := d.users[user]
	keys := []string{d.s.keys.Link(d.namespace, uid, mainService), d.s.keys.User(d.namespace, uid)}
	if user == d.listed {
		for _, service := range append([]string{tempService}, moreServices...) {
			keys = append(keys, d.s.keys.Link(d.namespace, uid, service))
		}
	}
	return keys
}
