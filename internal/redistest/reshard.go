package redistest

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// migrateTimeout bounds one MIGRATE, in milliseconds.
const migrateTimeout = 5000

// Slot is the Cluster slot of a key.
func Slot(key string) int { return keySlot(key) }

// Move is one slot on its way from one master to another. Between StartMove and
// Finish its keys may be split over both. It needs a Cluster without TLS.
type Move struct {
	cluster      *Cluster
	slot         int
	from, to     *Server
	fromID, toID string
}

// SlotOwner returns the master that serves a slot now, nil if none does.
func (c *Cluster) SlotOwner(slot int) *Server {
	var owner *Server
	epoch := -1
	for _, node := range c.nodes {
		if e, ok := node.claims(slot); ok && e > epoch {
			owner, epoch = node, e
		}
	}
	return owner
}

// MoveSlot moves a slot with all its keys to another master, as a reshard does.
func (c *Cluster) MoveSlot(slot int, to *Server) error {
	m, err := c.StartMove(slot, to)
	if err != nil {
		return err
	}
	return m.Finish()
}

// StartMove opens a slot for its move to another master: from now on the owner
// sends callers who ask for a key that it lacks to the other one (ASK), and a
// call on keys of which some are missing is told to come again (TRYAGAIN).
func (c *Cluster) StartMove(slot int, to *Server) (*Move, error) {
	m := &Move{cluster: c, slot: slot, from: c.SlotOwner(slot), to: to}
	if m.from == nil || m.from == to {
		return nil, fmt.Errorf("slot %d cannot be moved to %s: it is there, or nowhere", slot, to.Addr())
	}
	var err error
	if m.fromID, err = m.from.nodeID(); err != nil {
		return nil, err
	}
	if m.toID, err = to.nodeID(); err != nil {
		return nil, err
	}
	if err := to.setSlot(slot, "importing", m.fromID); err != nil {
		return nil, err
	}
	return m, m.from.setSlot(slot, "migrating", m.toID)
}

// Keys moves at most n keys and returns how many it did move.
func (m *Move) Keys(n int) (moved int, err error) {
	err = m.from.admin(func(ctx context.Context, c *redis.Client) error {
		keys, err := c.ClusterGetKeysInSlot(ctx, m.slot, n).Result()
		if err != nil || len(keys) == 0 {
			return err
		}
		moved = len(keys)
		return c.Do(ctx, m.migrate(keys)...).Err()
	})
	return moved, err
}

func (m *Move) migrate(keys []string) []any {
	args := []any{"migrate", host, m.to.at.port, "", 0, migrateTimeout}
	user, password := m.to.cfg.credentials()
	switch {
	case user != "":
		args = append(args, "auth2", user, password)
	case password != "":
		args = append(args, "auth", password)
	}
	args = append(args, "keys")
	for _, key := range keys {
		args = append(args, key)
	}
	return args
}

// Finish moves the keys that are left and gives the slot to its new owner. The
// new owner hears of it first: before the old one lets go of the slot, somebody
// must serve it.
func (m *Move) Finish() error {
	for {
		moved, err := m.Keys(100)
		if err != nil {
			return err
		}
		if moved == 0 {
			break
		}
	}
	if err := m.to.setSlot(m.slot, "node", m.toID); err != nil {
		return err
	}
	if err := m.from.setSlot(m.slot, "node", m.toID); err != nil {
		return err
	}
	for _, master := range m.cluster.Masters() {
		if master == m.to || master == m.from {
			continue
		}
		if err := master.setSlot(m.slot, "node", m.toID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) setSlot(slot int, state, id string) error {
	err := s.admin(func(ctx context.Context, c *redis.Client) error {
		return c.Do(ctx, "cluster", "setslot", slot, state, id).Err()
	})
	if err != nil {
		return fmt.Errorf("%s: slot %d %s: %w", s.Addr(), slot, state, err)
	}
	return nil
}

func (s *Server) nodeID() (string, error) {
	views, err := s.clusterView()
	if err != nil {
		return "", err
	}
	return views.self().id, nil
}
