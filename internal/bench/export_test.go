package bench

import (
	"bufio"
	"context"
	"net/netip"
	"time"

	"github.com/belfryhq/belfry/internal/socket/wsframe"
)

// RunPortable is Run with the portable swarm.
func RunPortable(ctx context.Context, cfg Config) (*Report, error) {
	cfg.portable = true
	return Run(ctx, cfg)
}

// NextFrame takes the first frame off p.
func NextFrame(p []byte) (op wsframe.Opcode, payload, rest []byte, ok bool, err error) {
	f, rest, ok, err := nextFrame(p)
	return f.op, f.payload, rest, ok, err
}

// AppendFrame appends a client's frame.
var AppendFrame = appendFrame

// ReadAnswer reads one HTTP answer.
func ReadAnswer(in *bufio.Reader) (status int, body []byte, keep bool, err error) {
	return readAnswer(in)
}

// Request gives the bytes of a signed publish of one event.
func Request(t Target, host, prefix string) ([]byte, error) {
	m, err := newMessage(245, func(int) string { return "bench-test" })
	if err != nil {
		return nil, err
	}
	p := &httpPublisher{target: &endpoint{Target: t, host: host, prefix: prefix}, event: m}
	p.appendEvent(event{0, mark{3, 7, 99}})
	p.request(prefix + "/apps/" + t.AppID + "/events")
	return p.out, nil
}

// OnWire gives a message of size bytes as it arrives, with a mark, and that
// mark as it is read back.
func OnWire(size, stream int, number, due int64) (text []byte, gotStream int, gotNumber, gotDue int64, err error) {
	m, err := newMessage(size, func(int) string { return "bench-000001" })
	if err != nil {
		return nil, 0, 0, 0, err
	}
	mark{stream, number, due}.put(m.token[m.markAt:])
	text = m.onWire(0)
	got, _, _ := findMark(text, 0)
	return text, got.stream, got.number, got.due, nil
}

// Sources gives the local addresses of n connections.
func Sources(n int) map[netip.Addr]int {
	s, used := &sources{loopback: true}, map[netip.Addr]int{}
	for range n {
		used[s.next()]++
	}
	return used
}

// Since gives the CPU of a window from readings of the exact clock and of ticks.
func Since(cpu, user, system time.Duration, n float64) *CPU {
	before := usage{cpu: time.Second, user: time.Second, system: time.Second}
	after := usage{cpu: time.Second + cpu, user: time.Second + user, system: time.Second + system}
	return after.since(before).per(n)
}

// EnoughFiles is the check of the limit of open files.
var EnoughFiles = enoughFiles
