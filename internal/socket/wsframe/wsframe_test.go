package wsframe_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/socket/wsframe"
)

// frame builds a client's frame: first is the first byte, the payload is
// masked, the length in its shortest form.
func frame(first byte, payload string) []byte {
	mask := [4]byte{0x1b, 0xd0, 0x7e, 0x93}
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return b
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// outcome writes down what a reader made of a stream.
type outcome struct {
	messages []string
	err      string
}

func (o outcome) String() string { return strings.Join(append(o.messages, o.err), " | ") }

// read feeds the pieces to a new reader until it ends.
func read(max int, pieces ...[]byte) outcome {
	var o outcome
	var r wsframe.Reader
	for _, piece := range pieces {
		p := bytes.Clone(piece)
		for len(p) > 0 {
			m, rest, ok, err := r.Next(p, max)
			if err != nil {
				o.err = err.Error()
				return o
			}
			if !ok {
				break
			}
			p = rest
			text := fmt.Sprintf("%x:%s", byte(m.Op), m.Payload)
			if m.Op == wsframe.Close {
				o.messages = append(o.messages, fmt.Sprintf("8:%d:%s", m.Code, m.Reason))
				return o
			}
			o.messages = append(o.messages, text)
		}
	}
	return o
}

// cut cuts b into pieces of n bytes.
func cut(b []byte, n int) (pieces [][]byte) {
	for len(b) > n {
		pieces, b = append(pieces, b[:n]), b[n:]
	}
	return append(pieces, b)
}

func TestReader(t *testing.T) {
	long := strings.Repeat("é", 150)     // 300 bytes: a length of 16 bits
	huge := strings.Repeat("abcd", 20e3) // 80,000 bytes: a length of 64 bits
	tests := []struct {
		name string
		in   []byte
		max  int
		want string
	}{
		{"text", frame(0x81, "hello"), 0, "1:hello | "},
		{"empty text", frame(0x81, ""), 0, "1: | "},
		{"several", join(frame(0x81, "a"), frame(0x81, "b"), frame(0x89, "p")), 0, "1:a | 1:b | 9:p | "},
		{"16 bit length", frame(0x81, long), 0, "1:" + long + " | "},
		{"64 bit length", frame(0x81, huge), 0, "1:" + huge + " | "},
		{"at the limit", frame(0x81, "12345678"), 8, "1:12345678 | "},
		{"fragments", join(frame(0x01, "a"), frame(0x00, "b"), frame(0x00, ""), frame(0x80, "c")), 0, "1:abc | "},
		{"empty fragments", join(frame(0x01, ""), frame(0x80, "")), 0, "1: | "},
		{"control inside fragments", join(frame(0x01, "a"), frame(0x89, "ping"), frame(0x8A, "pong"), frame(0x80, "b")), 0,
			"9:ping | a:pong | 1:ab | "},
		{"rune across fragments", join(frame(0x01, "\xe2\x82"), frame(0x89, ""), frame(0x80, "\xac")), 0, "9: | 1:€ | "},
		{"rune across three fragments", join(frame(0x01, "\xf0"), frame(0x00, "\x9f\x9a"), frame(0x80, "\x80")), 0, "1:🚀 | "},
		{"close", frame(0x88, "\x03\xe8bye"), 0, "8:1000:bye | "},
		{"close without a code", frame(0x88, ""), 0, "8:1005: | "},
		{"close inside fragments", join(frame(0x01, "a"), frame(0x88, "\x0f\xa0")), 0, "8:4000: | "},
		{"nothing after a close counts", join(frame(0x88, "\x03\xe9"), []byte{0xff, 0xff}), 0, "8:1001: | "},
		{"ping of 125 bytes", frame(0x89, strings.Repeat("x", 125)), 0, "9:" + strings.Repeat("x", 125) + " | "},

		{"reserved bit 1", frame(0xC1, "a"), 0, "1002: a reserved bit is set, but no extension was agreed"},
		{"reserved bit 2", frame(0xA1, "a"), 0, "1002: a reserved bit is set, but no extension was agreed"},
		{"reserved bit 3", frame(0x91, "a"), 0, "1002: a reserved bit is set, but no extension was agreed"},
		{"reserved opcode", frame(0x83, "a"), 0, "1002: opcode 0x3 is reserved"},
		{"reserved control opcode", frame(0x8B, "a"), 0, "1002: opcode 0xb is reserved"},
		{"unmasked", []byte{0x81, 1, 'a'}, 0, "1002: a client must mask its frames"},
		{"binary", frame(0x82, "a"), 0, "1003: binary messages are not supported: send text"},
		{"fragmented ping", frame(0x09, "a"), 0, "1002: a control frame must not be fragmented"},
		{"long ping", frame(0x89, strings.Repeat("x", 126)), 0, "1002: a control frame holds at most 125 bytes"},
		{"continuation of nothing", frame(0x80, "a"), 0, "1002: a continuation without a message to continue"},
		{"continuation after the end", join(frame(0x81, "a"), frame(0x80, "a")), 0,
			"1:a | 1002: a continuation without a message to continue"},
		{"text inside fragments", join(frame(0x01, "a"), frame(0x81, "b")), 0, "1002: a new message inside a fragmented one"},
		{"16 bits for a short length", []byte{0x81, 0xFE, 0, 125}, 0, "1002: the length is not in its shortest form"},
		{"64 bits for a short length", []byte{0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 0, "1002: the length is not in its shortest form"},
		{"length's top bit", []byte{0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1}, 0, "1002: the length's highest bit is set"},
		{"over the limit", frame(0x81, "123456789"), 8, "1009: the message has 9 bytes or more, over the limit of 8"},
		{"over the limit, header alone", []byte{0x81, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0}, 8,
			"1009: the message has 4294967296 bytes or more, over the limit of 8"},
		{"over the limit in fragments", join(frame(0x01, "12345"), frame(0x80, "6789")), 8,
			"1009: the message has 9 bytes or more, over the limit of 8"},
		{"invalid text", frame(0x81, "a\xff"), 0, "1007: a text message is not valid UTF-8"},
		{"invalid text, unfinished frame", frame(0x81, "a\xff"+long)[:20], 0, "1007: a text message is not valid UTF-8"},
		{"invalid text in the first fragment", join(frame(0x01, "\xed\xa0\x80"), frame(0x89, "")), 0, "1007: a text message is not valid UTF-8"},
		{"text that ends inside a rune", join(frame(0x01, "\xe2"), frame(0x80, "\x82")), 0, "1007: a text message is not valid UTF-8"},
		{"overlong text", frame(0x81, "\xc0\xaf"), 0, "1007: a text message is not valid UTF-8"},
		{"close with one byte", frame(0x88, "\x03"), 0, "1002: a close frame's payload of one byte"},
		{"close with a reserved code", frame(0x88, "\x03\xed"), 0, "1002: close code 1005 must not be sent"},
		{"close with bad text", frame(0x88, "\x03\xe8\xff"), 0, "1007: the close reason is not valid UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.max == 0 {
				test.max = 128 << 10
			}
			for _, n := range []int{len(test.in), 1, 2, 3, 7} {
				if got := read(test.max, cut(test.in, n)...).String(); got != test.want {
					t.Fatalf("in pieces of %d:\ngot  %.200q\nwant %.200q", n, got, test.want)
				}
			}
		})
	}
}

