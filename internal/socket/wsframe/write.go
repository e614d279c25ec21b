package wsframe

import (
	"encoding/binary"
	"unicode/utf8"
)

// Room is how many spare bytes Seal needs before a payload at most.
const Room = 10

// maxReason is what a close frame has for its reason (WS-36).
const maxReason = maxControl - 2

// AppendHeader appends the header of an unfragmented frame with a payload of n
// bytes, as a server sends it, unmasked and in the shortest form.
func AppendHeader(dst []byte, op Opcode, n int) []byte {
	dst = append(dst, 0x80|byte(op))
	switch {
	case n < 126:
		return append(dst, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
}

// Append appends a whole frame.
func Append(dst []byte, op Opcode, payload []byte) []byte {
	return append(AppendHeader(dst, op, len(payload)), payload...)
}

// Seal makes a text frame of the payload buf[start:] by putting the header
// right before it, and gives the frame, which shares buf's memory. start must
// be Room or more.
func Seal(buf []byte, start int) []byte {
	n := len(buf) - start
	size := 2
	if n >= 1<<16 {
		size = 10
	} else if n >= 126 {
		size = 4
	}
	AppendHeader(buf[start-size:start-size], Text, n)
	return buf[start-size:]
}

// AppendClose appends a close frame. A reason that is too long is cut before
// the character that does not fit (WS-36); CloseNoStatus makes an empty frame.
func AppendClose(dst []byte, code int, reason string) []byte {
	if code == CloseNoStatus {
		return AppendHeader(dst, Close, 0)
	}
	reason = CutReason(reason)
	dst = AppendHeader(dst, Close, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// CutReason gives as much of reason as a close frame holds, whole characters
// only; bytes that are not UTF-8 end it.
func CutReason(reason string) string {
	end := 0
	for end < len(reason) {
		r, size := utf8.DecodeRuneInString(reason[end:])
		if end+size > maxReason || r == utf8.RuneError && size == 1 {
			break
		}
		end += size
	}
	return reason[:end]
}
