package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/statelink/statelink/redismanager"
)

// sentinelPatience is how long a sentinel may take to answer.
const sentinelPatience = time.Second

// sentinelFacts says of every configured sentinel why it did not answer, nil if
// it did.
type sentinelFacts struct {
	addrs []string
	errs  []error
}

// askSentinels asks all of them at the same time: connecting needs only one.
// Behind TLS it asks none.
func askSentinels(ctx context.Context, cfg redismanager.RedisConfig) sentinelFacts {
	if cfg.Mode != redismanager.ModeSentinel || cfg.TLS.Enabled {
		return sentinelFacts{}
	}
	s := sentinelFacts{addrs: seeds(cfg)}
	s.errs = make([]error, len(s.addrs))
	var wg sync.WaitGroup
	for i, addr := range s.addrs {
		wg.Go(func() { s.errs[i] = pingSentinel(ctx, cfg, addr) })
	}
	wg.Wait()
	return s
}

// pingSentinel takes a refusal of the command for an answer.
func pingSentinel(ctx context.Context, cfg redismanager.RedisConfig, addr string) error {
	c := redis.NewSentinelClient(&redis.Options{
		Addr: addr, Username: cfg.SentinelUsername, Password: cfg.SentinelPassword,
		DialTimeout: sentinelPatience, ReadTimeout: sentinelPatience, MaxRetries: -1, DialerRetries: 1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer func() { _ = c.Close() }()
	if err := c.Ping(ctx).Err(); err != nil && !isNotAllowed(err) {
		return err
	}
	return nil
}

// finding is for sentinels that were asked.
func (s sentinelFacts) finding() finding {
	const name, remedy = "sentinels", "Start the sentinels named, or correct their addresses and password."
	var silent []string
	for i, err := range s.errs {
		if err != nil {
			silent = append(silent, s.addrs[i]+": "+oneLine(err))
		}
	}
	if len(silent) == 0 {
		return fine(name, "%d of %d answer", len(s.addrs), len(s.addrs))
	}
	detail := fmt.Sprintf("%d of %d answer", len(s.addrs)-len(silent), len(s.addrs))
	if 2*len(silent) > len(s.addrs) {
		detail += ", no majority: no failover is possible"
		return failure(name, detail+"; "+strings.Join(silent, "; "), remedy)
	}
	return warning(name, detail+"; "+strings.Join(silent, "; "), remedy)
}
