package redismanager

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// batchSize is how many commands travel in one pipeline: enough to make the
// round trip small beside the work, few enough to keep replies of other
// callers flowing.
const batchSize = 1000

// GetBatch reads the string values of many keys, which may belong to any slot:
// the commands are grouped by node and pipelined. The result has one element
// per key in the same order, nil for an absent key. The first failure ends it:
// there is no partial result. A key of another type is [ErrWrongType].
func (m *Manager) GetBatch(ctx context.Context, keys []string) ([]any, error) {
	values := make([]any, len(keys))
	for start := 0; start < len(keys); start += batchSize {
		end := min(start+batchSize, len(keys))
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

// getPart is one pipeline of a batch.
type getPart struct {
	keys    []string
	values  []any
	refused string // the key to which the server said no
}

// once sends the part. The commands are one-shots, so that only run repeats
// them, and not go-redis within each try as well.
func (p *getPart) once(ctx context.Context, g *generation) attempt {
	start := time.Now()
	pipe := g.universal().Pipeline()
	cmds := make([]*oneShot, len(p.keys))
	for i, key := range p.keys {
		cmds[i] = newOneShot(ctx, []any{"get", key})
		_ = pipe.Process(ctx, cmds[i])
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	a := attempt{node: "(batch)", client: g.single}
	for i, cmd := range cmds {
		one := attempt{value: cmd.Val(), err: cmd.Err(), written: cmd.written, client: g.single, node: a.node}.finish(ctx, start)
		if one.err != nil {
			p.refused = p.keys[i]
			return one
		}
		p.values[i] = one.value
	}
	return a
}

// explain names the key among the many, if it is the key's fault.
func (p *getPart) explain(a attempt, _ *generation) error {
	err := explain(a, true)
	if errors.Is(err, ErrWrongType) {
		return fmt.Errorf("key %q: %w", p.refused, err)
	}
	return err
}
