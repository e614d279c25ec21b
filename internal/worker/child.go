package worker

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxLine is where a line of a worker's log is cut.
const maxLine = 64 << 10

// child is one running worker process.
type child struct {
	number  int
	cmd     *exec.Cmd
	leash   io.Closer // its standard input
	started time.Time
	killed  bool
}

// ended is a worker process that is gone.
type ended struct {
	*child
	err error // of Wait
}

// launch starts the process of a place. What it prints goes to out by whole
// lines; gone gets it when it ends.
func (s *Supervisor) launch(number int, args []string, out io.Writer, gone chan<- ended) (*child, error) {
	cmd := exec.Command(s.Program, args...)
	cmd.Env = slices.DeleteFunc(slices.Clone(s.Environ), func(pair string) bool {
		return strings.HasPrefix(pair, slotVariable+"=") || strings.HasPrefix(pair, dirVariable+"=")
	})
	cmd.Env = append(cmd.Env, slotVariable+"="+strconv.Itoa(number), dirVariable+"="+s.Dir)
	stdout, stderr := &lines{to: out}, &lines{to: out}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = hidden()
	// Should a process of the worker's own outlive it with the pipes.
	cmd.WaitDelay = 2 * time.Second
	leash, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		leash.Close()
		return nil, err
	}
	c := &child{number: number, cmd: cmd, leash: leash, started: time.Now()}
	s.children.Go(func() {
		err := cmd.Wait()
		stdout.flush()
		stderr.flush()
		gone <- ended{c, err}
	})
	return c, nil
}

// exit describes how the process ended. says is what its pid file holds.
func (e ended) exit(says string) Exit {
	x := Exit{At: time.Now(), PID: e.cmd.Process.Pid, Code: e.cmd.ProcessState.ExitCode(), Killed: e.killed}
	switch {
	case e.killed:
		x.Reason = "killed: it did not finish within the grace period"
	case says != "" && says != saysReady:
		x.Reason = says
	case x.Code == 0:
		x.Reason = "done"
	case x.Code == -1:
		x.Reason = "ended by a " + e.cmd.ProcessState.String()
	default:
		x.Reason = fmt.Sprintf("failed, with exit code %d", x.Code)
	}
	return x
}

// lines hands on what is written by whole lines, so that several processes can
// share one log.
type lines struct {
	to      io.Writer
	partial []byte
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		l.partial = append(l.partial, p[:i+1]...)
		l.to.Write(l.partial) // a log that cannot be written must not stop the worker
		l.partial, p = l.partial[:0], p[i+1:]
	}
	l.partial = append(l.partial, p...)
	if len(l.partial) >= maxLine {
		l.flush()
	}
	return n, nil
}

func (l *lines) flush() {
	if len(l.partial) > 0 {
		l.to.Write(append(l.partial, '\n'))
		l.partial = nil
	}
}
