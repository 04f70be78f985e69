package redismanager

import (
	"fmt"
	"log/slog"
	"time"
)

// Mode is the topology of the Redis deployment. It is always explicit: it is
// never guessed from the number of addresses.
type Mode string

// The three topologies. The zero value of Mode means ModeStandalone.
const (
	ModeStandalone Mode = "standalone"
	ModeSentinel   Mode = "sentinel"
	ModeCluster    Mode = "cluster"
)

// RedisConfig says how to reach Redis and how to treat connections. The zero
// value of a field means its default, so RedisConfig{} is a standalone server
// on localhost:6379. Passwords are masked by fmt (whatever the verb), slog, JSON
// and YAML; an encoder that goes through the fields by itself would see them,
// and so would fmt for a struct that holds a RedisConfig in an unexported field.
type RedisConfig struct {
	// Mode is the topology: standalone (default), sentinel or cluster.
	Mode Mode `mapstructure:"mode" json:"mode"`
	// Addr is the host:port of the standalone server. Default localhost:6379.
	// In the other modes it may stand for a single seed instead of Addrs.
	Addr string `mapstructure:"addr" json:"addr,omitempty"`
	// Addrs are the host:port of the sentinels, or of some Cluster nodes.
	Addrs []string `mapstructure:"addrs" json:"addrs,omitempty"`

	// Username is the ACL user of the data nodes. Default: the default user.
	Username string `mapstructure:"username" json:"username,omitempty"`
	// Password of the user. Default: none.
	Password string `mapstructure:"password" json:"-"`
	// DB is the database number, 0 to 1,000,000. Cluster has only 0.
	DB int `mapstructure:"db" json:"db"`

	// MasterName is the name under which the sentinels know the master.
	MasterName string `mapstructure:"master_name" json:"master_name,omitempty"`
	// SentinelUsername and SentinelPassword authenticate with the sentinels.
	SentinelUsername string `mapstructure:"sentinel_username" json:"sentinel_username,omitempty"`
	SentinelPassword string `mapstructure:"sentinel_password" json:"-"`

	// TLS encrypts the connections to the data nodes and to the sentinels.
	TLS TLSConfig `mapstructure:"tls" json:"tls"`

	// ClientName is shown by CLIENT LIST. Default: none.
	ClientName string `mapstructure:"client_name" json:"client_name,omitempty"`

	// PoolSize is the most connections per node for single commands, 1 to
	// 10,000. Default 10. Each costs one server connection and 64 KiB of buffers.
	PoolSize int `mapstructure:"pool_size" json:"pool_size"`
	// MinIdleConns are kept open when idle, 0 to PoolSize. Default 5 (PoolSize
	// if that is smaller); -1 for none.
	MinIdleConns int `mapstructure:"min_idle_conns" json:"min_idle_conns"`
	// MaxIdleConns is the most idle connections kept, 0 to PoolSize. Default 0: no limit.
	MaxIdleConns int `mapstructure:"max_idle_conns" json:"max_idle_conns"`
	// PipelinePoolSize is the most connections per node for batches, 1 to
	// 10,000, beside PoolSize. Default 10; -1 to share PoolSize. They are opened
	// only when needed.
	PipelinePoolSize int `mapstructure:"pipeline_pool_size" json:"pipeline_pool_size"`
	// PoolTimeout is how long a call waits for a connection, 1 ms to 5 min.
	// Default 1 s. A call whose context has a deadline queues again until that.
	PoolTimeout time.Duration `mapstructure:"pool_timeout" json:"pool_timeout"`
	// ConnMaxIdleTime closes connections that idle longer, 1 s to 24 h.
	// Default 30 min; -1 for never. Keep it below the server's timeout.
	ConnMaxIdleTime time.Duration `mapstructure:"conn_max_idle_time" json:"conn_max_idle_time"`
	// ConnMaxLifetime closes older connections, 1 s to 24 h. Default 0: never.
	ConnMaxLifetime time.Duration `mapstructure:"conn_max_lifetime" json:"conn_max_lifetime"`

	// PoolMin and PoolMax let the autoscaler change each node's pool size between
	// them, beginning with PoolSize: 1 to PoolSize, and PoolSize to 10,000.
	// Default 0: the size is fixed. PoolMin without a value is PoolSize. While a
	// pool changes, the connections of its old and its new size are open.
	PoolMin int `mapstructure:"pool_min" json:"pool_min"`
	PoolMax int `mapstructure:"pool_max" json:"pool_max"`
	// PoolScaleInterval is the least time between two changes of one node's pool,
	// 100 ms to 1 h. Default 5 s.
	PoolScaleInterval time.Duration `mapstructure:"pool_scale_interval" json:"pool_scale_interval"`
	// PoolDryRun makes the autoscaler tell what it would do, and do nothing.
	PoolDryRun bool `mapstructure:"pool_dry_run" json:"pool_dry_run"`

	// MaxRetries is how often a call is tried again at once, with growing
	// pauses, if it surely was not applied or only reads, 0 to 100. Default 3; -1
	// for never, then RetryTimeout does not hold either. A call that may have been
	// applied is never tried again.
	MaxRetries int `mapstructure:"max_retries" json:"max_retries"`
	// MinRetryBackoff is the shortest pause between tries, 1 ms to 1 min. Default 10 ms.
	MinRetryBackoff time.Duration `mapstructure:"min_retry_backoff" json:"min_retry_backoff"`
	// MaxRetryBackoff is the longest pause between tries, 1 ms to 1 min. Default 500 ms.
	MaxRetryBackoff time.Duration `mapstructure:"max_retry_backoff" json:"max_retry_backoff"`

	// RetryTimeout is how long a call without a deadline waits for Redis to come
	// back after an error that surely left nothing behind (a refused connection, a
	// failover, loading), trying again every 100 to 200 ms. A call with
	// a deadline waits until that. 1 ms to 5 min, default 10 s.
	RetryTimeout time.Duration `mapstructure:"retry_timeout" json:"retry_timeout"`

	// DisableScriptUpdates turns off every way to change a registered script while
	// the program runs: the API, a watched directory and the fleet.
	DisableScriptUpdates bool `mapstructure:"disable_script_updates" json:"disable_script_updates"`

	// DialTimeout bounds opening one connection, 1 ms to 5 min. Default 5 s.
	DialTimeout time.Duration `mapstructure:"dial_timeout" json:"dial_timeout"`
	// ReadTimeout bounds the wait for a reply, 1 ms to 5 min. Default 3 s.
	ReadTimeout time.Duration `mapstructure:"read_timeout" json:"read_timeout"`
	// WriteTimeout bounds sending a command, 1 ms to 5 min. Default 3 s.
	WriteTimeout time.Duration `mapstructure:"write_timeout" json:"write_timeout"`
	// CloseTimeout is how long Close waits for calls in flight and leases, 1 ms
	// to 5 min. Default 5 s.
	CloseTimeout time.Duration `mapstructure:"close_timeout" json:"close_timeout"`
}

