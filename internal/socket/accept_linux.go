package socket

import (
	"net/netip"
	"syscall"
	"unsafe"
)

// sysAccept takes a connection off a listener that does not block, without a
// notice to the scheduler. peer is its address, the zero one when it has none.
func sysAccept(fd int32) (conn int32, peer netip.AddrPort, err syscall.Errno) {
	var from syscall.RawSockaddrAny
	size := uint32(unsafe.Sizeof(from))
	n, _, err := syscall.RawSyscall6(sysAccept4, uintptr(fd), uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
	if err != 0 {
		return -1, peer, err
	}
	return int32(n), addressOf(&from), 0
}

// addressOf gives a peer's address.
func addressOf(from *syscall.RawSockaddrAny) netip.AddrPort {
	var address netip.Addr
	var port *uint16
	switch from.Addr.Family {
	case syscall.AF_INET:
		in := (*syscall.RawSockaddrInet4)(unsafe.Pointer(from))
		address, port = netip.AddrFrom4(in.Addr), &in.Port
	case syscall.AF_INET6:
		in := (*syscall.RawSockaddrInet6)(unsafe.Pointer(from))
		address, port = netip.AddrFrom16(in.Addr).Unmap(), &in.Port
	default:
		return netip.AddrPort{}
	}
	b := (*[2]byte)(unsafe.Pointer(port)) // in the network's order
	return netip.AddrPortFrom(address, uint16(b[0])<<8|uint16(b[1]))
}

// sysClose closes a descriptor of which nothing lingers, which does not block
// either.
func sysClose(fd int32) { syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }
