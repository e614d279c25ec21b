package worker

import "syscall"

// createNoWindow gives a console program a console that is not shown.
const createNoWindow = 0x08000000

// detached keeps a supervisor from ending with the console of its starter.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{HideWindow: true, CreationFlags: createNoWindow | syscall.CREATE_NEW_PROCESS_GROUP}
}

// hidden keeps a Ctrl-C meant for a supervisor from reaching its workers, which
// it stops itself.
func hidden() *syscall.SysProcAttr { return detached() }

// surviveSupervisor is for systems with a signal for broken pipes.
func surviveSupervisor() {}
