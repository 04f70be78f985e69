// Package redistest starts real Redis processes for tests: one server, a
// Sentinel set (one master, one replica, three sentinels) or a Cluster of three
// masters and three replicas, all on free loopback ports, with a TCP proxy that
// injects network faults.
//
// A package that needs a topology in many tests starts it once:
//
//	func TestMain(m *testing.M) { redistest.Main(m) }
//
//	func TestLink(t *testing.T) {
//		srv := redistest.SharedStandalone(t)
//		key := redistest.NewPrefix(t) + "link"
//		...
//	}
//
// A test that kills, pauses or reconfigures servers starts its own with
// StartServer, StartSentinel or StartCluster; they are gone when it ends.
//
// A process never outlives its test binary: it is killed at cleanup, and by the
// kernel (Linux) when the binary itself is killed. Nothing is skipped: without
// redis-server in the PATH the tests fail and say what to install.
package redistest
