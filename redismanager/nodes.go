package redismanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// ForEachMaster calls fn at the same time for every master: one outside a
// Cluster. It returns the errors of all of them, each with the node's address.
// fn must not keep or close the client.
func (m *Manager) ForEachMaster(ctx context.Context, fn func(ctx context.Context, addr string, c *redis.Client) error) error {
	g, err := m.acquire()
	if err != nil {
		return err
	}
	defer g.release()
	return g.eachMaster(ctx, fn)
}

func (g *generation) eachMaster(ctx context.Context, fn func(ctx context.Context, addr string, c *redis.Client) error) error {
	masters := g.topology().master
	failures := make([]error, len(masters))
	var calls sync.WaitGroup
	for i, n := range masters {
		calls.Go(func() { failures[i] = n.with(ctx, fn) })
	}
	calls.Wait()
	failures = slices.DeleteFunc(failures, func(err error) bool { return err == nil })
	if len(failures) > 1 {
		return nodeErrors(failures)
	}
	return errors.Join(failures...)
}

// with calls fn with the node's client.
func (n *node) with(ctx context.Context, fn func(ctx context.Context, addr string, c *redis.Client) error) error {
	p := n.acquire()
	if p == nil {
		return explainConnection(attempt{err: errNodeGone, node: n.addr})
	}
	defer p.release()
	return fn(ctx, n.addr, p.Client)
}

// nodeErrors are the failures of several nodes.
type nodeErrors []error

func (e nodeErrors) Error() string {
	words := make([]string, len(e))
	for i, err := range e {
		words[i] = err.Error()
	}
	return strings.Join(words, "; ")
}

func (e nodeErrors) Unwrap() []error { return e }

// ask sends one command to one node, for checks that may be repeated.
func ask(ctx context.Context, c *redis.Client, args ...any) (any, error) {
	a := sendTo(ctx, c, args)
	return a.value, explain(a, true)
}

// PreloadScripts loads every registered script on every master and compares
// the SHA that each answers. A replica needs none: it gets a script when it
// first runs it as a master.
func (m *Manager) PreloadScripts(ctx context.Context) error {
	g, err := m.acquire()
	if err != nil {
		return err
	}
	defer g.release()
	return g.preload(ctx, m.scripts.all())
}

func (g *generation) preload(ctx context.Context, entries []*scriptEntry) error {
	return g.eachMaster(ctx, func(ctx context.Context, addr string, c *redis.Client) error {
		for _, e := range entries {
			if err := g.loadOn(ctx, c, addr, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (g *generation) loadOn(ctx context.Context, c *redis.Client, addr string, e *scriptEntry) error {
	b := e.forServer(g.plain)
	a := sendTo(ctx, c, []any{"script", "load", b.source})
	if a.err != nil && !isServerError(a.err) {
		return explain(a, true) // loading twice does no harm
	}
	if a.err != nil {
		run := scriptRun{entry: e}
		return run.explain(a, g)
	}
	if a.value != b.sha {
		return fmt.Errorf("%w: node %s knows script %s as %v, not %s", ErrMalformedData, addr, e.Name, a.value, b.sha)
	}
	return nil
}

// ScriptPresence says which nodes hold a script.
type ScriptPresence struct {
	ScriptInfo
	Missing []string `json:"missing"` // addresses of masters that lack it
}

// VerifyScripts asks every master which of the registered scripts it holds,
// and returns one row per script, sorted by name, and the masters asked.
func (m *Manager) VerifyScripts(ctx context.Context) (rows []ScriptPresence, masters []string, err error) {
	list := m.Scripts()
	if len(list) == 0 {
		return nil, nil, nil
	}
	rows = make([]ScriptPresence, len(list))
	question := []any{"script", "exists"}
	for i, info := range list {
		rows[i].ScriptInfo = info
		question = append(question, info.SHA)
	}
	var mu sync.Mutex
	err = m.ForEachMaster(ctx, func(ctx context.Context, addr string, c *redis.Client) error {
		value, err := ask(ctx, c, question...)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		masters = append(masters, addr)
		return markMissing(rows, addr, value)
	})
	return rows, masters, err
}

func markMissing(rows []ScriptPresence, addr string, value any) error {
	answers, ok := value.([]any)
	if !ok || len(answers) != len(rows) {
		return fmt.Errorf("%w: reply to SCRIPT EXISTS of %s: %T", ErrMalformedData, addr, value)
	}
	for i, there := range answers {
		if there != int64(1) {
			rows[i].Missing = append(rows[i].Missing, addr)
		}
	}
	return nil
}
