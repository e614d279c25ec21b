package bench

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/belfryhq/belfry/pusher"
)

// A mark is text of fixed length inside a message's data that needs no
// escaping, so that it stands in the received frame as it was sent:
//
//	~bench~ stream(4) number(8) due(16), in hexadecimal
const (
	markText   = "~bench~"
	markLen    = len(markText) + 28
	eventName  = "bench"
	dataBefore = `{"mark":"`
	dataMiddle = `","pad":"`
	dataAfter  = `"}`
)

// mark is what a message tells about itself.
type mark struct {
	stream int   // which of the channel's publishers
	number int64 // from 1 in that stream
	due    int64 // when it was to be published, in nanoseconds of the run
}

// put writes the mark over dst.
func (m mark) put(dst []byte) {
	copy(dst, markText)
	dst = dst[len(markText):]
	putHex(dst[:4], uint64(m.stream))
	putHex(dst[4:12], uint64(m.number))
	putHex(dst[12:28], uint64(m.due))
}

func putHex(dst []byte, v uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = "0123456789abcdef"[v&0xF]
		v >>= 4
	}
}

// findMark reads the mark of a payload. It looks at the place where the last
// one stood first, and gives the place of this one.
func findMark(payload []byte, place int) (m mark, at int, ok bool) {
	if place+markLen > len(payload) || string(payload[place:place+len(markText)]) != markText {
		if place = bytes.Index(payload, []byte(markText)); place < 0 || place+markLen > len(payload) {
			return m, 0, false
		}
	}
	p := payload[place+len(markText):]
	stream, ok1 := readHex(p[:4])
	number, ok2 := readHex(p[4:12])
	due, ok3 := readHex(p[12:28])
	return mark{int(stream), int64(number), int64(due)}, place, ok1 && ok2 && ok3
}

func readHex(p []byte) (v uint64, ok bool) {
	for _, c := range p {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// message is what is published, with places to be filled in.
type message struct {
	token   []byte // its data as a JSON string token
	markAt  int    // where the mark stands in token
	channel func(i int) string
}

// newMessage makes a message whose JSON text, as a Pusher server sends it to
// subscribers, has size bytes.
func newMessage(size int, channel func(int) string) (message, error) {
	build := func(pad int) message {
		token := pusher.AppendString(nil, dataBefore+markText+strings.Repeat("0", markLen-len(markText))+dataMiddle+strings.Repeat("x", pad)+dataAfter)
		return message{token: token, markAt: bytes.Index(token, []byte(markText)), channel: channel}
	}
	least := len(build(0).onWire(0))
	if size < least {
		return message{}, fmt.Errorf("a message of %d bytes is too small: the smallest has %d", size, least)
	}
	return build(size - least), nil
}

// onWire gives the text that subscribers of channel i get.
func (m message) onWire(i int) []byte {
	return pusher.AppendEvent(nil, eventName, m.channel(i), m.token, "")
}
