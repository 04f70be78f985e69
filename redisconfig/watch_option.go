package redisconfig

import (
	"fmt"
	"log/slog"
	"time"
)

// watchOptions are those that only [Watch] heeds.
type watchOptions struct {
	log    *slog.Logger
	report func(Report)
	poll   time.Duration

	// Constants of the design, here for tests.
	quiet    time.Duration // the files must stay the same for this long
	longest  time.Duration // but files that never rest are judged after this
	minRetry time.Duration // the pause after the first failed apply
	maxRetry time.Duration
	notify   notifyFunc // makes what tells of changes
}

const (
	shortestPoll = 100 * time.Millisecond
	longestPoll  = time.Hour
)

func defaultWatch() watchOptions {
	return watchOptions{
		log: slog.Default(), report: func(Report) {}, poll: 5 * time.Second,
		quiet: 100 * time.Millisecond, longest: time.Second,
		minRetry: time.Second, maxRetry: time.Minute,
		notify: newNotifier,
	}
}

// WithWatchLogger sets where a [Watcher] logs. Default: [slog.Default]. Only
// for [Watch].
func WithWatchLogger(log *slog.Logger) Option { return func(o *options) { o.watch.log = log } }

// WithReport has every [Report] of a [Watcher] handed to report, one at a time,
// on the watcher's goroutine. Only for [Watch].
func WithReport(report func(Report)) Option {
	return func(o *options) {
		if report != nil {
			o.watch.report = report
		}
	}
}

// WithPollInterval sets how often a [Watcher] reads the files without being
// told of a change, 100 ms to 1 h. Default 5 s. It is the delay on file systems
// that do not notify. Only for [Watch].
func WithPollInterval(d time.Duration) Option { return func(o *options) { o.watch.poll = d } }

func (o *watchOptions) validate() error {
	if o.log == nil {
		return &SettingError{Key: "WithWatchLogger", Problem: "got nil, want a *slog.Logger"}
	}
	if o.poll < shortestPoll || o.poll > longestPoll {
		return &SettingError{Key: "WithPollInterval", Problem: fmt.Sprintf("got %v, want 100ms to 1h", o.poll)}
	}
	return nil
}