// defaultAddr is used in standalone mode only.
const defaultAddr = "localhost:6379"

// DefaultConfig gives the configuration of a standalone server on
// localhost:6379 with every default written out.
func DefaultConfig() RedisConfig { return RedisConfig{}.WithDefaults() }

// WithDefaults returns a copy in which every zero field holds its default, the
// form that [Manager.GetConfig] returns. It does not judge the values.
func (c RedisConfig) WithDefaults() RedisConfig {
	c.Addrs = append([]string(nil), c.Addrs...)
	if c.Mode == "" {
		c.Mode = ModeStandalone
	}
	c.defaultAddresses()
	setDefault(&c.PoolSize, 10)
	setDefault(&c.MinIdleConns, min(5, max(c.PoolSize, 0)))
	setDefault(&c.PipelinePoolSize, 10)
	setDefault(&c.PoolTimeout, time.Second)
	setDefault(&c.ConnMaxIdleTime, 30*time.Minute)
	setDefault(&c.MaxRetries, 3)
	setDefault(&c.MinRetryBackoff, 10*time.Millisecond)
	setDefault(&c.MaxRetryBackoff, max(500*time.Millisecond, c.MinRetryBackoff))
	setDefault(&c.RetryTimeout, 10*time.Second)
	if c.PoolMax > 0 {
		setDefault(&c.PoolMin, min(c.PoolSize, c.PoolMax))
	}
	setDefault(&c.PoolScaleInterval, 5*time.Second)
	setDefault(&c.DialTimeout, 5*time.Second)
	setDefault(&c.ReadTimeout, 3*time.Second)
	setDefault(&c.WriteTimeout, 3*time.Second)
	setDefault(&c.CloseTimeout, 5*time.Second)
	return c
}

// defaultAddresses fills the standalone address, and turns a single Addr of
// the other modes into their list.
func (c *RedisConfig) defaultAddresses() {
	if c.Mode == ModeStandalone {
		if c.Addr == "" && len(c.Addrs) == 0 {
			c.Addr = defaultAddr
		}
		return
	}
	if c.Addr != "" && len(c.Addrs) == 0 {
		c.Addr, c.Addrs = "", []string{c.Addr}
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// seeds are the addresses to begin with, in every mode.
func (c *RedisConfig) seeds() []string {
	if c.Mode == ModeStandalone {
		return []string{c.Addr}
	}
	return c.Addrs
}

// redacted stands in print for any secret that is set.
const redacted = "***"

// printable is RedisConfig without its methods and secrets.
type printable struct {
	config
	Password         string `json:"password,omitempty"`
	SentinelPassword string `json:"sentinel_password,omitempty"`
}

// config has the fields of RedisConfig but none of its methods.
type config RedisConfig

func (c RedisConfig) printable() printable {
	p := printable{config: config(c)}
	if c.Password != "" {
		p.config.Password, p.Password = redacted, redacted
	}
	if c.SentinelPassword != "" {
		p.config.SentinelPassword, p.SentinelPassword = redacted, redacted
	}
	return p
}

// Format prints the configuration with its secrets masked, whatever the verb.
func (c RedisConfig) Format(f fmt.State, verb rune) {
	masked := c.printable().config
	if f.Flag('#') {
		_, _ = fmt.Fprintf(f, "redismanager.RedisConfig%+v", masked)
		return
	}
	_, _ = fmt.Fprintf(f, "%+v", masked)
}

// MarshalJSON encodes the configuration with its secrets masked. Durations
// are strings such as "3s".
func (c RedisConfig) MarshalJSON() ([]byte, error) { return marshalConfig(c) }

// MarshalYAML gives YAML encoders the configuration with its secrets masked.
func (c RedisConfig) MarshalYAML() (any, error) { return c.printable().config, nil }

// LogValue makes slog print the configuration with its secrets masked.
func (c RedisConfig) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("%+v", c.printable().config))
}

// startSize is the size that a node's pool begins with.
func (c *RedisConfig) startSize() int { return c.PoolSize }
