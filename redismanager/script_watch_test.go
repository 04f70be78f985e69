package redismanager_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/statelink/statelink/internal/redistest"
	"github.com/statelink/statelink/redismanager"
)

// folder is a watched directory with the calls that show what it has done.
type folder struct {
	*testing.T
	m   *redismanager.Manager
	dir string
	key string
}

func newFolder(t *testing.T, m *redismanager.Manager) *folder {
	return &folder{T: t, m: m, dir: t.TempDir(), key: redistest.NewPrefix(t)}
}

func (f *folder) watch() *redismanager.ScriptWatcher {
	f.Helper()
	w, err := f.m.WatchScripts(f.dir)
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, w.Stop()) })
	return w
}

func (f *folder) write(file, text string) {
	f.Helper()
	require.NoError(f, os.WriteFile(filepath.Join(f.dir, file), []byte(text), 0o600))
}

func (f *folder) remove(file string) {
	f.Helper()
	require.NoError(f, os.Remove(filepath.Join(f.dir, file)))
}

func (f *folder) becomes(word string) {
	f.Helper()
	becomes(f.T, f.m, f.key, word)
}

// refusals waits for so many of them.
func (f *folder) refusals(n int) []redismanager.Event {
	f.Helper()
	require.Eventually(f, func() bool { return len(eventsOf(f.m, redismanager.EventScriptRefused)) >= n }, 5*time.Second, 5*time.Millisecond)
	list := eventsOf(f.m, redismanager.EventScriptRefused)
	require.Len(f, list, n)
	return list
}

func TestScriptWatch(t *testing.T) {
	onEachAndEmbedded(t, func(t *testing.T, m *redismanager.Manager) {
		require.NoError(t, m.AddScripts(saying("embedded")))
		f := newFolder(t, m)
		f.write("saying.lua", saying("there").Source)
		f.watch()
		require.Equal(t, "there", says(t, m, "saying", f.key), "what is there is taken before WatchScripts returns")

		f.write("saying.lua", saying("written").Source)
		f.becomes("written")
		f.write(".saying.new", saying("renamed").Source)
		require.NoError(t, os.Rename(filepath.Join(f.dir, ".saying.new"), filepath.Join(f.dir, "saying.lua")))
		f.becomes("renamed")

		f.write("saying.lua", broken("saying").Source)
		refused := f.refusals(1)[0]
		require.ErrorIs(t, refused.Err, redismanager.ErrScriptCompile)
		require.Contains(t, refused.Reason, "saying.lua")
		require.Equal(t, "renamed", says(t, m, "saying", f.key))
		f.write("saying.lua", saying("mended").Source)
		f.becomes("mended")

		f.remove("saying.lua")
		f.becomes("embedded")
		require.Equal(t, 1, currentVersion(t, m, "saying"))
		f.write("saying.lua", saying("back").Source)
		f.becomes("back")
		f.refusals(1)
	})
}

