package wsframe

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Message is one whole message or control frame.
type Message struct {
	Op Opcode // Text, Close, Ping or Pong
	// Payload is the text, valid UTF-8, or a ping's or pong's payload. It is
	// valid until the next call of Next, or until the bytes given to Next are
	// reused.
	Payload []byte
	// Code and Reason are a close frame's; CloseNoStatus when it is empty.
	Code   int
	Reason string
}

// Reader takes apart what one client sends. It is one word large, and holds
// memory only in the middle of a frame or of a fragmented message. The zero value
// is ready. It is not for concurrent use.
type Reader struct{ part *partial }

// partial is what a Reader keeps of a message that has not all arrived.
type partial struct {
	max     int
	head    [maxHeader]byte // of the frame whose header has not all arrived
	headLen int
	inFrame bool // h is the current frame
	h       header
	read    uint64 // bytes of the current frame's payload that were read
	control []byte // the current control frame's payload
	text    []byte // the message so far
	inText  bool   // a text message has begun and not ended
	runes   runes
}

// Idle reports whether nothing of a message has arrived that has not ended.
func (r *Reader) Idle() bool { return r.part == nil }

// Next reads the next message from p and gives the bytes behind it. ok is false
// when p ends before the message does; all of p was then taken in. A message
// longer than max bytes is an error; max is the same in each call. The payload is
// unmasked in place, so p is changed. After an error, and after a close frame,
// the Reader must not be used again (RFC 6455, section 5.5.1).
func (r *Reader) Next(p []byte, max int) (m Message, rest []byte, ok bool, err *Error) {
	if r.part == nil {
		// Fast: one whole frame that needs no copy.
		h, n, err := parseHeader(p)
		if err != nil {
			return m, nil, false, err
		}
		if n > 0 && h.fin && h.op != Continuation && uint64(len(p)-n) >= h.len {
			return whole(h, p[n:], max)
		}
		if len(p) == 0 {
			return m, nil, false, nil
		}
		r.part = &partial{max: max}
	}
	for {
		if !r.part.inFrame {
			if p, err = r.header(p); err != nil {
				return m, nil, false, err
			}
			if !r.part.inFrame {
				return m, nil, false, nil
			}
		}
		if p, err = r.payload(p); err != nil {
			return m, nil, false, err
		}
		if r.part.read < r.part.h.len {
			return m, nil, false, nil
		}
		if m, ok, err = r.endFrame(); ok || err != nil {
			return m, p, ok, err
		}
	}
}

// whole gives the message of one unfragmented frame at the start of p.
func whole(h header, p []byte, max int) (m Message, rest []byte, ok bool, err *Error) {
	if !h.op.IsControl() && h.len > uint64(max) {
		return m, nil, false, tooLarge(h.len, max)
	}
	payload, rest := p[:h.len:h.len], p[h.len:]
	unmask(payload, h.mask, 0)
	if h.op == Text && !utf8.Valid(payload) {
		return m, nil, false, errText
	}
	m, err = message(h.op, payload)
	return m, rest, err == nil, err
}

// header takes the current frame's header from p.
func (r *Reader) header(p []byte) ([]byte, *Error) {
	t := r.part
	kept := t.headLen
	t.headLen += copy(t.head[kept:], p)
	h, n, err := parseHeader(t.head[:t.headLen])
	if err != nil {
		return nil, err
	}
	if h.sized {
		if err := r.judge(h); err != nil {
			return nil, err
		}
	}
	if n == 0 {
		return nil, nil
	}
	t.h, t.headLen, t.inFrame, t.read = h, 0, true, 0
	if h.op == Text {
		t.inText = true
	}
	return p[n-kept:], nil
}

