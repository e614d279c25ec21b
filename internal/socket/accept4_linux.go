//go:build !386

package socket

import "syscall"

const sysAccept4 = syscall.SYS_ACCEPT4
