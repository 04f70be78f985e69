package redistest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// stopTimeout bounds a graceful stop. A master waits up to 10 s for replicas
// that lag before it ends.
const stopTimeout = 15 * time.Second

// process is one run of redis-server. A restarted server has a new one.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended and was reaped
}

// launch runs redis-server on the configuration file in dir.
func launch(dir string, args ...string) (*process, error) {
	out, err := os.OpenFile(filepath.Join(dir, outName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()

	cmd := exec.Command("redis-server", append([]string{filepath.Join(dir, confName)}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	if err := spawn(cmd); err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go p.wait()
	return p, nil
}

// wait reaps the process. It has a name so that leak checks can leave it out.
func (p *process) wait() {
	_ = p.cmd.Wait() // the exit code says nothing: most servers are killed
	close(p.exited)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// signal is harmless on a process that has ended: os.Process knows that it was
// reaped and does not hit whoever got its number.
func (p *process) signal(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig)
}

func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// stop ends the process in good order, and by force if it does not listen.
func (p *process) stop() {
	p.signal(syscall.SIGCONT) // a stopped process would not see SIGTERM
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.kill()
	}
}

// pause returns only when the kernel holds the process, so that nothing sent
// afterwards is executed.
func (p *process) pause() {
	p.signal(syscall.SIGSTOP)
	for p.alive() && !isStopped(p.pid()) {
		time.Sleep(time.Millisecond)
	}
}

func (p *process) resume() { p.signal(syscall.SIGCONT) }
