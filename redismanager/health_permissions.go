package redismanager

import (
	"strings"
	"sync"
	"time"
)

// askAgain is after how long the health checker tries a command once more that
// it was not permitted. The server notes each refusal in its ACL log.
const askAgain = 10 * time.Minute

// What the health checker may be refused.
const (
	rightScript  = "evalsha"
	rightKey     = "the key of the marker in evalsha"
	rightInfo    = "info"
	rightExists  = "script|exists"
	rightLoad    = "script|load"
	rightMarker  = "get and set of the marker"
)

// permissions remember what was refused, so that it is not asked in vain at
// every check. The zero value is ready.
type permissions struct {
	mu      sync.Mutex
	refused map[permission]time.Time
	told    map[string]bool
}

type permission struct{ addr, right string }

func (p *permissions) lacks(addr, right string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, found := p.refused[permission{addr, right}]
	return found && time.Since(at) < askAgain
}

// note remembers a refusal, and reports whether it is the first of its kind.
func (p *permissions) note(addr, right string) (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused == nil {
		p.refused, p.told = map[permission]time.Time{}, map[string]bool{}
	}
	p.refused[permission{addr, right}] = time.Now()
	first = !p.told[right]
	p.told[right] = true
	return first
}

// isNotPermitted reports that the server answered, and that the user may not
// run the command, or not on that key.
func isNotPermitted(err error) bool {
	return err != nil && isServerError(err) && strings.HasPrefix(err.Error(), "NOPERM ")
}
