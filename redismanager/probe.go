package redismanager

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

// greeting is what a server says of itself in reply to HELLO. It needs no
// permission, unlike INFO.
type greeting struct {
	server  string // "redis", or the name of a compatible server
	version string
	mode    string // standalone, sentinel or cluster
	role    string // master or replica
	unknown bool   // a sentinel that does not know the master's name
}

// probe asks every seed what it is, and refuses a configured mode that does
// not fit with one sentence. One answering seed is enough.
func probe(ctx context.Context, cfg RedisConfig, tlsConfig *tls.Config) (greeting, error) {
	seeds := cfg.seeds()
	greetings := make([]greeting, len(seeds))
	failures := make([]error, len(seeds))
	var wg sync.WaitGroup
	for i, addr := range seeds {
		wg.Go(func() { greetings[i], failures[i] = greet(ctx, cfg, addr, tlsConfig) })
	}
	wg.Wait()
	return judge(cfg, seeds, greetings, failures)
}

// judge takes the first greeting that fits, and the first that does not fit as
// the answer for all.
func judge(cfg RedisConfig, seeds []string, greetings []greeting, failures []error) (greeting, error) {
	var first *greeting
	for i, addr := range seeds {
		if failures[i] != nil {
			continue
		}
		if err := fits(cfg, addr, greetings[i]); err != nil {
			return greeting{}, err
		}
		if first == nil || first.unknown {
			first = &greetings[i]
		}
	}
	if first == nil {
		return greeting{}, errors.Join(failures...)
	}
	if first.unknown {
		return greeting{}, fmt.Errorf("%w: no sentinel knows a master named %q: set master_name to the name in the sentinels' configuration", ErrWrongTopology, cfg.MasterName)
	}
	return *first, nil
}

// greet opens one connection to addr, logs in and reads the greeting.
func greet(ctx context.Context, cfg RedisConfig, addr string, tlsConfig *tls.Config) (greeting, error) {
	if cfg.Mode == ModeSentinel {
		cfg.Username, cfg.Password, cfg.DB = cfg.SentinelUsername, cfg.SentinelPassword, 0
	}
	opts := universalOptions(cfg, tlsConfig).Simple()
	opts.Addr = addr
	opts.PoolSize, opts.MinIdleConns, opts.MaxIdleConns, opts.MaxRetries = 1, 0, 0, -1
	c := redis.NewClient(opts)
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })() // a read would not notice a cancellation
	value, err := ask(ctx, c, "hello", "3")
	if err != nil {
		return greeting{}, err
	}
	fields, ok := value.(map[any]any)
	if !ok {
		return greeting{}, fmt.Errorf("%w: reply to HELLO of %s is %T", ErrMalformedData, addr, value)
	}
	g := greeting{
		server: word(fields, "server"), version: word(fields, "version"),
		mode: word(fields, "mode"), role: word(fields, "role"),
	}
	if cfg.Mode == ModeSentinel && g.mode == string(ModeSentinel) {
		master, err := ask(ctx, c, "sentinel", "get-master-addr-by-name", cfg.MasterName)
		g.unknown = err == nil && master == nil
	}
	return g, nil
}

func word(fields map[any]any, name string) string {
	s, _ := fields[name].(string)
	return s
}

// fits says in one sentence why a server cannot serve the configuration.
func fits(cfg RedisConfig, addr string, g greeting) error {
	if g.mode != string(cfg.Mode) {
		return fmt.Errorf("%w: %s is a %s, but mode is %s: %s", ErrWrongTopology, addr, kind(g.mode), cfg.Mode, remedy(g.mode))
	}
	if cfg.Mode == ModeStandalone && g.role != "master" {
		return fmt.Errorf("%w: %s is a %s and refuses to write: configure its master, or mode sentinel", ErrWrongTopology, addr, g.role)
	}
	var major int
	if _, err := fmt.Sscanf(g.version, "%d.", &major); err == nil && major < 7 {
		return fmt.Errorf("%w: %s runs %s %s: at least 7.0 is needed", ErrWrongTopology, addr, g.server, g.version)
	}
	return nil
}

func kind(mode string) string {
	switch mode {
	case "cluster":
		return "Cluster node"
	case "sentinel":
		return "sentinel"
	default:
		return "standalone server"
	}
}

func remedy(mode string) string {
	switch mode {
	case "cluster":
		return "set mode cluster"
	case "sentinel":
		return "set mode sentinel and master_name, or give the data node's address"
	default:
		return "set mode standalone, or give the right addresses"
	}
}

// isEmbedded reports a server that runs Lua but does not know "#!lua".
func (g greeting) isEmbedded() bool { return g.server == "miniredis" }
