package redisconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/redismanager"
)

// TestFollowPasswordFiles: a rotated password is a change, whichever source
// names its file, and is shown nowhere.
func TestFollowPasswordFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, one, two := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "one"), filepath.Join(dir, "secrets", "two")
	require.NoError(t, os.Mkdir(filepath.Dir(two), 0o700))
	write(t, one, canary+"1\n")
	write(t, two, canary+"2\n")
	write(t, path, "redis: {mode: sentinel, addrs: ['127.0.0.1:1'], master_name: m, password_file: '"+one+"'}")
	b := watch(t, withVariables("STATELINK_CONFIG="+path, "STATELINK_REDIS_SENTINEL_PASSWORD_FILE="+two))
	require.Equal(t, canary+"1", b.watcher.Config().Password)
	b.follow()

	replaceFile(t, one, canary+"3\n")
	b.requireApplied(10, "redis.password")
	require.Equal(t, canary+"3", b.watcher.Config().Password)

	replaceFile(t, two, canary+"4\n")
	b.requireApplied(10, "redis.sentinel_password")
	require.Equal(t, canary+"4", b.watcher.Config().SentinelPassword)

	replaceFile(t, one, "")
	b.requireRefused(one + ": empty")
	require.NoError(t, os.Remove(one))
	b.requireRefused(one + ": no such file or directory")
	replaceFile(t, one, strings.Repeat(canary, 1000))
	b.requireRefused(one + ": larger than 4 KiB")
	require.Equal(t, canary+"3", b.watcher.Config().Password)
	b.outcome = func() error { return redismanager.ErrAuth }
	replaceFile(t, one, canary+"5")
	require.Equal(t, ResultFailed, b.next().Result)
	require.NotContains(t, b.log.String(), canary)
}

// TestFollowSecretInConfigMap: configuration and password change in one swap.
func TestFollowSecretInConfigMap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	swap := func(version, pool string) {
		configMap(t, dir, version, map[string]string{
			"c.yaml":   "redis: {pool_size: " + pool + ", password_file: '" + filepath.Join(dir, "password") + "'}",
			"password": canary + version,
		})
	}
	swap("1", "10")
	b := watchFile(t, filepath.Join(dir, "c.yaml")).follow()
	for _, version := range []string{"2", "3"} {
		swap(version, version+"0")
		b.requireApplied(int(version[0]-'0')*10, "redis.password", "redis.pool_size")
		require.Equal(t, canary+version, b.watcher.Config().Password)
	}
	require.Empty(t, b.reports, "the two were seen apart")
	require.NotContains(t, b.log.String(), canary)
}

// TestFollowTLSFiles: the paths stay and the contents change, which RedisConfig
// does not show.
func TestFollowTLSFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"ca", "cert", "key"} {
		write(t, file(name), canary)
	}
	path := writeFile(t, "c.yaml", "redis: {tls: {enabled: true, ca_file: '"+file("ca")+"', cert_file: '"+file("cert")+"', key_file: '"+file("key")+"'}}")
	b := watchFile(t, path).follow()
	before := *b.watcher.Config()
	for _, name := range []string{"ca", "cert", "key"} {
		replaceFile(t, file(name), canary+"2")
		b.requireApplied(10, "redis.tls."+name+"_file")
	}
	replaceFile(t, file("ca"), canary+"2")
	require.NoError(t, os.Remove(file("key")))
	b.requireRefused("redis.tls.key_file in " + path + ": " + file("key") + ": no such file or directory")
	replaceFile(t, file("key"), canary+"2")
	require.Equal(t, Report{Result: ResultRestored}, b.next())
	require.Equal(t, before, *b.watcher.Config())
	require.NotContains(t, b.log.String(), canary)

	require.NoError(t, os.Remove(file("ca")))
	_, err := Watch(WithFile(path), WithoutEnv())
	require.ErrorContains(t, err, "redis.tls.ca_file in "+path)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestFollowEnvironment: it is above the file, as for LoadRedisConfig, so what
// the file says of the same key is no change.
func TestFollowEnvironment(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", "redis: {max_retries: 1}")
	b := watch(t, withVariables("STATELINK_CONFIG="+path, "STATELINK_REDIS_MAX_RETRIES=7")).follow()
	replaceFile(t, path, "redis: {max_retries: 2}")
	b.requireIdle(path)
	require.Equal(t, 7, b.watcher.Config().MaxRetries)
}

// TestFollowAnotherPasswordFile: the files that are followed are those of the
// newest content.
func TestFollowAnotherPasswordFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, one, two := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "one", "p"), filepath.Join(dir, "two", "p")
	for _, file := range []string{one, two} {
		require.NoError(t, os.Mkdir(filepath.Dir(file), 0o700))
		write(t, file, canary)
	}
	write(t, path, "redis: {password_file: '"+one+"'}")
	b := watchFile(t, path).follow()
	replaceFile(t, path, "redis: {pool_size: 20, password_file: '"+two+"'}")
	b.requireApplied(20, "redis.pool_size")
	replaceFile(t, one, canary+"2")
	replaceFile(t, two, canary+"3")
	b.requireApplied(20, "redis.password")
	require.Equal(t, canary+"3", b.watcher.Config().Password)
}
