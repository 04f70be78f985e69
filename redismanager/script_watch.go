package redismanager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	watchQuiet     = 100 * time.Millisecond // without a new event before the files are read
	watchTimeout   = 15 * time.Second       // for all that one reading leads to
	watchRetryMin  = time.Second            // after a failure that may pass
	watchRetryMax  = 30 * time.Second
	scriptFileName = ".lua" // what the name of a script's file ends with
)

// ScriptWatcher keeps registered scripts like the files of a directory.
type ScriptWatcher struct {
	m      *Manager
	dir    string
	notify *fsnotify.Watcher
	cancel context.CancelFunc
	hints  chan struct{} // holds one value after a change
	done   chan struct{}
	stop   func() error

	files map[string]*watchedFile // by name of the script
	told  map[string]bool         // what else was reported: names of files, and "" for the directory
}

// watchedFile is a script's file as it was last read.
type watchedFile struct {
	source string
	err    error
	before *scriptEntry // current before the directory changed it, nil if it did not
	placed *scriptEntry // what the directory made current
}

// WatchScripts takes the scripts in dir, and every change of them from then on,
// as by [Manager.UpdateScript]. A script's file is its name with ".lua"; other
// files are reported once and left alone. It reads what is there before it
// returns, and then 100 ms after the last change; a file that is written in
// place, one that is renamed over it, and the swap of a mounted ConfigMap are the
// same to it.
//
// A refused file is reported by an [EventScriptRefused] and tried again when it
// changes, or when a server comes back. A file that is removed gives way to the
// version that was current before the directory changed it, unless the script
// was changed by other means meanwhile. A directory that cannot be read changes
// nothing. A file cannot declare a script Idempotent: a new body is sent once,
// unless it has the flag no-writes.
//
// Errors are [ErrScriptUpdatesOff], [ErrInvalidArgument] for what is no
// directory, and [ErrClosed]. The watcher ends with Stop or with the manager.
func (m *Manager) WatchScripts(dir string) (*ScriptWatcher, error) {
	if err := m.mayUpdateScripts(); err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, &FieldError{Field: "script directory", Got: quoteShort(dir), Want: "a directory"}
	}
	if m.isClosed.Load() {
		return nil, ErrClosed
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch the script directory: %w", err)
	}
	if err := notify.Add(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("watch the script directory: %w", err), notify.Close())
	}
	w := &ScriptWatcher{
		m: m, dir: dir, notify: notify, hints: make(chan struct{}, 1), done: make(chan struct{}),
		files: map[string]*watchedFile{}, told: map[string]bool{},
	}
	life, cancel := context.WithCancel(m.life)
	w.cancel = cancel
	w.stop = sync.OnceValue(w.end)
	go w.forward()
	again := w.read(life)
	if err := m.spawn(func() { w.watch(life, again) }); err != nil {
		close(w.done)
		return nil, errors.Join(err, w.Stop())
	}
	return w, nil
}

// Stop ends the watching and waits for its end. The versions that are current
// stay. It may be called more than once.
func (w *ScriptWatcher) Stop() error { return w.stop() }

func (w *ScriptWatcher) end() error {
	w.cancel()
	<-w.done
	return w.notify.Close()
}

// watch reads the directory when it has been quiet for a moment after a change,
// and again after a failure that may pass.
func (w *ScriptWatcher) watch(life context.Context, again bool) {
	defer close(w.done)
	defer func() { _ = w.notify.Close() }()
	timer := time.NewTimer(watchRetryMin)
	defer timer.Stop()
	if !again {
		timer.Stop()
	}
	retry := watchRetryMin
	for {
		select {
		case <-life.Done():
			return
		case <-w.hints:
			timer.Reset(watchQuiet)
		case <-timer.C:
			if !w.read(life) {
				retry = watchRetryMin
				continue
			}
			timer.Reset(retry)
			retry = min(2*retry, watchRetryMax)
		}
	}
}

// forward empties both channels of fsnotify until that is closed: it sends some
// errors with its lock held, and whoever adds a directory or closes it then would
// wait for ever.
func (w *ScriptWatcher) forward() {
	events, errs := w.notify.Events, w.notify.Errors
	for events != nil || errs != nil {
		select {
		case _, ok := <-events:
			if !ok {
				events = nil
				continue
			}
		case err, ok := <-errs: // such as an overflow: events are missing
			if !ok {
				errs = nil
				continue
			}
			w.m.log.Warn("watching the script directory", "dir", w.dir, "error", err)
		}
		select {
		case w.hints <- struct{}{}:
		default:
		}
	}
}

