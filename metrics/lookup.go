package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// table is a map that is read on every call and written a few times in the life
// of a program: reading takes no lock and allocates nothing.
type table[K comparable, V any] struct {
	mu   sync.Mutex
	rows atomic.Pointer[map[K]V]
}

func (t *table[K, V]) get(key K) (V, bool) {
	if rows := t.rows.Load(); rows != nil {
		v, ok := (*rows)[key]
		return v, ok
	}
	var none V
	return none, false
}

// add gives the value that is there, or adds the one that build gives unless the
// table has limit rows; 0 is no limit.
func (t *table[K, V]) add(key K, limit int, build func(K) V) (V, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v, ok := t.get(key); ok {
		return v, true
	}
	next := map[K]V{}
	if rows := t.rows.Load(); rows != nil {
		next = maps.Clone(*rows)
	}
	if limit > 0 && len(next) >= limit {
		var none V
		return none, false
	}
	v := build(key)
	next[key] = v
	t.rows.Store(&next)
	return v, true
}

// other stands for the label values that found no place.
const other = "other"

// names bounds the values of a label. The zero value lets none through.
type names struct {
	limit int
	known table[string, string]
}

// label gives the value itself if it has a place, or, with admit, if there is
// one left; else "other". No value is no value.
func (n *names) label(value string, admit bool) string {
	if value == "" {
		return ""
	}
	if known, ok := n.known.get(value); ok {
		return known
	}
	if !admit || !utf8.ValidString(value) {
		return other
	}
	if known, ok := n.known.add(value, max(n.limit, 1), func(s string) string { return s }); ok {
		return known
	}
	return other
}
