package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/statelink/statelink/redismanager"
)

// pingCount is how many round trips the latency is judged by.
const pingCount = 20

// facts are what the deployment answered. The findings are drawn from them
// without asking again.
type facts struct {
	cfg     redismanager.RedisConfig
	nodes   []nodeFacts // masters, by address
	nodeErr error       // not every master could be asked

	sentinels sentinelFacts

	healthErr  error // of running a script on every master
	scripts    verifyView
	scriptsErr error
}

// nodeFacts are what one master answered; where it refused, the error says so.
type nodeFacts struct {
	addr string

	info    map[string]string // INFO, by field
	infoErr error

	settings    map[string]string // CONFIG GET of the wantedSettings
	settingsErr error

	defaultOpen    bool // the default user needs no password; asked only where it matters
	defaultOpenErr error

	pings   []time.Duration // sorted
	pingErr error
}

var wantedSettings = []string{"save", "min-replicas-to-write"}

func examine(ctx context.Context, s *session) *facts {
	f := &facts{cfg: *s.manager.GetConfig()}
	f.sentinels = askSentinels(ctx, f.cfg)
	f.healthErr = s.manager.HealthCheck(ctx)
	f.scripts, f.scriptsErr = verifyScripts(ctx, s.manager)
	exposed := f.exposed()
	var mu sync.Mutex
	f.nodeErr = s.manager.ForEachMaster(ctx, func(ctx context.Context, addr string, c *redis.Client) error {
		if err := c.Ping(ctx).Err(); err != nil && !isReply(err) {
			return fmt.Errorf("node %s: %w", addr, err)
		}
		n := askNode(ctx, addr, c, exposed || isElsewhere(addr))
		mu.Lock()
		defer mu.Unlock()
		f.nodes = append(f.nodes, n)
		return nil
	})
	slices.SortFunc(f.nodes, func(a, b nodeFacts) int { return cmp.Compare(a.addr, b.addr) })
	return f
}

func askNode(ctx context.Context, addr string, c *redis.Client, exposed bool) nodeFacts {
	n := nodeFacts{addr: addr, settings: map[string]string{}}
	text, err := c.Info(ctx, "server", "replication", "memory", "persistence").Result()
	n.info, n.infoErr = parseInfo(text), err
	for _, name := range wantedSettings {
		values, err := c.ConfigGet(ctx, name).Result()
		n.settings[name], n.settingsErr = values[name], cmp.Or(n.settingsErr, err)
	}
	if exposed && c.Options().Password != "" {
		n.defaultOpen, n.defaultOpenErr = needsNoPassword(ctx, c)
	}
	n.pings, n.pingErr = ping(ctx, c)
	return n
}

// isReply tells a server that refuses a command from one that is not there.
func isReply(err error) bool { return errors.As(err, new(redis.Error)) }

// needsNoPassword reports whether anyone may log in as the default user.
func needsNoPassword(ctx context.Context, c *redis.Client) (bool, error) {
	value, err := c.Do(ctx, "acl", "getuser", "default").Result()
	if err != nil {
		return false, err
	}
	user, _ := value.(map[any]any)
	flags, ok := user["flags"].([]any)
	if !ok {
		return false, errors.New("unexpected reply")
	}
	return slices.Contains(flags, any("on")) && slices.Contains(flags, any("nopass")), nil
}

func ping(ctx context.Context, c *redis.Client) ([]time.Duration, error) {
	times := make([]time.Duration, 0, pingCount)
	for range pingCount {
		start := time.Now()
		if err := c.Ping(ctx).Err(); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times, nil
}

func parseInfo(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}
