package redismanager

import "sync"

// watchers are those who want to hear of changes of health. The zero value is
// ready.
type watchers struct {
	mu     sync.Mutex
	list   map[chan HealthStatus]struct{}
	closed bool
}

// HealthChanges gives a channel that receives the whole status whenever a
// node's state or the deployment's has changed, a node has come or gone, or data
// was lost (see HealthStatus.LostData). It never holds up the checks: the channel
// keeps the newest status only, so a receiver that is slow misses those between.
// Nothing is sent at first: call [Manager.Health] after this for the present.
//
// The channel is closed by cancel, which may be called more than once, and by
// Close.
func (m *Manager) HealthChanges() (changes <-chan HealthStatus, cancel func()) {
	w := &m.health.watchers
	ch := make(chan HealthStatus, 1)
	w.add(ch)
	return ch, func() { w.remove(ch) }
}

func (w *watchers) add(ch chan HealthStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		close(ch)
		return
	}
	if w.list == nil {
		w.list = map[chan HealthStatus]struct{}{}
	}
	w.list[ch] = struct{}{}
}

func (w *watchers) remove(ch chan HealthStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.list[ch]; known {
		delete(w.list, ch)
		close(ch)
	}
}

// tell puts the status in the place of one that was not yet received.
func (w *watchers) tell(s HealthStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.list {
		select {
		case <-ch:
		default:
		}
		ch <- s // there is room: only this function sends, under the lock
	}
}

// close ends all channels, also those that are asked for later.
func (w *watchers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for ch := range w.list {
		close(ch)
	}
	w.list = nil
}
