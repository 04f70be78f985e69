package redistest

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is one client connection through a Proxy, with its server connection.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	pending        atomic.Int32 // the Fault that awaits the next reply, or 0
	done           chan struct{}
	closing        sync.Once
}

func (l *link) close() {
	l.closing.Do(func() {
		close(l.done)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}

// end closes the link when one of its directions is over.
func (l *link) end() {
	l.close()
	l.proxy.forget(l)
}

// requests moves bytes from the client to the server.
func (l *link) requests() {
	defer l.end()
	buf := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buf)
		if err != nil || !l.admit(true) {
			return
		}
		if fault := l.proxy.claim(buf[:n]); fault != 0 {
			l.pending.Store(int32(fault))
		}
		if _, err := l.server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// replies moves bytes from the server to the client, or drops them.
func (l *link) replies() {
	defer l.end()
	buf := make([]byte, 64<<10)
	silent := false
	for {
		n, err := l.server.Read(buf)
		if err != nil || !l.admit(false) {
			return
		}
		switch Fault(l.pending.Swap(0)) {
		case FaultClose:
			l.proxy.countDropped()
			return
		case FaultSilence:
			l.proxy.countDropped()
			silent = true
		}
		if silent {
			continue
		}
		if _, err := l.client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// admit waits while the proxy hangs or, for a request, delays. It says whether
// the link is still open.
func (l *link) admit(request bool) bool {
	gate, delay := l.proxy.state()
	select {
	case <-gate:
	case <-l.done:
		return false
	}
	if !request || delay == 0 {
		return true
	}
	select {
	case <-time.After(delay):
		return true
	case <-l.done:
		return false
	}
}
