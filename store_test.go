package statelink_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink"
)

// tester is a *testing.T or a *rapid.T.
type tester interface {
	require.TestingT
	Helper()
}

// entry is one key as it is stored.
type entry struct {
	kind   string            // string, hash, or what should not be there
	ttl    time.Duration     // what is left of it; -1 = none
	text   string            // the value of a string
	fields map[string]string // the value of a hash
}

// dump reads every key on every master whose name matches.
func dump(t tester, e *statelink.Executor, pattern string) map[string]entry {
	t.Helper()
	found := map[string]entry{}
	var mu sync.Mutex
	onMasters(t, e, pattern, func(ctx context.Context, c *redis.Client, keys []string) error {
		for _, key := range keys {
			read, err := readEntry(ctx, c, key)
			if err != nil {
				return err
			}
			mu.Lock()
			found[key] = read
			mu.Unlock()
		}
		return nil
	})
	return found
}

// unlink removes every key whose name matches.
func unlink(t tester, e *statelink.Executor, pattern string) {
	t.Helper()
	onMasters(t, e, pattern, func(ctx context.Context, c *redis.Client, keys []string) error {
		_, err := c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, key := range keys {
				pipe.Unlink(ctx, key) // one by one: they are of many slots
			}
			return nil
		})
		return err
	})
}

// onMasters calls do for every master with its keys that match.
func onMasters(t tester, e *statelink.Executor, pattern string, do func(ctx context.Context, c *redis.Client, keys []string) error) {
	t.Helper()
	err := e.Manager().ForEachMaster(context.Background(), func(ctx context.Context, _ string, c *redis.Client) error {
		var keys []string
		it := c.Scan(ctx, 0, pattern, 1000).Iterator()
		for it.Next(ctx) {
			keys = append(keys, it.Val())
		}
		if err := it.Err(); err != nil || len(keys) == 0 {
			return err
		}
		return do(ctx, c, keys)
	})
	require.NoError(t, err)
}

func readEntry(ctx context.Context, c *redis.Client, key string) (entry, error) {
	kind, err := c.Type(ctx, key).Result()
	if err != nil {
		return entry{}, err
	}
	read := entry{kind: kind}
	if read.ttl, err = c.PTTL(ctx, key).Result(); err != nil {
		return entry{}, err
	}
	switch kind {
	case "string":
		read.text, err = c.Get(ctx, key).Result()
	case "hash":
		read.fields, err = c.HGetAll(ctx, key).Result()
	}
	return read, err
}

// stored reads every key of the stage: see newStage.
func (s *stage) stored(t tester) map[string]entry {
	t.Helper()
	return dump(t, s.Executor, s.pattern)
}

// ttlSlack is how much of a TTL may have passed before a test looks at it. The
// TTLs that tests use lie further apart than that.
const ttlSlack = 30 * time.Second

// ttlClass names the TTL that a key was given: "no ttl", or one of the seconds
// that the test uses.
func ttlClass(left time.Duration, used ...int) string {
	if left == -1 {
		return "no ttl"
	}
	for _, seconds := range used {
		given := time.Duration(seconds) * time.Second
		if given-ttlSlack < left && left <= given {
			return fmt.Sprintf("ttl %d s", seconds)
		}
	}
	return "ttl " + left.String()
}
