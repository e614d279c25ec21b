package bench

import (
	"encoding/binary"
	"fmt"

	"github.com/belfryhq/belfry/internal/socket/wsframe"
)

// frame is one frame of a server.
type frame struct {
	op      wsframe.Opcode
	payload []byte // shares the memory that it was read from
}

// nextFrame takes the first frame off p. ok is false when p holds too little of
// it. What no server may send a client that offered no extension is an error;
// so is a fragmented message, which no Pusher server sends.
func nextFrame(p []byte) (f frame, rest []byte, ok bool, err error) {
	if len(p) < 2 {
		return f, p, false, nil
	}
	if p[0]&0xF0 != 0x80 {
		return f, p, false, fmt.Errorf("a frame begins with %#02x: it is fragmented or uses an extension", p[0])
	}
	if p[1]&0x80 != 0 {
		return f, p, false, fmt.Errorf("a frame is masked, which a server's must not be")
	}
	f.op = wsframe.Opcode(p[0] & 0xF)
	size, head := uint64(p[1]), 2
	switch size {
	case 126:
		if len(p) < 4 {
			return f, p, false, nil
		}
		size, head = uint64(binary.BigEndian.Uint16(p[2:])), 4
	case 127:
		if len(p) < 10 {
			return f, p, false, nil
		}
		size, head = binary.BigEndian.Uint64(p[2:]), 10
	}
	if size > maxFrame {
		return f, p, false, fmt.Errorf("a frame has %d bytes; at most %d are read", size, maxFrame)
	}
	if uint64(len(p)-head) < size {
		return f, p, false, nil
	}
	end := head + int(size)
	f.payload = p[head:end:end]
	return f, p[end:], true, nil
}

// maxFrame is the longest payload that is read.
const maxFrame = 1 << 20

// appendFrame appends a client's frame. Its mask is zero, which leaves the
// payload as it is: a mask protects proxies from what pages make browsers send.
func appendFrame(dst []byte, op wsframe.Opcode, payload []byte) []byte {
	dst = append(dst, 0x80|byte(op))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = append(dst, 0, 0, 0, 0)
	return append(dst, payload...)
}
