package redisconfig

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// notifyFunc makes a notifier or says why the system has none to give.
type notifyFunc func(log *slog.Logger) (*notifier, error)

// notifier tells of changes near the files. It watches their folders and never
// the files, which editors and Kubernetes replace. It is a hint only: what it
// misses is found by reading the files.
type notifier struct {
	changed chan struct{} // holds one value after a change

	log        *slog.Logger
	fs         *fsnotify.Watcher
	watched    map[string]fs.FileInfo // folders
	complained bool
	pump       sync.WaitGroup

	mu    sync.Mutex
	names map[string]bool // whose events count
}

func newNotifier(log *slog.Logger) (*notifier, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	n := &notifier{
		changed: make(chan struct{}, 1), log: log,
		fs: watcher, watched: map[string]fs.FileInfo{}, names: map[string]bool{},
	}
	n.pump.Go(n.forward)
	return n, nil
}

// forward empties both channels of fsnotify at all times: it sends some errors
// with its lock held, and whoever calls it then waits for ever.
func (n *notifier) forward() {
	for errs := n.fs.Errors; ; {
		select {
		case event, ok := <-n.fs.Events:
			if !ok {
				return
			}
			if n.counts(event.Name) {
				n.signal()
			}
		case _, ok := <-errs: // events were lost
			if !ok {
				errs = nil
				continue
			}
			n.signal()
		}
	}
}

func (n *notifier) signal() {
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

func (n *notifier) counts(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.names[filepath.Clean(name)]
}

// follow turns to the ways to these files as they are now. It reports whether a
// folder is newly watched, of which changes until now may have been missed.
func (n *notifier) follow(files []string) (added bool) {
	if n == nil {
		return false
	}
	names, folders := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		for _, spot := range spots(file) {
			folder := filepath.Dir(spot)
			names[spot], names[folder], folders[folder] = true, true, true
		}
	}
	n.mu.Lock()
	n.names = names
	n.mu.Unlock()
	for folder := range n.watched {
		if !folders[folder] {
			n.forget(folder)
		}
	}
	alive := n.fs.WatchList()
	for folder := range folders {
		if n.watch(folder, slices.Contains(alive, folder)) {
			added = true
		}
	}
	return added
}

// watch adds a folder, anew if another is now in its place. It reports whether
// changes may have been missed: of a folder that is new, or gone by now.
func (n *notifier) watch(folder string, alive bool) (added bool) {
	info, err := os.Stat(folder)
	if err != nil {
		n.forget(folder)
		return errors.Is(err, fs.ErrNotExist)
	}
	old, known := n.watched[folder]
	if known && alive && os.SameFile(old, info) || n.watchedElsewhere(folder, info) {
		return false
	}
	n.forget(folder)
	if err := n.fs.Add(folder); err != nil {
		n.complain(folder, err)
		return errors.Is(err, fs.ErrNotExist)
	}
	n.watched[folder] = info
	return true
}

// watchedElsewhere finds a folder that is mounted twice. Its events bear the
// first of its names only: under the second it is left to polling.
func (n *notifier) watchedElsewhere(folder string, info fs.FileInfo) bool {
	for other, old := range n.watched {
		if other != folder && os.SameFile(old, info) {
			return true
		}
	}
	return false
}

func (n *notifier) forget(folder string) {
	delete(n.watched, folder)
	_ = n.fs.Remove(folder) // the system may have done so by itself
}

// complain logs the first folder that cannot be watched: the limit of the
// system that it met is the same for all others.
func (n *notifier) complain(folder string, err error) {
	if !n.complained && !errors.Is(err, fs.ErrNotExist) {
		n.complained = true
		n.log.Warn("no notifications of changes, the files are only read at intervals", "folder", folder, "error", err)
	}
}

func (n *notifier) close() {
	if n == nil {
		return
	}
	_ = n.fs.Close()
	n.pump.Wait()
}
