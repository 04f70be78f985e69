package redistest

import (
	"os/exec"
	"runtime"
	"sync"
)

// spawnRequest asks spawnLoop to start a command.
type spawnRequest struct {
	cmd  *exec.Cmd
	done chan error
}

var (
	spawnOnce     sync.Once
	spawnRequests = make(chan spawnRequest)
)

// spawn starts cmd so that the kernel kills it when this process dies.
func spawn(cmd *exec.Cmd) error {
	Prepare()
	dieWithParent(cmd)
	req := spawnRequest{cmd: cmd, done: make(chan error, 1)}
	spawnRequests <- req
	return <-req.done
}

// spawnLoop forks every server from one thread that lives as long as the
// process. The kernel ties "kill the child when its parent dies" to the thread
// that forked, and the Go runtime may end any thread it does not need: started
// from a plain goroutine, a server could die in the middle of a test.
func spawnLoop() {
	runtime.LockOSThread()
	for req := range spawnRequests {
		req.done <- req.cmd.Start()
	}
}

// Prepare starts what this package keeps until the end of the process, so that
// a test that counts goroutines can do so from the start.
func Prepare() { spawnOnce.Do(func() { go spawnLoop() }) }
