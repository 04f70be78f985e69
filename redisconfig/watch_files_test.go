package redisconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ways are how the content of a configuration file gets another pool size. The
// file is app.yaml in a folder of its own below dir.
var ways = []struct {
	name   string
	atomic bool                              // no other content, and no absence, can be seen in between
	setup  func(t *testing.T, folder string) // nil: a plain file
	change func(t *testing.T, folder, path, content string)
}{
	{"written in place", false, nil, func(t *testing.T, _, path, content string) {
		write(t, path, content)
	}},
	{"truncated, then written in steps", false, nil, func(t *testing.T, _, path, content string) {
		require.NoError(t, os.Truncate(path, 0))
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		require.NoError(t, err)
		for _, step := range content {
			_, err := file.WriteString(string(step))
			require.NoError(t, err)
		}
		require.NoError(t, file.Close())
	}},
	{"renamed over", true, nil, func(t *testing.T, _, path, content string) {
		replaceFile(t, path, content)
	}},
	{"moved to a backup and written anew", false, nil, func(t *testing.T, _, path, content string) {
		require.NoError(t, os.Rename(path, path+"~"))
		write(t, path, content)
		require.NoError(t, os.Remove(path+"~"))
	}},
	{"removed and created", false, nil, func(t *testing.T, _, path, content string) {
		require.NoError(t, os.Remove(path))
		write(t, path, content)
	}},
	{"a ConfigMap", true, func(t *testing.T, folder string) {
		configMap(t, folder, "1", map[string]string{"app.yaml": poolOf(10)})
	}, func(t *testing.T, folder, _, content string) {
		configMap(t, folder, strings.Trim(content, "{redis: pol_z}"), map[string]string{"app.yaml": content})
	}},
	{"a link that gets another target", true, func(t *testing.T, folder string) {
		write(t, filepath.Join(folder, "0"), poolOf(10))
		require.NoError(t, os.Symlink(filepath.Join(folder, "0"), filepath.Join(folder, "app.yaml")))
	}, func(t *testing.T, folder, path, content string) {
		target := filepath.Join(t.TempDir(), "elsewhere")
		write(t, target, content)
		require.NoError(t, os.Symlink(target, filepath.Join(folder, "new")))
		require.NoError(t, os.Rename(filepath.Join(folder, "new"), path))
	}},
	{"the target of a link, in place", false, func(t *testing.T, folder string) {
		target := filepath.Join(filepath.Dir(folder), "target.yaml")
		write(t, target, poolOf(10))
		require.NoError(t, os.Symlink("../target.yaml", filepath.Join(folder, "app.yaml")))
	}, func(t *testing.T, folder, _, content string) {
		write(t, filepath.Join(filepath.Dir(folder), "target.yaml"), content)
	}},
	{"the folder removed and created", false, nil, func(t *testing.T, folder, path, content string) {
		require.NoError(t, os.RemoveAll(folder))
		require.NoError(t, os.Mkdir(folder, 0o700))
		write(t, path, content)
	}},
	{"the folder moved away and another in its place", false, nil, func(t *testing.T, folder, path, content string) {
		fresh, err := os.MkdirTemp(filepath.Dir(folder), "fresh")
		require.NoError(t, err)
		write(t, filepath.Join(fresh, "app.yaml"), content)
		require.NoError(t, os.Rename(folder, fresh+"-old"))
		require.NoError(t, os.Rename(fresh, folder))
		require.FileExists(t, path)
	}},
}

// TestFollowEveryWayOfWriting changes the file three times in each way: a
// watch that sees the first time only, as one on the file itself, fails.
func TestFollowEveryWayOfWriting(t *testing.T) {
	t.Parallel()
	for mode, option := range map[string]Option{"notified": byNotification, "polling": byPolling} {
		for _, way := range ways {
			t.Run(mode+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				folder := filepath.Join(t.TempDir(), "conf")
				path := filepath.Join(folder, "app.yaml")
				require.NoError(t, os.Mkdir(folder, 0o700))
				if way.setup == nil {
					write(t, path, poolOf(10))
				} else {
					way.setup(t, folder)
				}
				b := watchFile(t, path, option, brief).follow()
				for _, n := range []int{20, 30, 40} {
					way.change(t, folder, path, flowOf(n))
					if !way.atomic {
						b.skipRefused()
					}
					b.requireApplied(n, "redis.pool_size")
				}
				require.Empty(t, b.reports)
			})
		}
	}
}

