// Package wsframe is the server's side of RFC 6455's framing, strict: it reads
// what clients send and builds what the server sends. It does no I/O, starts no
// goroutine and keeps no buffer between messages, so that ten thousand idle
// connections cost next to nothing and one read buffer can serve them all.
package wsframe

import "fmt"

// Opcode is the kind of a frame or message.
type Opcode byte

// The opcodes of RFC 6455, section 5.2.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// IsControl reports whether frames of that opcode are control frames.
func (op Opcode) IsControl() bool { return op&0x8 != 0 }

// The close codes of RFC 6455, section 7.4.1, that a server uses or meets.
const (
	CloseNormal      = 1000
	CloseGoingAway   = 1001
	CloseProtocol    = 1002
	CloseUnsupported = 1003
	CloseNoStatus    = 1005 // a close frame without a code; never on the wire
	CloseAbnormal    = 1006 // no close frame at all; never on the wire
	CloseInvalidText = 1007
	CloseTooLarge    = 1009
)

// ValidCloseCode reports whether a peer may send code in a close frame: the
// registered ones of the protocol, and 3000 to 4999.
func ValidCloseCode(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code >= 1000 && code <= 1014:
		return code != 1004 && code != CloseNoStatus && code != CloseAbnormal
	}
	return false
}

// Error is a breach of the protocol: the connection is to be closed with Code,
// and Reason fits into the close frame.
type Error struct {
	Code   int
	Reason string
}

// Error gives code and reason.
func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Reason) }
