// Package metrics exports to Prometheus what an executor and its manager do.
//
//	unregister, err := metrics.Register(prometheus.DefaultRegisterer, executor)
//
// [Register] adds one collector to the caller's registerer and observes the
// executor and its manager; nothing in the process is changed besides.
// [RegisterManager] does so for a manager that is used without an executor. All
// names begin with statelink_, times are in seconds, sizes in bytes; the whole
// list is in docs/metrics.md. Two executors on one registerer need a label each,
// see [prometheus.WrapRegistererWith].
//
// A scrape reads memory only and never calls Redis: it works, and costs the
// same, while Redis is down. No label holds a user, a key, a namespace or the
// text of an error. Labels whose values come from outside (script names,
// command names, services, node addresses of events) take the first values they
// see; what comes after the limit is counted under "other".
package metrics
