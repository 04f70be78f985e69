package redismanager

import (
	"log/slog"
	"sync"
)

// adHocLimit is how many sources given in calls are remembered, and from how
// many different ones on the log says that data belongs into the arguments.
const adHocLimit = 128

// adHocScripts remembers sources given in calls, so that each is hashed once.
type adHocScripts struct {
	log     *slog.Logger
	mu      sync.Mutex
	entries map[string]*scriptEntry
	seen    int // different sources so far
}

func newAdHocScripts(log *slog.Logger) *adHocScripts {
	return &adHocScripts{log: log, entries: map[string]*scriptEntry{}}
}

func (a *adHocScripts) entry(source string) (*scriptEntry, error) {
	a.mu.Lock()
	e := a.entries[source]
	a.mu.Unlock()
	if e != nil {
		return e, nil
	}
	if err := (Script{Name: "source", Source: source}).validate(); err != nil {
		return nil, err
	}
	e = newScriptEntry(Script{Source: source}, 0)
	a.remember(e)
	return e, nil
}

func (a *adHocScripts) remember(e *scriptEntry) {
	a.mu.Lock()
	if len(a.entries) >= adHocLimit {
		for source := range a.entries { // any one: map order is random
			delete(a.entries, source)
			break
		}
	}
	a.entries[e.Source] = e
	a.seen++
	warn := a.seen == adHocLimit
	a.mu.Unlock()
	if warn {
		a.log.Warn("many different Lua sources were executed; Redis keeps each until it restarts: pass data as arguments",
			"sources", adHocLimit)
	}
}
