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
package redisconfig
