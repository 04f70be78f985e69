package redismanager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// layout says in addresses who serves what: the answer of one discovery.
type layout struct {
	slots    []slotRange // Cluster only
	master   string      // outside a Cluster
	replicas []string    // outside a Cluster
}

// slotRange is a run of slots that one master serves.
type slotRange struct {
	first, last int
	master      string
	replicas    []string
}

// discovery asks a deployment for its layout.
type discovery interface {
	discover(ctx context.Context) (layout, error)
	close() error // ends its connections
	wait()        // until no question is under way, when no discover can begin one
}

// fixed is the discovery of a standalone server: the configuration says it all.
type fixed struct{ addr string }

func (f fixed) discover(context.Context) (layout, error) { return layout{master: f.addr}, nil }
func (f fixed) close() error                             { return nil }
func (f fixed) wait()                                    {}

// topology is one view of who serves what. It never changes.
type topology struct {
	layout
	single *node           // outside a Cluster
	slots  []*node         // by slot, nil where no master serves it; only in a Cluster
	master []*node         // by address
	copies []replicaNode   // by address
	addrs  map[string]bool // of all nodes
}

// replicaNode is a replica and the master that it follows.
type replicaNode struct {
	*node
	of string
}

// forKey gives the master of the key's slot; outside a Cluster there is only one.
func (t *topology) forKey(key string) (*node, error) {
	if t.slots == nil {
		return t.single, nil
	}
	slot := Slot(key)
	if n := t.slots[slot]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("%w: no master serves slot %d", errNoMaster, slot)
}

// newTopology finds the nodes of a layout.
func newTopology(l layout, set *nodeSet) *topology {
	t := &topology{layout: l, addrs: map[string]bool{}}
	if l.slots == nil {
		t.single = set.master(l.master)
		t.addMaster(t.single)
		t.addReplicas(set, l.master, l.replicas)
	} else {
		t.slots = make([]*node, slotCount)
		for _, r := range l.slots {
			n := set.master(r.master)
			t.addMaster(n)
			t.addReplicas(set, r.master, r.replicas)
			for slot := r.first; slot <= r.last; slot++ {
				t.slots[slot] = n
			}
		}
	}
	slices.SortFunc(t.master, byAddr)
	slices.SortFunc(t.copies, func(a, b replicaNode) int { return byAddr(a.node, b.node) })
	return t
}

func (t *topology) addMaster(n *node) {
	if !t.addrs[n.addr] {
		t.addrs[n.addr] = true
		t.master = append(t.master, n)
	}
}

func (t *topology) addReplicas(set *nodeSet, master string, addrs []string) {
	for _, addr := range addrs {
		if !t.addrs[addr] {
			t.addrs[addr] = true
			t.copies = append(t.copies, replicaNode{node: set.replica(addr), of: master})
		}
	}
}

// masterAddrs are the addresses of the masters, sorted.
func (t *topology) masterAddrs() []string {
	addrs := make([]string, len(t.master))
	for i, n := range t.master {
		addrs[i] = n.addr
	}
	return addrs
}

// served counts the slots that have a master.
func (t *topology) served() int {
	n := 0
	for _, owner := range t.slots {
		if owner != nil {
			n++
		}
	}
	return n
}

// changes names what differs from an older view.
func (t *topology) changes(old *topology) []Event {
	var events []Event
	for _, addr := range slices.Sorted(maps.Keys(t.addrs)) {
		if !old.addrs[addr] {
			events = append(events, Event{Kind: EventNodeAdded, Node: addr})
		}
	}
	for _, addr := range slices.Sorted(maps.Keys(old.addrs)) {
		if !t.addrs[addr] {
			events = append(events, Event{Kind: EventNodeRemoved, Node: addr})
		}
	}
	return append(events, t.masterChanges(old)...)
}

// masterChanges tells of nodes that took over from another. A slot that moved
// between two masters that both go on is no news.
func (t *topology) masterChanges(old *topology) []Event {
	if t.slots == nil {
		if t.single.addr == old.single.addr {
			return nil
		}
		return []Event{{Kind: EventMasterChanged, Node: t.single.addr, From: old.single.addr, To: t.single.addr}}
	}
	was, is := old.masterAddrs(), t.masterAddrs()
	moved := map[[2]string]int{}
	for slot, n := range t.slots {
		before := old.slots[slot]
		if n == nil || before == nil || n.addr == before.addr {
			continue
		}
		if !slices.Contains(is, before.addr) || !slices.Contains(was, n.addr) {
			moved[[2]string{before.addr, n.addr}]++
		}
	}
	var events []Event
	for pair, slots := range moved {
		events = append(events, Event{
			Kind: EventMasterChanged, Node: pair[1], From: pair[0], To: pair[1],
			Reason: fmt.Sprintf("%d slots", slots),
		})
	}
	return events
}

func byAddr(a, b *node) int { return strings.Compare(a.addr, b.addr) }
