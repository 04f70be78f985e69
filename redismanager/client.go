package redismanager

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// stateReloadInterval is how old the topology known to the Cluster client that
// is lent out may get without errors. go-redis takes 60 s, which is how long it
// may call a dead master.
const stateReloadInterval = 5 * time.Second

// newUniversal makes the go-redis client of the whole deployment, to be lent
// out. It does no I/O.
func newUniversal(cfg RedisConfig, tlsConfig *tls.Config) redis.UniversalClient {
	cfg.MinIdleConns = 0
	opts := universalOptions(cfg, tlsConfig)
	switch cfg.Mode {
	case ModeCluster:
		return redis.NewClusterClient(clusterOptions(opts))
	case ModeSentinel:
		return redis.NewFailoverClient(opts.Failover())
	default:
		return redis.NewClient(opts.Simple())
	}
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dialer opens plain or TLS connections. go-redis' own TLS dial would ignore
// the context.
func dialer(cfg RedisConfig, tlsConfig *tls.Config) dialFunc {
	plain := &net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: time.Minute}
	if tlsConfig == nil {
		return plain.DialContext
	}
	encrypted := &tls.Dialer{NetDialer: plain, Config: tlsConfig}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := encrypted.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return watchTLS(c), nil
	}
}

// off turns a setting whose "none" is zero for us into go-redis' "none", -1.
func off(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// maintenance switches off a handshake that only managed services know; other
// servers answer it with an error on every new connection.
func maintenance() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// universalOptions are those that the topologies share; go-redis turns them
// into the options of each. DialerRetries is 1 because the manager tries again
// itself, inside the caller's deadline.
func universalOptions(cfg RedisConfig, tlsConfig *tls.Config) *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs: cfg.seeds(), MasterName: cfg.MasterName,
		Dialer: dialer(cfg, tlsConfig), ClientName: cfg.ClientName,
		Username: cfg.Username, Password: cfg.Password, DB: cfg.DB,
		SentinelUsername: cfg.SentinelUsername, SentinelPassword: cfg.SentinelPassword,
		MaxRetries: off(cfg.MaxRetries), MinRetryBackoff: cfg.MinRetryBackoff, MaxRetryBackoff: cfg.MaxRetryBackoff,
		DialTimeout: cfg.DialTimeout, DialerRetries: 1,
		ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout, ContextTimeoutEnabled: true,
		PoolSize: cfg.PoolSize, PoolTimeout: cfg.PoolTimeout, PipelinePoolSize: cfg.PipelinePoolSize,
		MinIdleConns: max(cfg.MinIdleConns, 0), MaxIdleConns: cfg.MaxIdleConns,
		ConnMaxIdleTime: cfg.ConnMaxIdleTime, ConnMaxLifetime: cfg.ConnMaxLifetime,
		DisableIdentity: true, MaintNotificationsConfig: maintenance(),
	}
}

// clusterOptions adds what only a Cluster has. Its redirects are its retries,
// so the clients of single nodes have none of their own.
func clusterOptions(shared *redis.UniversalOptions) *redis.ClusterOptions {
	opts := shared.Cluster()
	opts.MaxRedirects, opts.MaxRetries = max(shared.MaxRetries, 3), -1
	opts.DisableRoutingPolicies = true
	opts.ClusterStateReloadInterval = stateReloadInterval
	return opts
}
