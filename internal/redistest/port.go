package redistest

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

const host = "127.0.0.1"

// Ports are taken below the range from which Linux (32768 and up) and macOS
// (49152 and up) give a port to an outgoing connection. A port from ":0" lies
// inside that range: while a test has its server down, any client that dials
// could be given the port, and the restart would fail.
const (
	firstPort = 20000
	lastPort  = 32767
)

// portBook remembers the ports in use by this process, so that a port stays
// with its server while that server is down.
type portBook struct {
	mu    sync.Mutex
	taken map[int]bool
}

var ports = portBook{taken: map[int]bool{}}

// reserve returns a port on which nobody listens now. Another process can still
// be faster; whoever binds it must be ready to try again.
func (b *portBook) reserve() (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if !b.taken[port] && canListen(port) {
			b.taken[port] = true
			return port, nil
		}
	}
	return 0, errors.New("no free port on " + host)
}

func (b *portBook) release(port int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.taken, port)
}

func canListen(port int) bool {
	l, err := net.Listen("tcp", joinAddr(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func joinAddr(port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}
