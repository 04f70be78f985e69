// Package redismanager runs Lua scripts and single commands on Redis and says
// the truth about their outcome. It manages connections, the script cache,
// health and live configuration for a standalone server, Redis Sentinel and
// Redis Cluster. It knows nothing about links: it is useful alone to any
// program that runs Lua on Redis.
//
// What it adds to go-redis:
//
//   - A command is sent once. When its reply is lost, the caller is told
//     [ErrOutcomeUnknown] instead of a second, hidden execution. Only commands
//     that read, and scripts declared idempotent, are sent again.
//   - Scripts run as EVALSHA on every topology. A node that lost the script
//     (failover, SCRIPT FLUSH, a new node) is repaired within the call.
//   - A context's deadline holds everywhere, also while a call waits for a
//     connection or for its reply. A cancellation ends the wait for a connection
//     and the pauses between tries at once; a call that waits for its reply
//     ends with the reply, the deadline or ReadTimeout.
//   - The configuration can change while calls run; leased clients and calls
//     in flight end on the client they began with.
//   - A script can get a new body while calls run, from the program, a directory
//     or a registry that a fleet of processes follows, and go back again
//     ([Manager.UpdateScript]).
//   - Errors have a class ([Classify]) and say what was going on.
//
// All exported types are safe for concurrent use unless they say otherwise.
package redismanager