// judge refuses a frame that its place or its size forbids.
func (r *Reader) judge(h header) *Error {
	t := r.part
	switch {
	case h.op.IsControl():
		return nil
	case h.op == Continuation && !t.inText:
		return protocolError("a continuation without a message to continue")
	case h.op == Text && t.inText:
		return protocolError("a new message inside a fragmented one")
	case h.len > uint64(t.max) || uint64(len(t.text))+h.len > uint64(t.max):
		return tooLarge(uint64(len(t.text))+h.len, t.max)
	}
	return nil
}

// payload takes what p has of the current frame's payload.
func (r *Reader) payload(p []byte) ([]byte, *Error) {
	t := r.part
	take := p[:min(uint64(len(p)), t.h.len-t.read)]
	unmask(take, t.h.mask, t.read)
	t.read += uint64(len(take))
	if t.h.op.IsControl() {
		t.control = append(t.control, take...)
		return p[len(take):], nil
	}
	if !t.runes.write(take) {
		return nil, errText
	}
	if need := len(t.text) + len(take); need > cap(t.text) {
		// Grow by doubling, as bytes arrive rather than as they are announced,
		// and never past the limit.
		grown := make([]byte, len(t.text), min(max(need, 2*cap(t.text), 512), t.max))
		copy(grown, t.text)
		t.text = grown
	}
	t.text = append(t.text, take...)
	return p[len(take):], nil
}

// endFrame ends the current frame, and gives the message when that is complete.
func (r *Reader) endFrame() (m Message, ok bool, err *Error) {
	t := r.part
	t.inFrame = false
	if t.h.op.IsControl() {
		payload := t.control
		t.control = nil
		if !t.inText {
			r.part = nil
		}
		m, err = message(t.h.op, payload)
		return m, err == nil, err
	}
	if !t.h.fin {
		return m, false, nil
	}
	if !t.runes.complete() {
		return m, false, errText
	}
	r.part = nil
	return Message{Op: Text, Payload: t.text}, true, nil
}

// message makes a Message of a whole one; a close frame's payload is checked.
func message(op Opcode, payload []byte) (Message, *Error) {
	if op != Close {
		return Message{Op: op, Payload: payload}, nil
	}
	switch {
	case len(payload) == 0:
		return Message{Op: Close, Code: CloseNoStatus}, nil
	case len(payload) == 1:
		return Message{}, protocolError("a close frame's payload of one byte")
	}
	m := Message{Op: Close, Code: int(binary.BigEndian.Uint16(payload))}
	if !ValidCloseCode(m.Code) {
		return Message{}, protocolError(fmt.Sprintf("close code %d must not be sent", m.Code))
	}
	if !utf8.Valid(payload[2:]) {
		return Message{}, &Error{CloseInvalidText, "the close reason is not valid UTF-8"}
	}
	m.Reason = string(payload[2:])
	return m, nil
}

var errText = &Error{CloseInvalidText, "a text message is not valid UTF-8"}

func tooLarge(size uint64, max int) *Error {
	return &Error{CloseTooLarge, fmt.Sprintf("the message has %d bytes or more, over the limit of %d", size, max)}
}

// runes checks UTF-8 that arrives in pieces.
type runes struct {
	tail [utf8.UTFMax]byte // a sequence that has not ended
	n    int
}

// write takes the next piece and reports whether all so far can still be valid.
func (u *runes) write(p []byte) bool {
	for u.n > 0 && len(p) > 0 {
		u.tail[u.n] = p[0]
		u.n++
		p = p[1:]
		if !utf8.FullRune(u.tail[:u.n]) {
			continue
		}
		if r, size := utf8.DecodeRune(u.tail[:u.n]); r == utf8.RuneError && size == 1 {
			return false
		}
		u.n = 0
	}
	whole := len(p)
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if utf8.RuneStart(p[len(p)-i]) {
			if !utf8.FullRune(p[len(p)-i:]) {
				whole = len(p) - i
			}
			break
		}
	}
	if whole < len(p) {
		u.n = copy(u.tail[:], p[whole:])
	}
	return utf8.Valid(p[:whole])
}

// complete reports whether no sequence is left unfinished.
func (u *runes) complete() bool { return u.n == 0 }
