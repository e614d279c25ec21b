package trace

import (
	"encoding/binary"
	"time"

	"github.com/belfryhq/belfry"
)

// kind is what a record is about.
type kind uint8

// The kinds of records: steps of events, then what connections do. The order of
// steps is that of an event's life, for those that share a moment.
const (
	kindAccepted kind = iota + 1
	kindQueued
	kindPublished
	kindFailed
	kindRetrying
	kindGaveUp
	kindSkipped
	kindSent
	kindWebhook
	kindRefused // an event, at the door
	kindConnected
	kindSignedIn
	kindSubscribed
	kindDenied // a subscription, a sign-in or, without a socket, a connection
	kindUnsubscribed
	kindDisconnected
)

// record is one thing that happened, with what of it is kept. Texts that are
// empty and numbers that are zero take no room.
type record struct {
	kind kind
	at   int64 // nanoseconds

	id      string
	app     string
	name    string // of the event, or the webhook events' names
	channel string
	socket  string
	user    string // who it was, as the client said; the holder goes before
	who     string // who handed over
	address string
	queue   string
	text    string // error, reason, close reason
	code    string // of a refusal; of a webhook its outcome
	target  string // driver, URL
	except  string

	channels []string
	keys     []string

	size, count, number, status, until, took int64
	counted                                  bool // receipt is known
	receipt                                  belfry.Receipt
}

// Bounds of what one record keeps.
const (
	maxChannels = 10
	maxKeys     = 20
	maxKey      = 64
	maxText     = 400
	maxName     = 200
)

// texts gives the texts in the order of their tags.
func (r *record) texts() [13]*string {
	return [...]*string{&r.id, &r.app, &r.name, &r.channel, &r.socket, &r.user, &r.who, &r.address, &r.queue, &r.text, &r.code, &r.target, &r.except}
}

func (r *record) numbers() [6]*int64 {
	return [...]*int64{&r.size, &r.count, &r.number, &r.status, &r.until, &r.took}
}

// Tags stand before each value.
const (
	tagText     = 1  // and the place of the text
	tagNumber   = 20 // and the place of the number
	tagChannels = 30
	tagKeys     = 31
	tagReceipt  = 32
)

// head is what every record has: its length, its kind and its time.
const head = 2 + 1 + 8

// clip bounds the texts.
func (r *record) clip() {
	for _, s := range r.texts() {
		if len(*s) > maxName {
			*s = clip(*s, maxText)
		}
	}
	r.channels = r.channels[:min(len(r.channels), maxChannels)]
	r.keys = r.keys[:min(len(r.keys), maxKeys)]
}

// most is how many bytes append takes at most.
func (r *record) most() int {
	n := head + 8*11 + 4*11
	for _, s := range r.texts() {
		n += len(*s) + 3
	}
	for _, s := range r.channels {
		n += len(s) + 3
	}
	for _, s := range r.keys {
		n += len(s) + 3
	}
	return n
}

// append appends the record.
func (r *record) append(b []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, byte(r.kind))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.at))
	for i, s := range r.texts() {
		if *s != "" {
			b = appendText(append(b, tagText+byte(i)), *s)
		}
	}
	for i, n := range r.numbers() {
		if *n != 0 {
			b = binary.AppendVarint(append(b, tagNumber+byte(i)), *n)
		}
	}
	b = appendList(b, tagChannels, r.channels)
	b = appendList(b, tagKeys, r.keys)
	if r.counted {
		b = append(b, tagReceipt)
		for _, n := range [...]int{r.receipt.Matched, r.receipt.Written, r.receipt.Waiting, r.receipt.Dropped} {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	binary.LittleEndian.PutUint16(b[start:], uint16(len(b)-start))
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendList(b []byte, tag byte, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(b, tag, byte(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// read reads the first record of what append made and gives the rest.
func (r *record) read(b []byte) (rest []byte) {
	size := int(binary.LittleEndian.Uint16(b))
	b, rest = b[:size], b[size:]
	r.kind, r.at = kind(b[2]), int64(binary.LittleEndian.Uint64(b[3:]))
	b = b[head:]
	texts, numbers := r.texts(), r.numbers()
	for len(b) > 0 {
		tag := b[0]
		b = b[1:]
		switch {
		case tag < tagNumber:
			*texts[tag-tagText], b = readText(b)
		case tag < tagChannels:
			v, n := binary.Varint(b)
			*numbers[tag-tagNumber], b = v, b[n:]
		case tag == tagChannels:
			r.channels, b = readList(b)
		case tag == tagKeys:
			r.keys, b = readList(b)
		default:
			r.counted = true
			for _, to := range [...]*int{&r.receipt.Matched, &r.receipt.Written, &r.receipt.Waiting, &r.receipt.Dropped} {
				v, n := binary.Uvarint(b)
				*to, b = int(v), b[n:]
			}
		}
	}
	return rest
}

// peek gives size, kind and time of the first record.
func peek(b []byte) (size int, k kind, at int64) {
	return int(binary.LittleEndian.Uint16(b)), kind(b[2]), int64(binary.LittleEndian.Uint64(b[3:]))
}

func readText(b []byte) (string, []byte) {
	n, k := binary.Uvarint(b)
	b = b[k:]
	return string(b[:n]), b[n:]
}

func readList(b []byte) (list []string, rest []byte) {
	list = make([]string, b[0])
	rest = b[1:]
	for i := range list {
		list[i], rest = readText(rest)
	}
	return list, rest
}

func (r *record) time() time.Time { return time.Unix(0, r.at).UTC() }
