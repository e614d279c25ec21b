//go:build unix

package cli

import "syscall"

// replaceProcess runs another program in this process's place, under the same
// process id. It returns only when it cannot.
func replaceProcess(program string, args, environ []string) error {
	return syscall.Exec(program, args, environ)
}
