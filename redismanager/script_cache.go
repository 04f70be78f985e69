package redismanager

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// ScriptInfo describes a registered script.
type ScriptInfo struct {
	Name       string `json:"name"`
	SHA        string `json:"sha"`     // SHA1 under which the servers in use know it
	Version    int    `json:"version"` // 1 for the first body registered under the name
	ReadOnly   bool   `json:"read_only"`
	Idempotent bool   `json:"idempotent"`
	Source     string `json:"source,omitempty"`
}

// ScriptCache holds the registered scripts: name to source, SHA and version.
// Reading takes no lock; a script is hashed once, when it is registered.
type ScriptCache struct {
	mu      sync.Mutex // serialises writers
	entries atomic.Pointer[map[string]*scriptEntry]
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
	c.entries.Store(&map[string]*scriptEntry{})
	return c
}

// register adds scripts: all of them or, on an error, none. The same body
// under the same name again changes nothing; another body is refused.
func (c *ScriptCache) register(scripts ...Script) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := maps.Clone(*c.entries.Load())
	for _, s := range scripts {
		if err := s.validate(); err != nil {
			return err
		}
		old := next[s.Name]
		if old == nil {
			next[s.Name] = newScriptEntry(s, 1)
			continue
		}
		if old.Script != s {
			return &FieldError{Field: "script " + s.Name, Got: "another body or declaration", Want: fmt.Sprintf("the registered one (sha %s)", old.full.sha)}
		}
	}
	c.entries.Store(&next)
	return nil
}

func (c *ScriptCache) get(name string) *scriptEntry { return (*c.entries.Load())[name] }

// all gives the entries sorted by name.
func (c *ScriptCache) all() []*scriptEntry {
	entries := *c.entries.Load()
	list := make([]*scriptEntry, 0, len(entries))
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		list = append(list, entries[name])
	}
	return list
}

// Len is the number of registered scripts.
func (c *ScriptCache) Len() int { return len(*c.entries.Load()) }

// about describes a run of the script to observers.
func (e *scriptEntry) about() CallInfo {
	name := e.Name
	if name == "" {
		name = "source"
	}
	return CallInfo{Name: name, IsScript: true, Version: e.version}
}

func (e *scriptEntry) info(plain bool) ScriptInfo {
	return ScriptInfo{
		Name: e.Name, SHA: e.forServer(plain).sha, Version: e.version,
		ReadOnly: e.ReadOnly(), Idempotent: e.repeatable, Source: e.Source,
	}
}
