package redistest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// nodeView is one line of CLUSTER NODES: what one node thinks of another.
type nodeView struct {
	id       string
	flags    []string
	masterID string
	epoch    int
	link     string
	slots    []slotRange
}

type slotRange struct{ first, last int }

// clusterView is what one node thinks of all nodes.
type clusterView []nodeView

// clusterView asks the node for its view of the cluster.
func (s *Server) clusterView() (clusterView, error) {
	var text string
	err := s.admin(func(ctx context.Context, c *redis.Client) (err error) {
		text, err = c.ClusterNodes(ctx).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	return parseView(text)
}

func parseView(text string) (clusterView, error) {
	var views clusterView
	for line := range strings.Lines(text) {
		view, err := parseNode(line)
		if err != nil {
			return nil, err
		}
		views = append(views, view)
	}
	return views, nil
}

// parseNode reads "<id> <addr> <flags> <master> <ping> <pong> <epoch> <link> <slots...>".
func parseNode(line string) (nodeView, error) {
	f := strings.Fields(line)
	if len(f) < 8 {
		return nodeView{}, fmt.Errorf("CLUSTER NODES: unexpected line %q", line)
	}
	epoch, err := strconv.Atoi(f[6])
	if err != nil {
		return nodeView{}, fmt.Errorf("CLUSTER NODES: epoch: %w", err)
	}
	v := nodeView{id: f[0], flags: strings.Split(f[2], ","), masterID: f[3], epoch: epoch, link: f[7]}
	for _, field := range f[8:] {
		if r, ok := parseSlots(field); ok {
			v.slots = append(v.slots, r)
		}
	}
	return v, nil
}

// parseSlots reads "5" or "0-5460"; a slot on the move ("[5->-id]") is left out.
func parseSlots(field string) (slotRange, bool) {
	first, last, isRange := strings.Cut(field, "-")
	if !isRange {
		last = first
	}
	a, errA := strconv.Atoi(first)
	b, errB := strconv.Atoi(last)
	return slotRange{a, b}, errA == nil && errB == nil
}

func (v nodeView) has(flag string) bool { return slices.Contains(v.flags, flag) }

func (v nodeView) owns(slot int) bool {
	return slices.ContainsFunc(v.slots, func(r slotRange) bool { return r.first <= slot && slot <= r.last })
}

// self is the line about the node that was asked.
func (c clusterView) self() nodeView {
	for _, v := range c {
		if v.has("myself") {
			return v
		}
	}
	return nodeView{}
}

// whole checks that all nodes are known, well and in their roles.
func (c clusterView) whole() error {
	if len(c) != clusterNodes {
		return fmt.Errorf("knows %d nodes", len(c))
	}
	masters, replicas := 0, 0
	for _, v := range c {
		if v.link != "connected" || v.unwell() {
			return fmt.Errorf("sees %s as %v, %s", v.id, v.flags, v.link)
		}
		if v.has("slave") {
			replicas++
		} else if len(v.slots) > 0 {
			masters++
		}
	}
	if masters != clusterMasters || replicas != clusterMasters {
		return fmt.Errorf("sees %d masters with slots and %d replicas", masters, replicas)
	}
	return nil
}

func (v nodeView) unwell() bool {
	return slices.ContainsFunc([]string{"fail", "fail?", "handshake", "noaddr"}, v.has)
}
