package redismanager

import (
	"encoding/json"
	"time"
)

// marshalConfig encodes durations as people write them; encoding/json alone
// would print nanoseconds.
func marshalConfig(c RedisConfig) ([]byte, error) {
	type durations struct {
		PoolTimeout     string `json:"pool_timeout"`
		ConnMaxIdleTime string `json:"conn_max_idle_time"`
		ConnMaxLifetime string `json:"conn_max_lifetime"`
		MinRetryBackoff string `json:"min_retry_backoff"`
		MaxRetryBackoff string `json:"max_retry_backoff"`
		DialTimeout     string `json:"dial_timeout"`
		ReadTimeout     string `json:"read_timeout"`
		WriteTimeout    string `json:"write_timeout"`
		CloseTimeout    string `json:"close_timeout"`
		RetryTimeout    string `json:"retry_timeout"`

		PoolScaleInterval string `json:"pool_scale_interval"`
	}
	return json.Marshal(struct {
		printable
		durations
	}{c.printable(), durations{
		PoolTimeout:     text(c.PoolTimeout),
		ConnMaxIdleTime: text(c.ConnMaxIdleTime),
		ConnMaxLifetime: text(c.ConnMaxLifetime),
		MinRetryBackoff: text(c.MinRetryBackoff),
		MaxRetryBackoff: text(c.MaxRetryBackoff),
		DialTimeout:     text(c.DialTimeout),
		ReadTimeout:     text(c.ReadTimeout),
		WriteTimeout:    text(c.WriteTimeout),
		CloseTimeout:    text(c.CloseTimeout),
		RetryTimeout:    text(c.RetryTimeout),

		PoolScaleInterval: text(c.PoolScaleInterval),
	}})
}

func text(d time.Duration) string {
	if d == -1 {
		return "-1"
	}
	return d.String()
}
