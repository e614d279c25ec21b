package pusher

import (
	"crypto/rand"
	"encoding/binary"
	"strconv"
	"strings"
)

// SocketID names a connection: two integers below 10^10 (WS-07).
type SocketID struct{ hi, lo uint64 }

const socketHalf = 10_000_000_000

// NewSocketID makes an unguessable id: 66 random bits over both halves.
func NewSocketID() SocketID {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return SocketID{
		hi: binary.LittleEndian.Uint64(b[:8]) % socketHalf,
		lo: binary.LittleEndian.Uint64(b[8:]) % socketHalf,
	}
}

// ParseSocketID reads an id in the form of WS-07; ok is false, and the id zero,
// for anything else. Ids that this package did not make (leading zeros, more digits) may be
// legal by ValidSocketID without being one of ours.
func ParseSocketID(s string) (id SocketID, ok bool) {
	a, b, found := strings.Cut(s, ".")
	if !found {
		return id, false
	}
	hi, err := strconv.ParseUint(a, 10, 64)
	if err != nil || hi >= socketHalf {
		return id, false
	}
	lo, err := strconv.ParseUint(b, 10, 64)
	if err != nil || lo >= socketHalf {
		return id, false
	}
	if id = (SocketID{hi, lo}); id.String() != s {
		return SocketID{}, false
	}
	return id, true
}

// String gives the id as it stands on the wire.
func (id SocketID) String() string { return string(id.Append(make([]byte, 0, 21))) }

// Append appends the id as it stands on the wire.
func (id SocketID) Append(b []byte) []byte {
	b = strconv.AppendUint(b, id.hi, 10)
	b = append(b, '.')
	return strconv.AppendUint(b, id.lo, 10)
}

// IsZero reports whether id is no id at all.
func (id SocketID) IsZero() bool { return id == SocketID{} }

// ValidSocketID reports whether s has the form that every SDK demands: digits,
// a dot, digits (WS-07).
func ValidSocketID(s string) bool {
	a, b, ok := strings.Cut(s, ".")
	return ok && digits(a) && digits(b)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