func TestValidCloseCode(t *testing.T) {
	for code, want := range map[int]bool{
		0: false, 999: false, 1000: true, 1003: true, 1004: false, 1005: false, 1006: false, 1007: true, 1011: true,
		1014: true, 1015: false, 1016: false, 2999: false, 3000: true, 4999: true, 5000: false, 65535: false,
	} {
		if got := wsframe.ValidCloseCode(code); got != want {
			t.Errorf("%d: %v", code, got)
		}
	}
}

func TestReaderIsIdleBetweenMessages(t *testing.T) {
	var r wsframe.Reader
	in := join(frame(0x01, "ab"), frame(0x89, "x"), frame(0x80, "cd"))
	for i := range in {
		r.Next(in[i:i+1], 1000)
		if got, want := r.Idle(), i == len(in)-1; got != want {
			t.Fatalf("after %d of %d bytes: idle is %v", i+1, len(in), got)
		}
	}
}

func TestReaderAllocatesWhatArrivesNotWhatIsAnnounced(t *testing.T) {
	in := frame(0x81, strings.Repeat("x", 1<<20))[:100]
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var r wsframe.Reader
			r.Next(bytes.Clone(in), 1<<20)
		}
	}).AllocedBytesPerOp()
	if allocated > 2000 {
		t.Errorf("100 bytes of a message of 1 MB made the reader allocate %d bytes", allocated)
	}
}

