package local

import (
	"os/exec"
	"runtime"
)

// process is one running child and the goroutine that owns it. The goroutine ends when the
// child does.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // what Wait returned; set before done is closed
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = ChildAttributes()
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		<-p.done
		return nil, err
	}
	return p, nil
}

// run starts the child and waits for it on one locked thread: the kernel sends the parent
// death signal when the *thread* that started the child ends, so that thread has to live as
// long as the child.
func (p *process) run(started chan<- error) {
	defer close(p.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.err = p.cmd.Wait()
	}
}

// running says whether the child has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}
