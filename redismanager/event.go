package redismanager

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// EventKind is a stable code of what changed, fit for logs and metric labels.
type EventKind string

// The kinds of [Event].
const (
	EventMasterChanged    EventKind = "master_changed"     // another node is the master of the service or of slots
	EventNodeAdded        EventKind = "node_added"         // a node joined the topology
	EventNodeRemoved      EventKind = "node_removed"       // a node left the topology
	EventConfigReplaced   EventKind = "config_replaced"    // a new configuration is in force
	EventConfigRefused    EventKind = "config_refused"     // a new configuration was refused; the old one stays
	EventPoolResized      EventKind = "pool_resized"       // the autoscaler changed a pool, or would have (dry run)
	EventScriptUpdated    EventKind = "script_updated"     // a new version is current
	EventScriptRolledBack EventKind = "script_rolled_back" // an older version is current again
	EventScriptRefused    EventKind = "script_refused"     // a new version was refused; the old one stays
	EventScriptRepaired   EventKind = "script_repaired"    // a node lacked a script and was given it
	EventHealthChanged    EventKind = "health_changed"     // a node's or the whole deployment's health
	EventRestartedEmpty   EventKind = "restarted_empty"    // a master restarted without its data: links are lost
)

// Event is one change of state. Which fields are set depends on the kind.
type Event struct {
	Time   time.Time `json:"time"`
	Kind   EventKind `json:"kind"`
	Node   string    `json:"node,omitempty"`   // address of the node concerned
	Script string    `json:"script,omitempty"` // name of the script concerned
	From   string    `json:"from,omitempty"`   // what was: a health state, a pool size, an address, a version
	To     string    `json:"to,omitempty"`     // what is now
	Reason string    `json:"reason,omitempty"` // why, with the numbers that decided
	Err    error     `json:"-"`                // what failed
}

// level is how loudly the log tells of it.
func (e Event) level() slog.Level {
	switch {
	case e.Kind == EventRestartedEmpty:
		return slog.LevelError
	case e.Err != nil, e.Kind == EventMasterChanged, e.Kind == EventScriptRepaired:
		return slog.LevelWarn
	case e.Kind == EventHealthChanged && e.To != string(Healthy):
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

// attrs are the fields that are set, under stable keys.
func (e Event) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("event", string(e.Kind))}
	for _, a := range []struct{ key, value string }{
		{"node", e.Node}, {"script", e.Script}, {"from", e.From}, {"to", e.To}, {"reason", e.Reason},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	return attrs
}

// CallInfo describes one finished call.
type CallInfo struct {
	// Name is the script's name, "source" for Lua given in the call, or what
	// else was called in lower case, such as get, batch or tx.
	Name     string
	IsScript bool
	Version  int           // of the script that ran, 0 if it is no script
	Node     string        // address of the node that answered last
	Duration time.Duration // with all tries
	Tries    int           // times it was tried: 1 if the first try was answered
	Repairs  int           // times a node lacked the script and was given it
	Err      error         // what the caller gets
}

// Observer hears what a manager does, for metrics and traces. Its methods are
// called by many goroutines, on the path of calls: they must return at once.
type Observer interface {
	// CallDone is called after each call, whatever became of it.
	CallDone(ctx context.Context, c CallInfo)
	// Changed is called after each change of state.
	Changed(e Event)
}

// recentEvents is how many events are kept for [Manager.Events].
const recentEvents = 256

// events keeps the observers and the latest events. Its zero value is ready.
type events struct {
	observers atomic.Pointer[[]*Observer]
	mu        sync.Mutex
	recent    []Event
}

// AddObserver lets o hear of calls and changes from now on, until remove is
// called.
func (m *Manager) AddObserver(o Observer) (remove func()) {
	entry := &o
	m.events.change(func(list []*Observer) []*Observer { return append(list, entry) })
	return func() {
		m.events.change(func(list []*Observer) []*Observer {
			return slices.DeleteFunc(list, func(known *Observer) bool { return known == entry })
		})
	}
}

func (v *events) change(edit func([]*Observer) []*Observer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	next := edit(slices.Clone(v.list()))
	v.observers.Store(&next)
}

func (v *events) list() []*Observer {
	if list := v.observers.Load(); list != nil {
		return *list
	}
	return nil
}

// Events gives the latest 256 changes of state, oldest first.
func (m *Manager) Events() []Event {
	m.events.mu.Lock()
	defer m.events.mu.Unlock()
	return slices.Clone(m.events.recent)
}

// emit logs a change of state and tells the observers.
func (m *Manager) emit(e Event) {
	e.Time = time.Now()
	m.events.keep(e)
	m.log.LogAttrs(context.Background(), e.level(), "redis state changed", e.attrs()...)
	for _, o := range m.events.list() {
		(*o).Changed(e)
	}
}

func (v *events) keep(e Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.recent) == recentEvents {
		v.recent = slices.Delete(v.recent, 0, 1)
	}
	v.recent = append(v.recent, e)
}

// callDone tells the observers of a finished call.
func (m *Manager) callDone(ctx context.Context, c CallInfo) {
	for _, o := range m.events.list() {
		(*o).CallDone(ctx, c)
	}
}
