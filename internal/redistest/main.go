package redistest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"
)

// Main runs the tests of a package that uses this harness, and ends the
// process. It stops the shared servers and then fails the run if a goroutine is
// left over; opts name those that may stay.
//
//	func TestMain(m *testing.M) { redistest.Main(m) }
func Main(m *testing.M, opts ...goleak.Option) {
	logging.Disable() // go-redis logs each refused dial, and tests provoke many
	code := m.Run()
	stopShared()
	if code == 0 {
		if err := findLeak(append(GoleakOptions(), opts...)); err != nil {
			fmt.Fprintln(os.Stderr, "redistest: goroutines left after the tests:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// findLeak gives goroutines some seconds to end: go-redis probes a dead address
// once per second, and a pool that closes does not interrupt that pause.
func findLeak(opts []goleak.Option) error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := goleak.Find(opts...)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// GoleakOptions leave the goroutines of this package out of a leak check: the
// one that starts servers, and those that wait for the end of a server that
// still runs.
func GoleakOptions() []goleak.Option {
	const pkg = "github.com/statelink/statelink/internal/redistest."
	return []goleak.Option{
		goleak.IgnoreAnyFunction(pkg + "spawnLoop"),
		goleak.IgnoreAnyFunction(pkg + "(*process).wait"),
	}
}
