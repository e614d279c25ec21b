package socket

// sysAccept4 has no name in package syscall there.
const sysAccept4 = 364
