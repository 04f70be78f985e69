package redisconfig

import "time"

// Result is what became of new content of the files.
type Result string

// The four results. Only [ResultApplied] changes what [Watcher.Config] returns.
const (
	// ResultApplied: the new configuration is in force.
	ResultApplied Result = "applied"
	// ResultRefused: the files hold no valid configuration.
	ResultRefused Result = "refused"
	// ResultFailed: the configuration is valid, but apply returned an error.
	ResultFailed Result = "failed"
	// ResultRestored: after one of the two above, the files say again what is in force.
	ResultRestored Result = "restored"
)

// Report tells what a [Watcher] did about new content of the files. It holds
// no secret, unless apply put one into its error.
type Report struct {
	Result Result
	// Changed names the settings that differ from those in force, such as
	// redis.pool_size; redis.tls.ca_file also when the content of that file
	// does. Of applied and failed.
	Changed []string
	// Err says why the new content is not in force: of refused as from
	// [LoadRedisConfig], of failed that of apply.
	Err error
	// Retry is the pause before a failed apply is tried again, 0 for never.
	Retry time.Duration
}

// logReport writes a line for the report; what is not in force is a warning.
func (o *watchOptions) logReport(file string, r Report) {
	switch r.Result {
	case ResultApplied:
		o.log.Info("redis configuration applied", "file", file, "changed", r.Changed)
	case ResultRestored:
		o.log.Info("redis configuration is again the one in force", "file", file)
	case ResultRefused:
		o.log.Warn("redis configuration refused, the old one stays in force", "file", file, "error", r.Err)
	case ResultFailed:
		o.log.Warn("redis configuration not applied, the old one stays in force",
			"file", file, "changed", r.Changed, "error", r.Err, "retry_in", r.Retry)
	}
}
