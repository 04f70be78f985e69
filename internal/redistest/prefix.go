package redistest

import (
	"crypto/rand"
	"encoding/hex"
	"testing"
)

// NewPrefix returns a short name of its own for a test, of the characters a-z
// and 0-9 only: fit as a namespace or as the start of a key. It makes flushing
// a shared server needless.
func NewPrefix(tb testing.TB) string {
	tb.Helper()
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails
	return "t" + hex.EncodeToString(b)
}
