package wsframe

import (
	"encoding/binary"
	"fmt"
)

// maxHeader is the longest header a client sends: two bytes, eight of length,
// four of mask.
const maxHeader = 14

// maxControl is the longest payload of a control frame.
const maxControl = 125

// header is a frame's header.
type header struct {
	op  Opcode
	fin bool
	// sized says that len is known.
	sized bool
	len   uint64
	mask  [4]byte
}

// parseHeader reads a client's header from the start of p and gives its
// length: 0 when p holds too little of it. Each rule is checked as soon as its
// byte is there, in the order of the bytes, so that the outcome does not depend
// on how they arrive.
func parseHeader(p []byte) (h header, n int, err *Error) {
	if len(p) == 0 {
		return h, 0, nil
	}
	if p[0]&0x70 != 0 {
		return h, 0, protocolError("a reserved bit is set, but no extension was agreed")
	}
	h.fin, h.op = p[0]&0x80 != 0, Opcode(p[0]&0xF)
	switch h.op {
	case Continuation, Text:
	case Binary:
		return h, 0, &Error{CloseUnsupported, "binary messages are not supported: send text"}
	case Close, Ping, Pong:
		if !h.fin {
			return h, 0, protocolError("a control frame must not be fragmented")
		}
	default:
		return h, 0, protocolError(fmt.Sprintf("opcode %#x is reserved", byte(h.op)))
	}
	if len(p) < 2 {
		return h, 0, nil
	}
	if p[1]&0x80 == 0 {
		return h, 0, protocolError("a client must mask its frames")
	}
	h.len, n = uint64(p[1]&0x7F), 2
	if h.op.IsControl() && h.len > maxControl {
		return h, 0, protocolError("a control frame holds at most 125 bytes")
	}
	switch h.len {
	case 126:
		if len(p) < 4 {
			return h, 0, nil
		}
		if h.len, n = uint64(binary.BigEndian.Uint16(p[2:])), 4; h.len < 126 {
			return h, 0, protocolError("the length is not in its shortest form")
		}
	case 127:
		if len(p) < 10 {
			return h, 0, nil
		}
		h.len, n = binary.BigEndian.Uint64(p[2:]), 10
		switch {
		case h.len>>63 != 0:
			return h, 0, protocolError("the length's highest bit is set")
		case h.len < 1<<16:
			return h, 0, protocolError("the length is not in its shortest form")
		}
	}
	h.sized = true
	if len(p) < n+4 {
		return h, 0, nil
	}
	copy(h.mask[:], p[n:])
	return h, n + 4, nil
}

func protocolError(reason string) *Error { return &Error{CloseProtocol, reason} }

// unmask removes the mask from p, whose first byte is the frame's offset-th.
func unmask(p []byte, mask [4]byte, offset uint64) {
	var m [4]byte
	for i := range m {
		m[i] = mask[(offset+uint64(i))&3]
	}
	m4 := binary.LittleEndian.Uint32(m[:])
	m8 := uint64(m4)<<32 | uint64(m4)
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^m8)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= m[i&3]
	}
}
