package redismanager

import (
	"context"
	"fmt"
	"sync"
)

// hotScripts is the state of changes to scripts while calls run.
type hotScripts struct {
	off      bool       // WithoutScriptUpdates
	starting sync.Mutex // held while a goroutine starts
}

// WithoutScriptUpdates switches off every way to change a registered script:
// [Manager.UpdateScript], [Manager.Rollback], [Manager.WatchScripts],
// [Manager.JoinScriptFleet], [Manager.PushScript] and
// [Manager.RollbackFleetScript] return [ErrScriptUpdatesOff], and nothing looks
// for changes.
func WithoutScriptUpdates() Option {
	return func(m *Manager) error {
		m.hot.off = true
		return nil
	}
}

func (m *Manager) mayUpdateScripts() error {
	if m.hot.off || m.current.Load().cfg.DisableScriptUpdates {
		return ErrScriptUpdatesOff
	}
	return nil
}

// spawn runs work in the background until it returns, which it must when the
// manager's life ends.
func (m *Manager) spawn(work func()) error {
	m.hot.starting.Lock()
	defer m.hot.starting.Unlock()
	if m.isClosed.Load() {
		return ErrClosed
	}
	m.background.Go(work)
	return nil
}

// seal says that the manager is closed; from then on spawn starts nothing.
func (m *Manager) seal() {
	m.hot.starting.Lock()
	defer m.hot.starting.Unlock()
	m.isClosed.Store(true)
}

// UpdateScript gives a registered script a new body. The body is compiled on
// every master first; then it is current for all calls at once: a call runs
// wholly the old or wholly the new body, its repair after NOSCRIPT included. The
// old one stays callable as "name@version", and [Manager.Rollback] makes it
// current again. The 16 latest old versions are kept, and always the first.
//
// The same body and declaration again changes nothing. What a script may do is
// declared anew with each body: one that is not Idempotent, and has no flag
// no-writes, is sent once, whatever the old one was.
//
// On any error nothing has changed: [ErrScriptUnknown] if the name is not
// registered, [ErrScriptCompile] with the line, [ErrScriptUpdatesOff],
// [ErrInvalidArgument], or the reason why a master could not be asked. One
// change is made at a time; it also waits for a change of configuration.
func (m *Manager) UpdateScript(ctx context.Context, s Script) (ScriptInfo, error) {
	if err := s.validate(); err != nil {
		return ScriptInfo{}, err
	}
	info, err := m.switchScript(ctx, scriptSwitch{
		name: s.Name, kind: EventScriptUpdated,
		pick: func(h *scriptHistory) (*scriptEntry, error) { return h.updated(s), nil },
	})
	return info, m.tellRefused(s.Name, "", err)
}

// Rollback makes the version that was current before the current one current
// again, under its old number. It is loaded on every master first. Called again
// it goes further back; without an earlier version it is [ErrScriptVersion].
// Errors and guarantees are else those of [Manager.UpdateScript].
func (m *Manager) Rollback(ctx context.Context, name string) (ScriptInfo, error) {
	info, err := m.switchScript(ctx, scriptSwitch{name: name, kind: EventScriptRolledBack, pick: (*scriptHistory).before})
	return info, m.tellRefused(name, "", err)
}

// ScriptVersions lists the kept versions of a script, oldest first, with which
// of them is current and since when. An unknown name is [ErrScriptUnknown].
func (m *Manager) ScriptVersions(name string) ([]ScriptInfo, error) {
	history, err := m.history(name)
	if err != nil {
		return nil, err
	}
	plain := m.current.Load().plain
	list := make([]ScriptInfo, len(history.kept))
	for i, kept := range history.kept {
		list[i] = history.info(kept.entry, plain)
	}
	return list, nil
}

func (m *Manager) history(name string) (*scriptHistory, error) {
	if history := m.scripts.history(name); history != nil {
		return history, nil
	}
	return nil, fmt.Errorf("%w: no script is registered as %s (%d are)", ErrScriptUnknown, quoteShort(name), m.scripts.Len())
}

// scriptSwitch is one change of which version is current.
type scriptSwitch struct {
	name   string
	kind   EventKind
	reason string
	pick   func(h *scriptHistory) (*scriptEntry, error) // chooses the version
}

// switchScript compiles the chosen version on every master and makes it current.
func (m *Manager) switchScript(ctx context.Context, s scriptSwitch) (ScriptInfo, error) {
	if err := m.mayUpdateScripts(); err != nil {
		return ScriptInfo{}, err
	}
	if _, err := m.history(s.name); err != nil {
		return ScriptInfo{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.life, cancel)()
	if err := m.beginUpdate(ctx); err != nil {
		return ScriptInfo{}, err
	}
	defer func() { m.updating <- struct{}{} }()
	if err := m.switchNow(ctx, s); err != nil {
		if m.isClosed.Load() {
			return ScriptInfo{}, ErrClosed
		}
		return ScriptInfo{}, err
	}
	history := m.scripts.history(s.name)
	return history.info(history.current, m.current.Load().plain), nil
}

// switchNow is called by who may change the configuration: so the masters that
// have compiled the body are those that calls go to.
func (m *Manager) switchNow(ctx context.Context, s scriptSwitch) error {
	if err := m.mayUpdateScripts(); err != nil {
		return err // switched off by the change that this one waited for
	}
	old := m.scripts.history(s.name)
	next, err := s.pick(old)
	if err != nil || next == old.current {
		return err
	}
	if err := m.compile(ctx, next); err != nil {
		return err
	}
	m.scripts.switchTo(next)
	m.emit(Event{Kind: s.kind, Script: s.name, From: old.current.label(), To: next.label(), Reason: s.reason})
	return nil
}

// compile loads a body on every master.
func (m *Manager) compile(ctx context.Context, e *scriptEntry) error {
	g, err := m.acquire()
	if err != nil {
		return err
	}
	defer g.release()
	return g.preload(ctx, []*scriptEntry{e})
}

// tellRefused reports a body that the servers did not take, and gives err back.
func (m *Manager) tellRefused(name, reason string, err error) error {
	switch Classify(err) {
	case ClassOK, ClassClosed, ClassScriptsOff, ClassScriptVersion, ClassInvalidArgument, ClassCanceled:
		return err
	}
	if history := m.scripts.history(name); history != nil {
		m.emit(Event{Kind: EventScriptRefused, Script: name, From: history.current.label(), Reason: reason, Err: err})
	}
	return err
}
