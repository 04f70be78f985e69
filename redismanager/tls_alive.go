//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package redismanager

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
)

// watchedTLS lets go-redis see before it uses an idle connection that the server
// has closed it. It looks at sockets only, and a TLS connection is none: a
// restarted server would cost each idle connection one failed call.
type watchedTLS struct {
	*tls.Conn
	read atomic.Bool // something was read
}

func watchTLS(c net.Conn) net.Conn {
	if encrypted, ok := c.(*tls.Conn); ok {
		return &watchedTLS{Conn: encrypted}
	}
	return c
}

// Read notes that the records which a server sends unasked after the handshake
// (session tickets) have been read: they come before its first reply.
func (c *watchedTLS) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.read.Store(true)
	}
	return n, err
}

// SyscallConn makes go-redis look.
func (c *watchedTLS) SyscallConn() (syscall.RawConn, error) {
	socket, ok := c.NetConn().(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &idleSocket{RawConn: raw, fresh: !c.read.Load()}, nil
}

// idleSocket is the socket of an idle connection, as go-redis' check sees it.
type idleSocket struct {
	syscall.RawConn
	fresh bool
}

var errClosing = errors.New("the server sent something unasked, most likely that it closes")

// Read takes the place of go-redis' own look at the socket: that would take
// waiting bytes for a reply, and read the TLS stream for it without end. On an
// idle connection they can only be the alert with which the server closes it.
func (s *idleSocket) Read(func(fd uintptr) bool) error {
	if s.fresh {
		return nil
	}
	var found error
	err := s.RawConn.Read(func(fd uintptr) bool {
		found = peek(int(fd))
		return true
	})
	return errors.Join(err, found)
}

func peek(fd int) error {
	var buf [1]byte
	n, _, err := syscall.Recvfrom(fd, buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	default:
		return errClosing
	}
}
