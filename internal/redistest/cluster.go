package redistest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

const (
	clusterMasters = 3
	clusterNodes   = 2 * clusterMasters
	clusterSlots   = 16384
)

// Cluster is a Redis Cluster of three masters and three replicas (node timeout
// 2 s). After a failover its masters are not the nodes that were started as such.
type Cluster struct {
	nodes []*Server
}

// StartCluster starts a Cluster for one test. It returns when every node calls
// the cluster ok, all slots are covered and every replica is in sync.
func StartCluster(tb testing.TB, opts ...Option) *Cluster {
	tb.Helper()
	c, err := startCluster(newConfig(opts))
	if err != nil {
		tb.Fatalf("redistest: start cluster: %v", err)
	}
	tb.Cleanup(c.close)
	return c
}

func startCluster(cfg config) (*Cluster, error) {
	if cfg.master != nil {
		return nil, errors.New("WithReplicaOf is for StartServer only")
	}
	cfg.cluster = true
	nodes, err := startAll(repeat(cfg, clusterNodes))
	if err != nil {
		return nil, err
	}
	c := &Cluster{nodes: nodes}
	err = c.form()
	if err == nil {
		err = waitFor(topologyTimeout, c.check)
	}
	if err != nil {
		log := c.logTail()
		c.close()
		return nil, fmt.Errorf("%w\n%s", err, log)
	}
	return c, nil
}

func (c *Cluster) close() { closeAll(c.nodes) }

// form makes one cluster of the separate nodes.
func (c *Cluster) form() error {
	for i, node := range c.nodes {
		if err := node.admin(func(ctx context.Context, r *redis.Client) error {
			return c.introduce(ctx, r, i)
		}); err != nil {
			return fmt.Errorf("introduce node %s: %w", node.Addr(), err)
		}
	}
	for i := range clusterMasters {
		if err := c.attach(c.nodes[clusterMasters+i], c.nodes[i]); err != nil {
			return fmt.Errorf("attach replica %s: %w", c.nodes[clusterMasters+i].Addr(), err)
		}
	}
	return nil
}

// introduce gives node i its epoch, its slots if it is to be a master, and its
// acquaintances. Different epochs from the start spare the nodes the settling of
// a conflict; meeting every other node directly spares the wait for gossip.
func (c *Cluster) introduce(ctx context.Context, r *redis.Client, i int) error {
	if err := r.Do(ctx, "cluster", "set-config-epoch", i+1).Err(); err != nil {
		return err
	}
	if i < clusterMasters {
		first, last := i*clusterSlots/clusterMasters, (i+1)*clusterSlots/clusterMasters-1
		if err := r.ClusterAddSlotsRange(ctx, first, last).Err(); err != nil {
			return err
		}
	}
	for _, other := range c.nodes[:i] {
		err := r.Do(ctx, "cluster", "meet", host, other.at.port, other.at.busPort).Err()
		if err != nil {
			return err
		}
	}
	return nil
}

// attach makes a replica of node, as soon as node has heard of its master.
func (c *Cluster) attach(node, master *Server) error {
	return node.admin(func(ctx context.Context, r *redis.Client) error {
		views, err := master.clusterView()
		if err != nil {
			return err
		}
		id := views.self().id
		return waitFor(serverTimeout, func() error { return r.ClusterReplicate(ctx, id).Err() })
	})
}

// Nodes are all six nodes, in the order in which they were started.
func (c *Cluster) Nodes() []*Server { return append([]*Server(nil), c.nodes...) }

// Addrs are the addresses of all six nodes.
func (c *Cluster) Addrs() []string { return addrs(c.nodes) }

// Masters are the nodes that answer and call themselves master of some slots.
func (c *Cluster) Masters() []*Server {
	return c.pick(func(v nodeView) bool { return v.has("master") && len(v.slots) > 0 })
}

// Replicas are the nodes that answer and call themselves replica.
func (c *Cluster) Replicas() []*Server {
	return c.pick(func(v nodeView) bool { return v.has("slave") })
}

// ReplicaOf returns the replica of a master, nil if none answers.
func (c *Cluster) ReplicaOf(master *Server) *Server {
	views, err := master.clusterView()
	if err != nil {
		return nil
	}
	id := views.self().id
	replicas := c.pick(func(v nodeView) bool { return v.masterID == id })
	if len(replicas) == 0 {
		return nil
	}
	return replicas[0]
}

func (c *Cluster) pick(want func(nodeView) bool) []*Server {
	var list []*Server
	for _, node := range c.nodes {
		views, err := node.clusterView()
		if err == nil && want(views.self()) {
			list = append(list, node)
		}
	}
	return list
}

// NodeForKey returns the master that owns the key's slot now. Between a
// failover and the news of it two nodes may claim a slot; the later claim wins.
func (c *Cluster) NodeForKey(tb testing.TB, key string) *Server {
	tb.Helper()
	slot := keySlot(key)
	var owner *Server
	epoch := -1
	for _, node := range c.nodes {
		if e, ok := node.claims(slot); ok && e > epoch {
			owner, epoch = node, e
		}
	}
	if owner == nil {
		tb.Fatalf("redistest: no node of the cluster serves key %q", key)
	}
	return owner
}

// claims says whether the node calls itself master of the slot, and the epoch of
// that claim.
func (s *Server) claims(slot int) (epoch int, ok bool) {
	views, err := s.clusterView()
	if err != nil {
		return 0, false
	}
	self := views.self()
	return self.epoch, self.has("master") && self.owns(slot)
}

// WaitReady waits until the cluster is whole again: every node answers and is
// known to all, all slots are covered, every replica is in sync. For use after a
// failover and a Restart.
func (c *Cluster) WaitReady(tb testing.TB) {
	tb.Helper()
	if err := waitFor(topologyTimeout, c.check); err != nil {
		tb.Fatalf("redistest: cluster: %v\n%s", err, c.logTail())
	}
}

func (c *Cluster) check() error {
	for _, node := range c.nodes {
		if err := node.seesWholeCluster(); err != nil {
			return fmt.Errorf("node %s: %w", node.Addr(), err)
		}
	}
	return nil
}

// seesWholeCluster checks the cluster with the eyes of one node.
func (s *Server) seesWholeCluster() error {
	if err := s.admin(clusterOK); err != nil {
		return err
	}
	views, err := s.clusterView()
	if err != nil {
		return err
	}
	if err := views.whole(); err != nil {
		return err
	}
	if views.self().has("master") {
		return nil
	}
	link, err := s.infoField("replication", "master_link_status")
	if err != nil {
		return err
	}
	if link != "up" {
		return fmt.Errorf("its link to the master is %s", link)
	}
	return nil
}

func clusterOK(ctx context.Context, r *redis.Client) error {
	info, err := r.ClusterInfo(ctx).Result()
	if err != nil {
		return err
	}
	for _, want := range []string{"cluster_state:ok", "cluster_slots_ok:" + strconv.Itoa(clusterSlots)} {
		if !strings.Contains(info, want+"\r\n") {
			return fmt.Errorf("CLUSTER INFO lacks %s", want)
		}
	}
	return nil
}

func (c *Cluster) logTail() string {
	var b strings.Builder
	for _, node := range c.nodes {
		fmt.Fprintf(&b, "--- %s\n%s\n", node.Addr(), node.LogTail())
	}
	return b.String()
}