// brief makes changes of several steps be seen in parts, on a busy machine.
func brief(o *options) { o.watch.quiet = 20 * time.Millisecond }

// flowOf is no valid YAML before its last byte.
func flowOf(n int) string { return fmt.Sprintf("{redis: {pool_size: %d}}", n) }

// TestFollowMissing: the old configuration stays, the absence is told once, and
// what returns is taken.
func TestFollowMissing(t *testing.T) {
	t.Parallel()
	for mode, option := range map[string]Option{"notified": byNotification, "polling": byPolling} {
		for _, gone := range []string{"file", "folder"} {
			t.Run(mode+"/"+gone, func(t *testing.T) {
				t.Parallel()
				folder := filepath.Join(t.TempDir(), "a", "b")
				path := filepath.Join(folder, "app.yaml")
				require.NoError(t, os.MkdirAll(folder, 0o700))
				write(t, path, poolOf(10))
				b := watchFile(t, path, option, brief).follow()

				remove(t, gone, folder, path)
				b.requireRefused("no such file or directory")
				require.ErrorIs(t, b.watcher.Err(), os.ErrNotExist)
				require.Equal(t, 10, b.watcher.Config().PoolSize)

				require.NoError(t, os.MkdirAll(folder, 0o700))
				replaceFile(t, path, poolOf(20))
				b.requireApplied(20, "redis.pool_size")

				remove(t, gone, folder, path)
				b.requireRefused("no such file or directory")
				require.NoError(t, os.MkdirAll(folder, 0o700))
				replaceFile(t, path, poolOf(20))
				require.Equal(t, Report{Result: ResultRestored}, b.next())
				require.NoError(t, b.watcher.Err())
				require.Empty(t, b.applied, "it never was out of force")
				require.Equal(t, 2, b.log.count("level=WARN msg=\"redis configuration refused"), b.log)
			})
		}
	}
}

func remove(t *testing.T, what, folder, path string) {
	t.Helper()
	if what == "folder" {
		require.NoError(t, os.RemoveAll(filepath.Dir(folder)))
		return
	}
	require.NoError(t, os.Remove(path))
}

// TestFollowChangeBeforeFollow: nothing between the two steps is lost.
func TestFollowChangeBeforeFollow(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(10))
	b := watchFile(t, path)
	replaceFile(t, path, poolOf(20))
	require.Equal(t, 10, b.watcher.Config().PoolSize)
	b.follow().requireApplied(20, "redis.pool_size")
}

// TestFollowOnlyRealChanges: comments, defaults written out and keys of others
// are no change.
func TestFollowOnlyRealChanges(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", poolOf(20))
	b := watchFile(t, path).follow()
	replaceFile(t, path, "# a comment\n"+poolOf(20)+"  db: 0\nserver:\n  port: 1\n")
	b.requireIdle(path)
}

// TestFollowManyChanges ends at the last of many, with each applied whole.
func TestFollowManyChanges(t *testing.T) {
	t.Parallel()
	const last = 300
	path := writeFile(t, "c.yaml", "redis: {pool_size: 1, max_retries: 1}")
	b := watchFile(t, path, func(o *options) { o.watch.quiet = time.Millisecond }).follow()
	for n := 2; n <= last; n++ {
		replaceFile(t, path, poolOf(n)+"  max_retries: "+string(rune('0'+n%10))+"\n")
		_, _ = b.watcher.Config(), b.watcher.Err()
	}
	require.Eventually(t, func() bool { return b.watcher.Config().PoolSize == last }, patience, time.Millisecond)
	require.NoError(t, b.watcher.Close())
	close(b.applied)
	for c := range b.applied {
		require.Equal(t, c.PoolSize%10, max(c.MaxRetries, 0), "half of one file and half of another")
	}
	require.Zero(t, b.log.count("WARN"), b.log)
}
