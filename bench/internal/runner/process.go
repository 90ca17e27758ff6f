// Package runner carries out a run: it starts the deployments, and for every cell the
// processes that are measured.
package runner

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest/local"
)

// process is a child that is talked to by lines. It must be started by a thread that lives
// as long as this process does, and ends with it.
type process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *os.File
	out     *bufio.Reader // what it writes to its descriptor 3
	said    *tail         // what it prints
	done    chan struct{} // closed when the child has ended
	unbind  func() bool   // has it no longer end with its context
}

// start starts a child, which is killed when ctx ends.
func start(ctx context.Context, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), said: &tail{}, done: make(chan struct{})}
	p.cmd.SysProcAttr = local.ChildAttributes()
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	answers, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.answers, p.out = answers, bufio.NewReader(answers)
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, answers.Close())
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	p.unbind = context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })
	return p, nil
}

// send writes a line of JSON.
func (p *process) send(message any) error {
	b, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = p.in.Write(append(b, '\n'))
	return p.explain(err)
}

// receive reads a line of JSON.
func (p *process) receive(message any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return p.explain(err)
	}
	return json.Unmarshal(line, message)
}

// explain adds to an error what the child said of it.
func (p *process) explain(err error) error {
	if err == nil {
		return nil
	}
	// What it says at its end may still be on its way.
	_ = p.in.Close()
	p.wait()
	return fmt.Errorf("%w: %s", err, p.said)
}

// endTimeout is how long a child may take to end by itself.
const endTimeout = 2 * time.Second

// end has the child end, and waits for it.
func (p *process) end() {
	_ = p.in.Close()
	if !p.wait() {
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	_ = p.answers.Close()
	p.unbind()
}

// wait waits a while for the child's end, and says whether it came.
func (p *process) wait() bool {
	select {
	case <-p.done:
		return true
	case <-time.After(endTimeout):
		return false
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 1000

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if extra := len(t.text) - tailBytes; extra > 0 {
		t.text = t.text[extra:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
