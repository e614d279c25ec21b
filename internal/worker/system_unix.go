//go:build unix

package worker

import (
	"os/signal"
	"syscall"
)

// detached keeps a supervisor from ending with the terminal of its starter.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// hidden keeps a Ctrl-C meant for a supervisor from reaching its workers, which
// it stops itself.
func hidden() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// surviveSupervisor lets the process live on, to finish its job, when there is
// nobody left to read its log.
func surviveSupervisor() { signal.Ignore(syscall.SIGPIPE) }
