// Package redisconfig makes a [redismanager.RedisConfig] from a file, the
// environment, a URL and explicit overrides.
//
// # Sources
//
// From the weakest to the strongest:
//
//  1. the defaults ([Default] prints them);
//  2. a YAML, TOML or JSON file, below its key redis ([WithFile], or the
//     variable STATELINK_CONFIG);
//  3. environment variables, STATELINK_REDIS_ and the key in capitals with _
//     for the dot: STATELINK_REDIS_POOL_SIZE, STATELINK_REDIS_TLS_CA_FILE;
//  4. overrides, for example from command line flags ([WithOverrides], [WithURL]).
//
// [Keys] lists every key with its variable, type, default and meaning. An
// empty text or list is the same as leaving the key out. An explicit 0 is not:
// it is either meant (db: 0; max_retries: 0 never tries again) or refused.
//
// A stronger source that gives an address (addr, addrs or url) replaces the
// address of the weaker ones as a whole; so do password and password_file for
// each other, and the two of the sentinels. A url brings the mode, the
// addresses, master_name and tls.enabled together; the other keys of weaker
// sources stay unless the URL has them. See [ParseURL] for its form.
//
// # Strictness
//
// Nothing is guessed and nothing is dropped in silence: an unknown key or
// STATELINK_REDIS_ variable, a value of the wrong type, a duration without its
// unit and a conflict are refused, all in one error, one line each, every line
// a [*SettingError] that names the key and its source. No error holds a
// password, a text of a URL or a word of a file that cannot be parsed.
//
// Variables that Kubernetes sets by itself for a Service named statelink-redis
// (STATELINK_REDIS_SERVICE_HOST, STATELINK_REDIS_PORT=tcp://... and their kind)
// are no settings and left alone.
//
// # Following the file
//
// [Watch] follows the file, and those that password_file,
// sentinel_password_file and the keys of tls name, so that a rotated password
// or certificate needs no restart. What differs from the configuration in force
// is handed to the manager once two readings, 100 ms apart, agree on it, or
// after 1 s of unrest; what is invalid, or cannot be applied, changes nothing
// and is reported. It counts what the files say, not how they came to say it:
// written in place, renamed over, removed and created, a ConfigMap's links. The
// system's notifications only tell when to look, and the files are read every
// 5 s as well, for file systems that do not notify. A file that Kubernetes
// mounts by subPath never changes: mount the folder.
//
// The files are one configuration: while one of them is bad, nothing of the
// others is applied, a rotated password neither. [Watcher.Err] tells of it and
// belongs into a health check.
package redisconfig
