package redismanager

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// roleMaster is what a master says of itself.
const roleMaster = "master"

// roleOf asks a server for its role: master or replica. HELLO needs no
// permission, unlike ROLE and INFO.
func roleOf(ctx context.Context, c interface {
	Do(ctx context.Context, args ...any) *redis.Cmd
},
) (string, error) {
	value, err := c.Do(ctx, "hello").Result()
	if err != nil {
		return "", err
	}
	role := wordMap(value)["role"]
	if role == "" {
		return "", fmt.Errorf("%w: reply to HELLO is %T", ErrMalformedData, value)
	}
	return role, nil
}

// wordMap reads a reply of names and values as words, in whatever form the
// protocol gives it.
func wordMap(reply any) map[string]string {
	words := map[string]string{}
	add := func(name, value any) {
		if name, ok := name.(string); ok {
			words[name], _ = value.(string)
		}
	}
	switch reply := reply.(type) {
	case map[any]any:
		for name, value := range reply {
			add(name, value)
		}
	case []any:
		for i := 0; i+1 < len(reply); i += 2 {
			add(reply[i], reply[i+1])
		}
	}
	return words
}
