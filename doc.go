// Package statelink keeps "user U of service S is on pod P" in Redis, changes
// it atomically with Lua scripts, and answers it fast: never two owners, no
// lost links, pods come and go.
//
// A link joins a uid (a user, room, document or device) and a service to the
// index of a pod. It is persistent, or temporary with a time to live. Pods
// report their state (load, heartbeat, routing), so that a new user goes to
// the least-loaded live pod.
//
// [Open] makes an [Executor] from a [redismanager.RedisConfig]; the interface
// [StatefulExecutor] lists what it does. [ScriptExecutor] runs the same scripts
// on explicit keys. The stored data is a public format, described in the
// README, that programs in other languages may share.
package statelink
