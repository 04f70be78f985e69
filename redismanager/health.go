package redismanager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// healthScript proves that a node runs Lua, which PING does not: a node can
// answer PING while a script holds it or while the user may not run scripts.
// It writes nothing, but says that it might: so a server that refuses every
// write (a demoted master, too few replicas, a full disk) refuses it too.
var healthScript = newScriptEntry(Script{Name: "health", Source: "#!lua flags=allow-oom\nreturn 1\n"}, 1)

// HealthCheck runs a small script on every master, which fails where writes are
// refused, and, in a Cluster, checks that all slots are served. The error names
// each node that failed.
func (m *Manager) HealthCheck(ctx context.Context) error {
	g, err := m.acquire()
	if err != nil {
		return err
	}
	defer g.release()
	return g.healthCheck(ctx)
}

func (g *generation) healthCheck(ctx context.Context) error {
	return g.eachMaster(ctx, func(ctx context.Context, addr string, c *redis.Client) error {
		if err := g.runsScripts(ctx, c); err != nil {
			return err
		}
		if g.cfg.Mode == ModeCluster {
			return slotsCovered(ctx, addr, c)
		}
		return nil
	})
}

// runsScripts runs the health script on one node.
func (g *generation) runsScripts(ctx context.Context, c *redis.Client) error {
	return answeredOne(g.runOn(ctx, c, healthScript, nil))
}

// runOn runs a script that returns 1 on one node. A user who may run only loaded
// scripts and is told that this one is not has proof enough: the node does
// answer EVALSHA.
func (g *generation) runOn(ctx context.Context, c *redis.Client, e *scriptEntry, keys []string) attempt {
	run, b := scriptRun{entry: e, keys: keys}, e.forServer(g.plain)
	a := sendTo(ctx, c, run.command("evalsha", b.sha))
	if !isNoScript(a.err) {
		return a
	}
	a = sendTo(ctx, c, run.command("eval", b.source))
	if a.err != nil && errors.Is(serverClass(a.err.Error()), ErrAuth) {
		return attempt{value: int64(1), node: a.node}
	}
	return a
}

func answeredOne(a attempt) error {
	if a.err != nil {
		return explain(a, true)
	}
	if a.value != int64(1) {
		return fmt.Errorf("%w: health script returned %v", ErrMalformedData, a.value)
	}
	return nil
}

// slotsCovered asks one node whether it sees a master for every slot.
func slotsCovered(ctx context.Context, addr string, c *redis.Client) error {
	//nolint:staticcheck // go-redis itself asks CLUSTER SLOTS, so every user of a Cluster may; CLUSTER SHARDS needs one more permission
	ranges, err := c.ClusterSlots(ctx).Result()
	if err != nil {
		return explain(attempt{err: err, node: addr}.finish(ctx, time.Now()), true)
	}
	covered := 0
	for _, r := range ranges {
		if len(r.Nodes) > 0 {
			covered += r.End - r.Start + 1
		}
	}
	if covered != slotCount {
		return fmt.Errorf("%w: node %s sees %d of %d slots served", ErrUnavailable, addr, covered, slotCount)
	}
	return nil
}
