package redismanager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
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

func (p *getPart) once(ctx context.Context, g *generation) attempt {
	start := time.Now()
	pipe := g.universal().Pipeline()
	cmds := make([]*redis.StringCmd, len(p.keys))
	for i, key := range p.keys {
		cmds[i] = pipe.Get(ctx, key)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	a := attempt{written: true, node: "(batch)"}
	for i, cmd := range cmds {
		p.values[i] = nil
		switch value, err := cmd.Result(); {
		case err == nil:
			p.values[i] = value
		case !errors.Is(err, redis.Nil):
			a.err = err
			p.refused = p.keys[i]
			return a.finish(start)
		}
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
