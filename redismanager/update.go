package redismanager

import (
	"context"
	"time"
)

// updateTimeout bounds UpdateConfig, whose signature has no context.
const updateTimeout = 15 * time.Second

// UpdateConfig is [Manager.UpdateConfigContext] bounded by 15 s.
func (m *Manager) UpdateConfig(config *RedisConfig) error {
	ctx, cancel := context.WithTimeout(context.Background(), updateTimeout)
	defer cancel()
	return m.UpdateConfigContext(ctx, config)
}

// UpdateConfigContext replaces the configuration while calls run: it validates
// it, connects, runs a script on every master, loads the scripts there and then
// swaps at once. Calls in flight and leases end on the old client, which closes after
// the last of them. On any error the old configuration stays in force.
//
// Errors are those of [New], and [ErrClosed].
func (m *Manager) UpdateConfigContext(ctx context.Context, config *RedisConfig) error {
	if config == nil {
		return &FieldError{Field: "config", Got: "nil", Want: "a *RedisConfig"}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.life, cancel)()
	if err := m.beginUpdate(ctx); err != nil {
		return err
	}
	defer func() { m.updating <- struct{}{} }()
	g, err := m.connect(ctx, *config)
	if m.isClosed.Load() {
		if g != nil {
			_ = g.close()
		}
		return ErrClosed
	}
	if err != nil {
		m.emit(Event{Kind: EventConfigRefused, Err: err})
		return err
	}
	old := m.current.Swap(g)
	m.emit(Event{Kind: EventConfigReplaced, From: old.summary(), To: g.summary()})
	m.drain(old)
	return nil
}

// beginUpdate waits for its turn: one update at a time.
func (m *Manager) beginUpdate(ctx context.Context) error {
	select {
	case <-m.updating:
		return nil
	case <-ctx.Done():
		if m.isClosed.Load() {
			return ErrClosed
		}
		return explainConnection(attempt{err: ctx.Err(), ended: true})
	}
}

// drainReport is how often the log tells of leases that keep an old client.
const drainReport = time.Minute

// drain closes the old generation after its last user, however late that is,
// so that a leased client never dies under its holder; only Close ends the
// wait after CloseTimeout.
func (m *Manager) drain(old *generation) {
	old.scale.close() // its sizes were handed on
	old.retire()
	m.draining.Add(1)
	m.drains.Go(func() {
		defer m.draining.Add(-1)
		ticker := time.NewTicker(drainReport)
		defer ticker.Stop()
		for {
			select {
			case <-old.drained:
				m.closeOld(old)
				return
			case <-m.life.Done():
				_ = m.waitDrained(old)
				m.closeOld(old)
				return
			case <-ticker.C:
				m.log.Warn("an old redis configuration is still in use", "calls_and_leases", old.inUse())
			}
		}
	})
}

func (m *Manager) closeOld(old *generation) {
	if err := old.close(); err != nil {
		m.log.Warn("closing the old redis client failed", "error", err)
	}
}
