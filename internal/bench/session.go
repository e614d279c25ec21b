package bench

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

// phase is how far a session has come.
type phase uint8

const (
	idle        phase = iota // not begun
	upgrading                // the request is out
	greeting                 // upgraded; the established message is to come
	subscribing              // the answer to the subscription is to come
	ready
	ended // failed or closed
)

// session is the client's side of one connection, without any I/O. A swarm
// moves its bytes and calls its methods one at a time.
type session struct {
	link             // the swarm's own
	dialect *dialect // how the server is spoken to
	tally   *tally   // where it counts; the swarm's
	channel int      // which it subscribes to, or -1
	streams []stream // of that channel, by number
	group   uint8    // whose latencies its deliveries join
	phase   phase
	place   int32  // where the last mark stood
	code    int    // close code; 0 while open
	tail    []byte // what came of a frame that is not whole yet
}

// stream is what a session has received of one stream.
type stream struct {
	next int64 // the number that comes next; 0: whichever comes
	gaps int64 // numbers that were passed over and have not come since
}

// dialect is what every session of a run says.
type dialect struct {
	raw       bool   // no WebSocket: the channel's number, then frames (see bench/floor)
	request   []byte // the HTTP request that upgrades
	subscribe func(dst []byte, channel int) []byte
}

// open gives what is sent first.
func (s *session) open() []byte {
	s.phase = upgrading
	if s.dialect.raw {
		s.phase = subscribing
		return binary.LittleEndian.AppendUint32(nil, uint32(s.channel))
	}
	return s.dialect.request
}

// take handles what came in: p begins with s.tail. It gives what is to be sent
// and remembers what is left over. An error ends the connection; it is
// errClosed for a close frame.
func (s *session) take(p []byte, now int64) (reply []byte, err error) {
	if s.phase == upgrading {
		if p, err = s.upgraded(p); err != nil {
			return nil, err
		}
	}
	for s.phase != upgrading {
		f, rest, ok, err := nextFrame(p)
		if err != nil {
			return reply, err
		}
		if !ok {
			break
		}
		p = rest
		if reply, err = s.handle(f, now, reply); err != nil {
			return reply, err
		}
	}
	switch {
	case len(p) > 0:
		s.tail = append(s.tail[:0], p...)
	case cap(s.tail) > 4<<10:
		s.tail = nil
	default:
		s.tail = s.tail[:0]
	}
	return reply, nil
}

// upgraded takes the answer to the upgrade off p, once it is whole.
func (s *session) upgraded(p []byte) (rest []byte, err error) {
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 && len(p) < 16<<10 {
		return p, nil
	}
	line, _, _ := strings.Cut(string(p[:min(len(p), 200)]), "\r\n")
	if !strings.HasPrefix(line, "HTTP/1.1 101") || end < 0 {
		return p, fmt.Errorf("the server answers the upgrade with %q", line)
	}
	s.phase = greeting
	return p[end+4:], nil
}

// errClosed says that the server sent a close frame.
var errClosed = errors.New("closed")

func (s *session) handle(f frame, now int64, reply []byte) ([]byte, error) {
	switch f.op {
	case wsframe.Text:
		if m, place, ok := findMark(f.payload, int(s.place)); ok {
			s.place = int32(place)
			return reply, s.receive(m, len(f.payload), now)
		}
		return s.control(f.payload, reply)
	case wsframe.Ping:
		s.tally.framePings++
		return appendFrame(reply, wsframe.Pong, f.payload), nil
	case wsframe.Close:
		s.code = 1005
		if len(f.payload) >= 2 {
			s.code = int(binary.BigEndian.Uint16(f.payload))
		}
		if s.phase != ready {
			return reply, fmt.Errorf("the server closes with %d: %s", s.code, bytes.TrimSpace(f.payload[min(2, len(f.payload)):]))
		}
		return appendFrame(reply, wsframe.Close, f.payload), errClosed
	}
	return reply, nil
}

// receive counts one event.
func (s *session) receive(m mark, size int, now int64) error {
	if m.stream >= len(s.streams) {
		return fmt.Errorf("an event of stream %d came, but its channel has %d", m.stream, len(s.streams))
	}
	t, st := s.tally, &s.streams[m.stream]
	switch {
	case m.number == st.next || st.next == 0:
		st.next = m.number + 1
	case m.number > st.next:
		st.gaps += m.number - st.next
		st.next = m.number + 1
	case st.gaps > 0: // one of those that were passed over
		st.gaps--
		t.reordered++
	default:
		t.duplicated++
		return nil
	}
	t.delivered++
	t.bytes += uint64(size)
	t.last = now
	t.latency[s.group].Add(time.Duration(now - m.due))
	return nil
}

// control handles a message of the protocol itself.
func (s *session) control(payload, reply []byte) ([]byte, error) {
	var m struct {
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return reply, fmt.Errorf("a message is not JSON: %w", err)
	}
	switch m.Event {
	case "pusher:connection_established":
		if s.phase != greeting {
			return reply, nil
		}
		if s.channel < 0 {
			s.become(ready)
			return reply, nil
		}
		s.phase = subscribing
		return s.dialect.subscribe(reply, s.channel), nil
	case pusher.EventSucceeded:
		if s.phase == subscribing {
			s.become(ready)
		}
	case pusher.EventSubscriptionError:
		return reply, fmt.Errorf("the subscription is refused: %s", m.Data)
	case "pusher:error":
		if s.phase != ready {
			return reply, fmt.Errorf("the server answers with an error: %s", m.Data)
		}
		s.tally.complaints[string(m.Data)]++
	case "pusher:ping":
		s.tally.pings++
		return appendFrame(reply, wsframe.Text, []byte(`{"event":"pusher:pong","data":{}}`)), nil
	}
	return reply, nil
}

func (s *session) become(p phase) {
	s.phase = p
	if p == ready {
		s.tally.ready++
	}
}

// end counts the end of the connection; cause is nil when this side wanted it.
func (s *session) end(cause error) {
	before := s.phase
	s.phase, s.tail = ended, nil
	switch before {
	case ended:
		return
	case ready:
		s.tally.ready--
	}
	switch {
	case cause == nil:
	case before != ready:
		s.tally.failures[cause.Error()]++
		s.tally.failed++
	case errors.Is(cause, errClosed):
		s.tally.closed[s.code]++
	default:
		if s.code = 1006; !errors.Is(cause, errGone) {
			s.tally.complaints[cause.Error()]++
		}
		s.tally.closed[s.code]++
	}
}

// errGone says that the connection ended without a close frame.
var errGone = errors.New("the server ended the connection without a word")

// missing gives how many events of its channel a session has not received,
// when sent holds how many each stream has published.
func (s *session) missing(sent []int64) (n int64) {
	for i := range s.streams {
		if st := &s.streams[i]; st.next > 0 {
			n += st.gaps + sent[i] - (st.next - 1)
		}
	}
	return n
}
