package redismanager

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ScriptInfo describes a registered script.
type ScriptInfo struct {
	Name       string `json:"name"`
	SHA        string `json:"sha"`     // SHA1 under which the servers in use know it
	Version    int    `json:"version"` // 1 for the first body registered under the name
	ReadOnly   bool   `json:"read_only"`
	Idempotent bool   `json:"idempotent"`
	Source     string `json:"source,omitempty"`
	// Current tells the version that calls by the plain name run from the others
	// that are kept, which are called by name and number: "name@3".
	Current bool      `json:"current"`
	Since   time.Time `json:"since"` // when it became current, the last time
}

// ScriptCache holds the registered scripts: name to source, SHA and versions.
// Reading takes no lock; a body is hashed once, when it is registered or
// becomes a version.
type ScriptCache struct {
	mu        sync.Mutex // serialises writers
	histories atomic.Pointer[map[string]*scriptHistory]
}

// scriptEntry never changes once it is in the cache.
type scriptEntry struct {
	Script
	version    int
	repeatable bool // may be sent again after a lost reply
	full       body // for Redis 7.0 and later
	plain      body // for servers without "#!lua"
}

func newScriptEntry(s Script, version int) *scriptEntry {
	return &scriptEntry{
		Script: s, version: version, repeatable: s.Idempotent || s.ReadOnly(),
		full: newBody(s.Source), plain: newBody(withoutShebang(s.Source)),
	}
}

// forServer picks the body that the kind of server can compile.
func (e *scriptEntry) forServer(plain bool) body {
	if plain {
		return e.plain
	}
	return e.full
}

func newScriptCache() *ScriptCache {
	c := &ScriptCache{}
	c.histories.Store(&map[string]*scriptHistory{})
	return c
}

// register adds scripts: all of them or, on an error, none. The body that was
// registered first under a name changes nothing, whatever is current by now;
// another body is refused.
func (c *ScriptCache) register(scripts ...Script) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := maps.Clone(*c.histories.Load())
	for _, s := range scripts {
		if err := s.validate(); err != nil {
			return err
		}
		old := next[s.Name]
		if old == nil {
			next[s.Name] = newScriptHistory(s, time.Now())
			continue
		}
		if first := old.first(); first.Script != s {
			return &FieldError{Field: "script " + s.Name, Got: "another body or declaration", Want: fmt.Sprintf("the registered one (sha %s)", first.full.sha)}
		}
	}
	c.histories.Store(&next)
	return nil
}

// get finds the current version by "name", and a kept one by "name@version".
func (c *ScriptCache) get(name string) *scriptEntry {
	if history := c.history(name); history != nil {
		return history.current
	}
	if base, version, ok := cutVersion(name); ok {
		if history := c.history(base); history != nil {
			return history.version(version)
		}
	}
	return nil
}

func (c *ScriptCache) history(name string) *scriptHistory { return (*c.histories.Load())[name] }

// switchTo makes e the current version of its name, at once for all callers.
func (c *ScriptCache) switchTo(e *scriptEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := maps.Clone(*c.histories.Load())
	next[e.Name] = next[e.Name].switchTo(e, time.Now())
	c.histories.Store(&next)
}

// sorted gives the histories sorted by name.
func (c *ScriptCache) sorted() []*scriptHistory {
	histories := *c.histories.Load()
	list := make([]*scriptHistory, 0, len(histories))
	for _, name := range slices.Sorted(maps.Keys(histories)) {
		list = append(list, histories[name])
	}
	return list
}

// all gives the current versions sorted by name.
func (c *ScriptCache) all() []*scriptEntry {
	histories := c.sorted()
	list := make([]*scriptEntry, len(histories))
	for i, history := range histories {
		list[i] = history.current
	}
	return list
}

// Len is the number of registered scripts.
func (c *ScriptCache) Len() int { return len(*c.histories.Load()) }

// about describes a run of the script to observers.
func (e *scriptEntry) about() CallInfo {
	name := e.Name
	if name == "" {
		name = "source"
	}
	return CallInfo{Name: name, IsScript: true, Version: e.version}
}
