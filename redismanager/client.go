package redismanager

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// stateReloadInterval is how old the known Cluster topology may get without
// errors. go-redis takes 60 s, which is how long it may call a dead master.
const stateReloadInterval = 5 * time.Second

// newClients makes the go-redis client for a validated configuration. It does
// no I/O.
func newClients(cfg RedisConfig, tlsConfig *tls.Config) clients {
	c := clients{nodes: newNodeRegistry()}
	dial := dialer(cfg, tlsConfig)
	switch cfg.Mode {
	case ModeCluster:
		c.cluster = redis.NewClusterClient(clusterOptions(cfg, dial, c.nodes))
	case ModeSentinel:
		c.single = redis.NewFailoverClient(failoverOptions(cfg, dial))
		c.nodes.add(cfg.MasterName, c.single)
	default:
		c.single = redis.NewClient(clientOptions(cfg, cfg.Addr, dial))
		c.nodes.add(cfg.Addr, c.single)
	}
	return c
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dialer opens plain or TLS connections. go-redis' own TLS dial would ignore
// the context.
func dialer(cfg RedisConfig, tlsConfig *tls.Config) dialFunc {
	plain := &net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: time.Minute}
	if tlsConfig == nil {
		return plain.DialContext
	}
	return (&tls.Dialer{NetDialer: plain, Config: tlsConfig}).DialContext
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

// clientOptions are those of one server. DialerRetries is 1 because the
// manager tries again itself, inside the caller's deadline.
func clientOptions(cfg RedisConfig, addr string, dial dialFunc) *redis.Options {
	return &redis.Options{
		Addr: addr, Dialer: dial, ClientName: cfg.ClientName,
		Username: cfg.Username, Password: cfg.Password, DB: cfg.DB,
		MaxRetries: off(cfg.MaxRetries), MinRetryBackoff: cfg.MinRetryBackoff, MaxRetryBackoff: cfg.MaxRetryBackoff,
		DialTimeout: cfg.DialTimeout, DialerRetries: 1,
		ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout, ContextTimeoutEnabled: true,
		PoolSize: cfg.PoolSize, PoolTimeout: cfg.PoolTimeout, PipelinePoolSize: cfg.PipelinePoolSize,
		MinIdleConns: max(cfg.MinIdleConns, 0), MaxIdleConns: cfg.MaxIdleConns,
		ConnMaxIdleTime: cfg.ConnMaxIdleTime, ConnMaxLifetime: cfg.ConnMaxLifetime,
		DisableIdentity: true, MaintNotificationsConfig: maintenance(),
	}
}

func failoverOptions(cfg RedisConfig, dial dialFunc) *redis.FailoverOptions {
	return &redis.FailoverOptions{
		MasterName: cfg.MasterName, SentinelAddrs: cfg.Addrs,
		SentinelUsername: cfg.SentinelUsername, SentinelPassword: cfg.SentinelPassword,
		Dialer: dial, ClientName: cfg.ClientName,
		Username: cfg.Username, Password: cfg.Password, DB: cfg.DB,
		MaxRetries: off(cfg.MaxRetries), MinRetryBackoff: cfg.MinRetryBackoff, MaxRetryBackoff: cfg.MaxRetryBackoff,
		DialTimeout: cfg.DialTimeout, DialerRetries: 1,
		ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout, ContextTimeoutEnabled: true,
		PoolSize: cfg.PoolSize, PoolTimeout: cfg.PoolTimeout, PipelinePoolSize: cfg.PipelinePoolSize,
		MinIdleConns: max(cfg.MinIdleConns, 0), MaxIdleConns: cfg.MaxIdleConns,
		ConnMaxIdleTime: cfg.ConnMaxIdleTime, ConnMaxLifetime: cfg.ConnMaxLifetime,
		DisableIdentity: true,
	}
}

func clusterOptions(cfg RedisConfig, dial dialFunc, nodes *nodeRegistry) *redis.ClusterOptions {
	return &redis.ClusterOptions{
		Addrs: cfg.Addrs,
		NewClient: func(o *redis.Options) *redis.Client {
			c := redis.NewClient(o)
			nodes.add(o.Addr, c)
			return c
		},
		Dialer: dial, ClientName: cfg.ClientName,
		Username: cfg.Username, Password: cfg.Password,
		MaxRedirects: max(cfg.MaxRetries, 3), MaxRetries: off(cfg.MaxRetries),
		MinRetryBackoff: cfg.MinRetryBackoff, MaxRetryBackoff: cfg.MaxRetryBackoff,
		DialTimeout: cfg.DialTimeout, DialerRetries: 1,
		ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout, ContextTimeoutEnabled: true,
		PoolSize: cfg.PoolSize, PoolTimeout: cfg.PoolTimeout, PipelinePoolSize: cfg.PipelinePoolSize,
		MinIdleConns: max(cfg.MinIdleConns, 0), MaxIdleConns: cfg.MaxIdleConns,
		ConnMaxIdleTime: cfg.ConnMaxIdleTime, ConnMaxLifetime: cfg.ConnMaxLifetime,
		DisableIdentity: true, DisableRoutingPolicies: true, MaintNotificationsConfig: maintenance(),
		ClusterStateReloadInterval: stateReloadInterval,
	}
}
