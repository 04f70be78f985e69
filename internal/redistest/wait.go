package redistest

import (
	"errors"
	"fmt"
	"time"
)

// How long to wait for one server, and for a whole topology to come together.
const (
	serverTimeout   = 15 * time.Second
	topologyTimeout = 30 * time.Second
	pollInterval    = 10 * time.Millisecond
)

// hopeless marks an error that more waiting will not cure.
type hopeless struct{ error }

func (h hopeless) Unwrap() error { return h.error }

// waitFor calls check until it returns nil, returns a hopeless error, or the
// time is up.
func waitFor(timeout time.Duration, check func() error) error {
	deadline := time.Now().Add(timeout)
	for {
		err := check()
		if err == nil {
			return nil
		}
		if h, ok := errors.AsType[hopeless](err); ok {
			return h.error
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %v: %w", timeout, err)
		}
		time.Sleep(pollInterval)
	}
}
