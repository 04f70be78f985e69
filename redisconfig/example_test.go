package redisconfig_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/statelink/statelink/redisconfig"
	"github.com/statelink/statelink/redismanager"
)

func ExampleLoadRedisConfig() {
	config, err := redisconfig.LoadRedisConfig(
		redisconfig.WithFile("testdata/app.yaml"),
		redisconfig.WithEnvironment(func() []string { // in a program: leave this option out
			return []string{"STATELINK_REDIS_POOL_SIZE=30"}
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(config.Mode, config.MasterName, config.Addrs)
	fmt.Println(config.PoolSize, config.ReadTimeout, config.WriteTimeout)
	// Output:
	// sentinel mymaster [sentinel-0:26379 sentinel-1:26379 sentinel-2:26379]
	// 30 500ms 3s
}

func ExampleLoadRedisConfig_refused() {
	_, err := redisconfig.LoadRedisConfig(
		redisconfig.WithoutEnv(),
		redisconfig.WithOverrides(map[string]any{"pol_size": 20, "read_timeout": "3", "db": -1}),
	)
	fmt.Println(err)
	// Output:
	// invalid argument: redis.pol_size in the overrides: unknown key, did you mean redis.pool_size?
	// invalid argument: redis.read_timeout in the overrides: got "3", want a duration with its unit (ms, s, m, h) such as 3s
	// invalid argument: redis.db in the overrides: got -1, want 0 to 1000000
}

func ExampleWatch() {
	dir, err := os.MkdirTemp("", "statelink")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "app.yaml")
	write := func(content string) {
		_ = os.WriteFile(path+".new", []byte(content), 0o600)
		_ = os.Rename(path+".new", path)
	}

	write("redis: {pool_size: 10}")
	reports := make(chan redisconfig.Report, 10)
	watcher, err := redisconfig.Watch(
		redisconfig.WithFile(path),
		redisconfig.WithoutEnv(),
		redisconfig.WithReport(func(r redisconfig.Report) { reports <- r }),
		redisconfig.WithWatchLogger(slog.New(slog.DiscardHandler)), // in a program: leave this option out
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = watcher.Close() }()
	// In a program: redismanager.New(ctx, *watcher.Config()), and then
	// watcher.Follow(manager.UpdateConfigContext).
	err = watcher.Follow(func(_ context.Context, config *redismanager.RedisConfig) error {
		fmt.Println("apply pool size", config.PoolSize)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	write("redis: {pool_size: 20}")
	r := <-reports
	fmt.Println(r.Result, r.Changed, watcher.Config().PoolSize)

	write("redis: {pool_size: 0}")
	r = <-reports
	fmt.Println(r.Result, watcher.Config().PoolSize, watcher.Err() != nil)
	// Output:
	// apply pool size 20
	// applied [redis.pool_size] 20
	// refused 20 true
}

func ExampleParseURL() {
	config, err := redisconfig.ParseURL("rediss://app:s3cret@redis.example.com/2?pool_size=20")
	fmt.Println(config.Mode, config.Addr, config.DB, config.Username, config.PoolSize, config.TLS.Enabled, err)
	// Output: standalone redis.example.com:6379 2 app 20 true <nil>
}

func ExampleParseURL_sentinel() {
	config, err := redisconfig.ParseURL("redis+sentinel://app:s3cret@h1,h2:26380/mymaster/1?sentinel_password=other")
	fmt.Println(config.Mode, config.Addrs, config.MasterName, config.DB, config.Username, err)
	// Output: sentinel [h1:26379 h2:26380] mymaster 1 app <nil>
}

func ExampleParseURL_cluster() {
	config, err := redisconfig.ParseURL("redis+cluster://app:s3cret@h1:7000,[2001:db8::7]")
	fmt.Println(config.Mode, config.Addrs, config.Username, err)
	// Output: cluster [h1:7000 [2001:db8::7]:6379] app <nil>
}

func ExampleKeys() {
	for _, k := range redisconfig.Keys() {
		if k.Type == "duration" && k.Default == "5s" {
			fmt.Println(k.Name, k.Env, k.Default)
		}
	}
	// Output:
	// redis.pool_scale_interval STATELINK_REDIS_POOL_SCALE_INTERVAL 5s
	// redis.dial_timeout STATELINK_REDIS_DIAL_TIMEOUT 5s
	// redis.close_timeout STATELINK_REDIS_CLOSE_TIMEOUT 5s
}