func TestWholeFramesAllocateNothing(t *testing.T) {
	in, buf := frame(0x81, `{"event":"pusher:ping"}`), make([]byte, 100)
	var r wsframe.Reader
	if n := testing.AllocsPerRun(100, func() {
		if _, _, ok, err := r.Next(buf[:copy(buf, in)], 1000); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func TestSeal(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		buf := make([]byte, 16+n)
		copy(buf[16:], strings.Repeat("a", n))
		got := wsframe.Seal(buf, 16)
		want := wsframe.Append(nil, wsframe.Text, buf[16:])
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %x …, want %x …", n, got[:min(12, len(got))], want[:min(12, len(want))])
		}
		if n > 0 && &got[len(got)-1] != &buf[len(buf)-1] {
			t.Errorf("%d bytes were copied", n)
		}
	}
	if got := wsframe.Append(nil, wsframe.Text, []byte("Hello")); !bytes.Equal(got, []byte{0x81, 5, 'H', 'e', 'l', 'l', 'o'}) {
		t.Errorf("got %x", got)
	}
}

func TestAppendClose(t *testing.T) {
	tests := []struct{ name, reason, want string }{
		{"plain", "gone", "gone"},
		{"just fits", strings.Repeat("x", 123), strings.Repeat("x", 123)},
		{"cut", strings.Repeat("x", 124), strings.Repeat("x", 123)},
		{"cut before a rune", strings.Repeat("x", 122) + "é", strings.Repeat("x", 122)},
		{"not UTF-8", "ab\xffcd", "ab"},
	}
	for _, test := range tests {
		got := wsframe.AppendClose(nil, 4100, test.reason)
		want := append([]byte{0x88, byte(2 + len(test.want)), 0x10, 0x04}, test.want...)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %q", test.name, got)
		}
	}
	if got := wsframe.AppendClose(nil, wsframe.CloseNoStatus, "x"); !bytes.Equal(got, []byte{0x88, 0}) {
		t.Errorf("without a code: %x", got)
	}
}

// FuzzReader holds the reader to this: it does not panic, keeps the limit, and
// makes the same of a stream however it is cut.
func FuzzReader(f *testing.F) {
	f.Add(join(frame(0x01, "\xe2\x82"), frame(0x89, "x"), frame(0x80, "\xac")), uint64(1))
	f.Add(join(frame(0x81, "abc"), frame(0x88, "\x03\xe8bye")), uint64(2))
	f.Add(frame(0x81, strings.Repeat("a", 300)), uint64(3))
	f.Add([]byte{0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4}, uint64(4))
	f.Add([]byte{0x01, 0x80, 1, 2, 3, 4, 0x81, 0xFE, 0, 1}, uint64(5))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		const limit = 200
		whole := read(limit, in)
		for _, m := range whole.messages {
			if len(m) > limit+2 {
				t.Fatalf("a message of %d bytes passed", len(m))
			}
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		var pieces [][]byte
		for b := in; len(b) > 0; {
			n := 1 + rng.IntN(min(len(b), 1+rng.IntN(64)))
			pieces, b = append(pieces, b[:n]), b[n:]
		}
		if got := read(limit, pieces...); got.String() != whole.String() {
			t.Fatalf("cut otherwise, the stream reads otherwise:\nwhole %q\ncut   %q", whole, got)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	in := frame(0x81, strings.Repeat("a", 200))
	buf := make([]byte, len(in))
	var r wsframe.Reader
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		r.Next(buf[:copy(buf, in)], 1000)
	}
}
