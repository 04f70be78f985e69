package redismanager

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oldVersions is how many versions of a script are kept beside the current one.
const oldVersions = 16

// scriptHistory is what is known under one name: the current version, those kept
// beside it, and the way back. It never changes once it is in the cache, so a
// call that has read it sees one version only.
type scriptHistory struct {
	current *scriptEntry
	kept    []keptVersion // by version; the one registered first is always there
	path    []int         // versions that were current before, the latest last
	last    int           // highest version so far
}

type keptVersion struct {
	entry *scriptEntry
	since time.Time // when it became current, the last time
}

func newScriptHistory(s Script, now time.Time) *scriptHistory {
	e := newScriptEntry(s, 1)
	return &scriptHistory{current: e, kept: []keptVersion{{e, now}}, last: 1}
}

// first is the body that the program itself registered.
func (h *scriptHistory) first() *scriptEntry { return h.kept[0].entry }

// version gives a kept version, nil if it is not kept.
func (h *scriptHistory) version(version int) *scriptEntry {
	if i, found := h.find(version); found {
		return h.kept[i].entry
	}
	return nil
}

func (h *scriptHistory) find(version int) (int, bool) {
	return slices.BinarySearchFunc(h.kept, version, func(k keptVersion, version int) int {
		return cmp.Compare(k.entry.version, version)
	})
}

// updated gives the entry that makes s current: the current one if it is the
// same, else a new version.
func (h *scriptHistory) updated(s Script) *scriptEntry {
	if h.current.Script == s {
		return h.current
	}
	return newScriptEntry(s, h.last+1)
}

// numbered is updated with a version number from outside, if that is free.
func (h *scriptHistory) numbered(s Script, version int) *scriptEntry {
	if h.current.Script == s {
		return h.current
	}
	known := h.version(version)
	if known == nil {
		return newScriptEntry(s, version)
	}
	if known.Script == s {
		return known
	}
	return newScriptEntry(s, h.last+1)
}

// before gives the version that a rollback makes current.
func (h *scriptHistory) before() (*scriptEntry, error) {
	if len(h.path) == 0 {
		return nil, fmt.Errorf("%w: %s has no earlier version than %d", ErrScriptVersion, h.current.Name, h.current.version)
	}
	return h.version(h.path[len(h.path)-1]), nil
}

// switchTo gives the history with e as its current version. A version on the way
// back shortens the way: a rollback of a rollback goes further back.
func (h *scriptHistory) switchTo(e *scriptEntry, now time.Time) *scriptHistory {
	next := &scriptHistory{current: e, kept: slices.Clone(h.kept), last: max(h.last, e.version)}
	if i := slices.Index(h.path, e.version); i >= 0 {
		next.path = slices.Clone(h.path[:i])
	} else {
		next.path = append(slices.Clone(h.path), h.current.version)
	}
	if i, found := next.find(e.version); found {
		next.kept[i] = keptVersion{e, now}
	} else {
		next.kept = slices.Insert(next.kept, i, keptVersion{e, now})
	}
	next.prune()
	return next
}

// prune lets go of the oldest versions, never of the first or the current one.
func (h *scriptHistory) prune() {
	for i := 1; len(h.kept) > oldVersions+1; {
		if h.kept[i].entry == h.current {
			i++
			continue
		}
		h.kept = slices.Delete(h.kept, i, i+1)
	}
	h.path = slices.DeleteFunc(h.path, func(version int) bool { return h.version(version) == nil })
}

func (h *scriptHistory) info(e *scriptEntry, plain bool) ScriptInfo {
	info := ScriptInfo{
		Name: e.Name, SHA: e.forServer(plain).sha, Version: e.version,
		ReadOnly: e.ReadOnly(), Idempotent: e.repeatable, Source: e.Source, Current: e == h.current,
	}
	if i, found := h.find(e.version); found {
		info.Since = h.kept[i].since
	}
	return info
}

// label names a version in events: "3 (sha 0a1b2c3d)".
func (e *scriptEntry) label() string { return fmt.Sprintf("%d (sha %s)", e.version, e.full.sha[:8]) }

// cutVersion splits "name@3". Lua source never looks like that.
func cutVersion(s string) (name string, version int, ok bool) {
	if len(s) > 128+11 {
		return "", 0, false
	}
	name, digits, found := strings.Cut(s, "@")
	if !found || !isScriptName(name) {
		return "", 0, false
	}
	version, err := strconv.Atoi(digits)
	if err != nil || version < 1 || strconv.Itoa(version) != digits {
		return "", 0, false
	}
	return name, version, true
}