// read makes the scripts what the files say, and reports whether to do it again
// without waiting for a change.
func (w *ScriptWatcher) read(ctx context.Context) (again bool) {
	if w.m.mayUpdateScripts() != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	found, unread, err := w.list()
	if err == nil {
		err = w.notify.Add(w.dir) // again: it may be another directory of that name
	}
	if err != nil {
		w.tell("", "the script directory cannot be read; the current versions stay", err)
		return true
	}
	delete(w.told, "")
	again = len(unread) > 0
	for name, source := range found {
		again = w.take(ctx, name, source) || again
	}
	for name, file := range w.files {
		if _, there := found[name]; !there && !unread[name] {
			again = w.giveBack(ctx, name, file) || again
		}
	}
	return again
}

// list reads the files of registered scripts: name to source, and the names of
// those that are there and cannot be read.
func (w *ScriptWatcher) list() (found map[string]string, unread map[string]bool, err error) {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return nil, nil, err
	}
	found, unread = map[string]string{}, map[string]bool{}
	for _, entry := range entries {
		file := entry.Name()
		name, isScript := strings.CutSuffix(file, scriptFileName)
		switch {
		case strings.HasPrefix(file, "."): // the parts of a ConfigMap, and what an editor keeps
			continue
		case !isScript || w.m.scripts.history(name) == nil:
			w.tell(file, "a file in the script directory is not that of a registered script", nil)
			continue
		}
		source, err := readSource(filepath.Join(w.dir, file))
		switch {
		case err == nil:
			found[name] = source
		case !errors.Is(err, fs.ErrNotExist): // else gone since, or a link that leads nowhere
			unread[name] = true
			w.tell(file, "a script's file cannot be read; the current version stays", err)
		}
	}
	return found, unread, nil
}

// readSource reads one byte more than a script may have: too long is refused
// later, not cut.
func readSource(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	source, err := io.ReadAll(io.LimitReader(file, maxSource+1))
	return string(source), err
}

// tell logs something once.
func (w *ScriptWatcher) tell(about, text string, err error) {
	if w.told[about] {
		return
	}
	w.told[about] = true
	w.m.log.Warn(text, "dir", w.dir, "file", about, "error", err)
}

// take makes a file the current version, if it is another one than last time.
func (w *ScriptWatcher) take(ctx context.Context, name, source string) (again bool) {
	file := w.files[name]
	if file == nil {
		file = &watchedFile{}
		w.files[name] = file
	} else if file.source == source && !mayPass(file.err) {
		return false
	}
	known := file.source == source && file.err != nil // and told
	file.source, file.err = source, w.place(ctx, name, source, file)
	if file.err != nil && !known {
		w.m.tellFileRefused(name, w.path(name), file.err)
	}
	return mayPass(file.err)
}

func (w *ScriptWatcher) path(name string) string {
	return filepath.Join(w.dir, name+scriptFileName)
}

func (w *ScriptWatcher) place(ctx context.Context, name, source string, file *watchedFile) error {
	if err := (Script{Name: name, Source: source}).validate(); err != nil {
		return err
	}
	var old, next *scriptEntry
	_, err := w.m.switchScript(ctx, scriptSwitch{
		name: name, kind: EventScriptUpdated, reason: "file " + w.path(name),
		pick: func(h *scriptHistory) (*scriptEntry, error) {
			old, next = h.current, h.current
			if old.Source != source {
				next = h.updated(Script{Name: name, Source: source})
			}
			return next, nil
		},
	})
	if err != nil || old == next {
		return err
	}
	if file.before == nil || file.placed != old {
		file.before = old
	}
	file.placed = next
	return nil
}

// giveBack undoes what the directory did to a script whose file is gone.
func (w *ScriptWatcher) giveBack(ctx context.Context, name string, file *watchedFile) (again bool) {
	if file.placed == nil {
		delete(w.files, name)
		return false
	}
	_, err := w.m.switchScript(ctx, scriptSwitch{
		name: name, kind: EventScriptRolledBack, reason: "file " + w.path(name) + " was removed",
		pick: func(h *scriptHistory) (*scriptEntry, error) {
			if h.current != file.placed {
				return h.current, nil // changed by other means since
			}
			if h.version(file.before.version) == nil {
				return h.updated(file.before.Script), nil // too many versions ago
			}
			return file.before, nil
		},
	})
	if mayPass(err) {
		return true
	}
	if err != nil {
		w.m.tellFileRefused(name, w.path(name), err)
	}
	delete(w.files, name)
	return false
}

// mayPass reports a failure that is not the file's.
func mayPass(err error) bool { return Retryable(err) }

// tellFileRefused reports a file that was not taken, whatever the reason, but
// the end of the watching.
func (m *Manager) tellFileRefused(name, path string, err error) {
	if m.isClosed.Load() || errors.Is(err, context.Canceled) {
		return
	}
	if history := m.scripts.history(name); history != nil {
		m.emit(Event{Kind: EventScriptRefused, Script: name, From: history.current.label(), Reason: "file " + path, Err: err})
	}
}
