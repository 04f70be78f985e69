package redismanager

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Validate reports every setting that is out of range or in conflict with
// another, each as a [*FieldError] that names the field and its bound; nil if
// the configuration can be used. Defaults count as set.
func (c RedisConfig) Validate() error {
	c = c.WithDefaults()
	v := &validator{}
	c.validateTopology(v)
	c.validateCredentials(v)
	c.validatePool(v)
	c.validateTimes(v)
	c.TLS.validate(v)
	return errors.Join(v.problems...)
}

// validator collects what is wrong, so that one run shows all of it.
type validator struct{ problems []error }

func (v *validator) refuse(field, got, want string) {
	v.problems = append(v.problems, &FieldError{Field: field, Got: got, Want: want})
}

func (v *validator) number(field string, n, lo, hi int) {
	if n < lo || n > hi {
		v.refuse(field, strconv.Itoa(n), fmt.Sprintf("%d to %d", lo, hi))
	}
}

func (v *validator) duration(field string, d, lo, hi time.Duration) {
	if d < lo || d > hi {
		v.refuse(field, d.String(), fmt.Sprintf("%v to %v", lo, hi))
	}
}

// address checks host:port. What could be a URL is not shown: it may hold a
// password.
func (v *validator) address(field, addr string) {
	if strings.ContainsAny(addr, "/@ ") {
		v.refuse(field, "a value with a scheme, credentials or spaces", "host:port")
		return
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		v.refuse(field, strconv.Quote(addr), "host:port")
		return
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		v.refuse(field, strconv.Quote(addr), "host:port with a port from 1 to 65535")
	}
}

func (c *RedisConfig) validateTopology(v *validator) {
	switch c.Mode {
	case ModeStandalone:
		if len(c.Addrs) > 0 {
			v.refuse("addrs", fmt.Sprintf("%d addresses", len(c.Addrs)), "addr in mode standalone, or mode sentinel or cluster")
			return
		}
		v.address("addr", c.Addr)
	case ModeSentinel, ModeCluster:
		c.validateSeeds(v)
	default:
		v.refuse("mode", strconv.Quote(string(c.Mode)), "standalone, sentinel or cluster")
		return
	}
	if c.Mode == ModeSentinel && c.MasterName == "" {
		v.refuse("master_name", "nothing", "the master's name in mode sentinel")
	}
	if c.Mode != ModeSentinel {
		c.refuseSentinelSettings(v)
	}
	if c.Mode == ModeCluster && c.DB != 0 {
		v.refuse("db", strconv.Itoa(c.DB), "0 in mode cluster")
	} else {
		v.number("db", c.DB, 0, 1_000_000)
	}
}

func (c *RedisConfig) validateSeeds(v *validator) {
	if c.Addr != "" && len(c.Addrs) > 0 {
		v.refuse("addr", strconv.Quote(c.Addr), "either addr or addrs, not both")
	}
	if len(c.Addrs) == 0 {
		v.refuse("addrs", "nothing", fmt.Sprintf("at least one host:port in mode %s", c.Mode))
	}
	for i, addr := range c.Addrs {
		v.address(fmt.Sprintf("addrs[%d]", i), addr)
	}
}

func (c *RedisConfig) refuseSentinelSettings(v *validator) {
	for _, s := range []struct{ field, value string }{
		{"master_name", c.MasterName},
		{"sentinel_username", c.SentinelUsername},
		{"sentinel_password", c.SentinelPassword},
	} {
		if s.value != "" {
			v.refuse(s.field, "a value", fmt.Sprintf("nothing in mode %s (it belongs to mode sentinel)", c.Mode))
		}
	}
}

// validateCredentials refuses a user without a password: it would be ignored
// in silence and the default user be used instead.
func (c *RedisConfig) validateCredentials(v *validator) {
	if c.Username != "" && c.Password == "" {
		v.refuse("password", "nothing", "a password for the username")
	}
	if c.SentinelUsername != "" && c.SentinelPassword == "" {
		v.refuse("sentinel_password", "nothing", "a password for the sentinel_username")
	}
	if strings.ContainsAny(c.ClientName, " \r\n\t") {
		v.refuse("client_name", strconv.Quote(c.ClientName), "a name without spaces")
	}
}

func (c *RedisConfig) validatePool(v *validator) {
	v.number("pool_size", c.PoolSize, 1, 10_000)
	if c.MinIdleConns != -1 {
		v.number("min_idle_conns", c.MinIdleConns, 0, max(c.PoolSize, 0))
	}
	v.number("max_idle_conns", c.MaxIdleConns, 0, max(c.PoolSize, 0))
	if c.MaxIdleConns > 0 && c.MinIdleConns > c.MaxIdleConns {
		v.refuse("max_idle_conns", strconv.Itoa(c.MaxIdleConns), fmt.Sprintf("at least min_idle_conns (%d)", c.MinIdleConns))
	}
	if c.PipelinePoolSize != -1 {
		v.number("pipeline_pool_size", c.PipelinePoolSize, 1, 10_000)
	}
	c.validateScaling(v)
	if c.MaxRetries != -1 {
		v.number("max_retries", c.MaxRetries, 0, 100)
	}
}

func (c *RedisConfig) validateScaling(v *validator) {
	if c.PoolMax == 0 {
		if c.PoolMin != 0 {
			v.refuse("pool_max", "nothing", "the largest pool size, since pool_min is set")
		}
		if c.PoolDryRun {
			v.refuse("pool_max", "nothing", "the largest pool size, since pool_dry_run is set")
		}
		return
	}
	v.number("pool_min", c.PoolMin, 1, max(c.PoolSize, 1))
	v.number("pool_max", c.PoolMax, max(c.PoolSize, 1), 10_000)
}

func (c *RedisConfig) validateTimes(v *validator) {
	const shortest, longest = time.Millisecond, 5 * time.Minute
	v.duration("pool_timeout", c.PoolTimeout, shortest, longest)
	v.duration("dial_timeout", c.DialTimeout, shortest, longest)
	v.duration("read_timeout", c.ReadTimeout, shortest, longest)
	v.duration("write_timeout", c.WriteTimeout, shortest, longest)
	v.duration("close_timeout", c.CloseTimeout, shortest, longest)
	v.duration("retry_timeout", c.RetryTimeout, shortest, longest)
	v.duration("pool_scale_interval", c.PoolScaleInterval, 100*time.Millisecond, time.Hour)
	v.duration("min_retry_backoff", c.MinRetryBackoff, shortest, time.Minute)
	v.duration("max_retry_backoff", c.MaxRetryBackoff, c.MinRetryBackoff, time.Minute)
	if c.ConnMaxIdleTime != -1 {
		v.duration("conn_max_idle_time", c.ConnMaxIdleTime, time.Second, 24*time.Hour)
	}
	if c.ConnMaxLifetime != 0 {
		v.duration("conn_max_lifetime", c.ConnMaxLifetime, time.Second, 24*time.Hour)
	}
}
