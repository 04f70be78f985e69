package statelink

// DefaultKeyPrefix begins every key, unless [WithKeyPrefix] says otherwise.
const DefaultKeyPrefix = "sf"

// Keys builds the names of all stored keys; no key is put together elsewhere.
// The braces are the Cluster hash tag: all keys of one uid share a slot, and
// the keys of a service share one. The parts must be valid (see
// [StatefulExecutor]): only then are different parts different keys.
type Keys struct{ prefix string }

// NewKeys gives the key builder for a prefix such as [DefaultKeyPrefix].
func NewKeys(prefix string) Keys { return Keys{prefix: prefix} }

// Link is the string key that holds the pod of one link.
func (k Keys) Link(namespace, uid, serviceName string) string {
	return k.User(namespace, uid) + serviceName
}

// User is the hash key that holds the persistent links of a uid.
func (k Keys) User(namespace, uid string) string {
	return k.prefix + ":{" + namespace + ":lk:" + uid + "}"
}

// State is the hash key that holds the states of a service's pods.
func (k Keys) State(namespace, serviceName string) string {
	return k.prefix + ":{" + namespace + ":state:" + serviceName + "}"
}

// Workload is the string key that holds the workload state of a service.
func (k Keys) Workload(namespace, serviceName string) string {
	return k.prefix + ":{" + namespace + ":workload:" + serviceName + "}"
}

// Scripts is the key of the namespace's script registry. Its other keys begin
// with it and share its slot: see [redismanager.ScriptFleet].
func (k Keys) Scripts(namespace string) string {
	return k.prefix + ":{" + namespace + ":scripts}"
}
