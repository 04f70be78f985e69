package redismanager

import (
	"context"
	"errors"
	"fmt"
)

// GetBatch reads the string values of many keys, which may belong to any slot:
// the commands are grouped by node and pipelined. The result has one element
// per key in the same order, nil for an absent key. The first failure ends it:
// there is no partial result. A key of another type is [ErrWrongType].
func (m *Manager) GetBatch(ctx context.Context, keys []string) ([]any, error) {
	values := make([]any, len(keys))
	for start := 0; start < len(keys); start += pipelineSize {
		end := min(start+pipelineSize, len(keys))
		part := &getPart{keys: keys[start:end], values: values[start:end]}
		_, err := m.run(ctx, call{
			about:      CallInfo{Name: "get_batch"},
			once:       part.once,
			explain:    part.explain,
			repeatable: true,
		})
		if err != nil {
			return nil, err
		}
	}
	return values, nil
}

// getPart is one part of a batch, small enough for one pipeline.
type getPart struct {
	keys    []string
	values  []any
	refused string // the key to which the server said no
}

func (p *getPart) once(ctx context.Context, g *generation) attempt {
	cmds := make([]keyed, len(p.keys))
	for i, key := range p.keys {
		cmds[i] = keyed{key: key, args: []any{"get", key}}
	}
	for i, a := range g.sendAll(ctx, cmds) {
		if a.err != nil {
			p.refused = p.keys[i]
			return a
		}
		p.values[i] = a.value
	}
	return attempt{}
}

// explain names the key among the many, if it is the key's fault.
func (p *getPart) explain(a attempt, _ *generation) error {
	err := explain(a, true)
	if errors.Is(err, ErrWrongType) {
		return fmt.Errorf("key %q: %w", p.refused, err)
	}
	return err
}