// A mounted ConfigMap is a tree of links of which one is swapped.
func TestScriptWatchConfigMap(t *testing.T) {
	m := open(t, topologies[0].config(t), redismanager.WithScripts(saying("embedded"), counting))
	f := newFolder(t, m)
	mount := func(version, text string) {
		require.NoError(t, os.Mkdir(filepath.Join(f.dir, "..v"+version), 0o700))
		f.write(filepath.Join("..v"+version, "saying.lua"), text)
		require.NoError(t, os.Symlink("..v"+version, filepath.Join(f.dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(f.dir, "..data_tmp"), filepath.Join(f.dir, "..data")))
	}
	mount("1", saying("first").Source)
	require.NoError(t, os.Symlink(filepath.Join("..data", "saying.lua"), filepath.Join(f.dir, "saying.lua")))
	f.watch()
	require.Equal(t, "first", says(t, m, "saying", f.key))
	mount("2", saying("second").Source)
	f.becomes("second")
	require.NoError(t, os.RemoveAll(filepath.Join(f.dir, "..v1")))
	mount("3", saying("third").Source)
	f.becomes("third")
	require.Len(t, eventsOf(m, redismanager.EventScriptUpdated), 3)
}

// Other files are told of once and left alone; a directory that goes away
// changes nothing, and is watched again when it is back.
func TestScriptWatchOtherFilesAndALostDirectory(t *testing.T) {
	var log lockedBuffer
	m := open(t, topologies[0].config(t), redismanager.WithScripts(saying("embedded"), counting), redismanager.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	f := newFolder(t, m)
	f.dir = filepath.Join(f.dir, "scripts")
	require.NoError(t, os.Mkdir(f.dir, 0o700))
	f.write("stranger.lua", "return 1")
	f.write("notes.txt", "x")
	f.watch()
	f.write("saying.lua", saying("one").Source)
	f.becomes("one")
	f.write("notes.txt", "y")
	f.write("saying.lua", saying("two").Source)
	f.becomes("two")
	require.Equal(t, 1, strings.Count(log.String(), "file=stranger.lua"))
	require.Equal(t, 1, strings.Count(log.String(), "file=notes.txt"))

	// What cannot be read is not gone, and keeps nobody else from being read.
	f.remove("saying.lua")
	require.NoError(t, os.Mkdir(filepath.Join(f.dir, "saying.lua"), 0o700))
	f.write("counting.lua", "#!lua\nreturn 7\n")
	require.Eventually(t, func() bool { return currentVersion(t, m, "counting") == 2 }, 5*time.Second, 5*time.Millisecond)
	require.Contains(t, log.String(), "file=saying.lua")

	require.NoError(t, os.Rename(f.dir, f.dir+".away"))
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "cannot be read") }, 5*time.Second, 5*time.Millisecond)
	require.Equal(t, "two", says(t, m, "saying", f.key))
	require.NoError(t, os.Mkdir(f.dir, 0o700))
	f.write("saying.lua", saying("three").Source)
	f.becomes("three")
	f.write("saying.lua", saying("four").Source)
	f.becomes("four")
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A file that is removed does not undo what others have done since.
func TestScriptWatchAndOwnChange(t *testing.T) {
	m := open(t, topologies[0].config(t), redismanager.WithScripts(saying("embedded"), counting))
	f := newFolder(t, m)
	f.watch()
	f.write("saying.lua", saying("file").Source)
	f.becomes("file")
	_, err := m.UpdateScript(within(t, 5*time.Second), saying("own"))
	require.NoError(t, err)
	f.remove("saying.lua")
	f.write("counting.lua", "#!lua\nreturn 7\n") // when this is taken, the removal was seen
	require.Eventually(t, func() bool { return currentVersion(t, m, "counting") == 2 }, 5*time.Second, 5*time.Millisecond)
	require.Equal(t, "own", says(t, m, "saying", f.key))
}

// A file that comes while Redis is away is taken when it is back.
func TestScriptWatchDuringAnOutage(t *testing.T) {
	srv := redistest.StartServer(t)
	proxy := redistest.NewProxy(t, srv.Addr())
	m := open(t, redismanager.RedisConfig{Addr: proxy.Addr(), MaxRetries: -1}, redismanager.WithScripts(saying("embedded")))
	f := newFolder(t, m)
	f.watch()
	proxy.Refuse(true)
	proxy.CutAll()
	f.write("saying.lua", saying("late").Source)
	require.Equal(t, redismanager.ClassUnavailable, redismanager.Classify(f.refusals(1)[0].Err))
	require.Equal(t, 1, currentVersion(t, m, "saying"))
	proxy.Refuse(false)
	require.Eventually(t, func() bool { return currentVersion(t, m, "saying") == 2 }, 5*time.Second, 5*time.Millisecond)
	f.becomes("late")
	f.refusals(1)
}

func TestScriptWatchEnds(t *testing.T) {
	m := open(t, topologies[0].config(t), redismanager.WithScripts(saying("embedded")))
	f := newFolder(t, m)
	w := f.watch()
	require.NoError(t, w.Stop())
	require.NoError(t, w.Stop())
	f.write("saying.lua", saying("after").Source)
	second := newFolder(t, m)
	second.write("saying.lua", saying("second").Source)
	second.watch() // ends with the manager
	require.Equal(t, "second", says(t, m, "saying", f.key))
	require.NoError(t, m.Close())
	_, err := m.WatchScripts(filepath.Join(f.dir, "absent"))
	require.ErrorIs(t, err, redismanager.ErrInvalidArgument)
}

// A directory that is moved away and removed at once makes fsnotify send an error
// with its lock held.
func TestScriptWatchEndsWhileTheDirectoryIsReplaced(t *testing.T) {
	m := open(t, redismanager.RedisConfig{Addr: redistest.SharedStandalone(t).Addr()})
	dir := filepath.Join(t.TempDir(), "scripts")
	for range 1000 {
		require.NoError(t, os.Mkdir(dir, 0o700))
		w, err := m.WatchScripts(dir)
		require.NoError(t, err)
		for n := range 8 {
			require.NoError(t, os.WriteFile(filepath.Join(dir, strings.Repeat("x", n+1)), nil, 0o600))
		}
		require.NoError(t, os.Rename(dir, dir+".old"))
		require.NoError(t, os.RemoveAll(dir+".old"))
		ended := make(chan error, 1)
		go func() { ended <- w.Stop() }()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(5 * time.Second):
			require.FailNow(t, "Stop hangs")
		}
	}
}
