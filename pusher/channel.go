package pusher

import (
	"strings"

	"github.com/belfryhq/belfry"
)

// Kind is what a channel's name says about it: whether subscribing needs a
// signature, whether it has members, whether its data is opaque, and whether
// it keeps its last event. Flags combine (CH-02).
type Kind uint8

// The flags of a Kind. The zero Kind is an ordinary public channel.
const (
	Private Kind = 1 << iota // subscribing needs a signature
	Presence
	Encrypted
	Cache
	ServerToUser // #server-to-user-{id}: needs the user to be signed in (USER-10)
)

const serverToUserPrefix = "#server-to-user-"

var kindPrefixes = []struct {
	prefix string
	kind   Kind
}{ // longest first (CH-01)
	{"private-encrypted-cache-", Private | Encrypted | Cache},
	{"private-encrypted-", Private | Encrypted},
	{"private-cache-", Private | Cache},
	{"private-", Private},
	{"presence-cache-", Private | Presence | Cache},
	{"presence-", Private | Presence},
	{"cache-", Cache},
	{serverToUserPrefix, ServerToUser},
}

// KindOf gives the kind of a channel by its name's prefix, exact, anchored and
// case-sensitive (CH-01). It does not judge whether the name is legal.
func KindOf(name string) Kind {
	for _, p := range kindPrefixes {
		if strings.HasPrefix(name, p.prefix) {
			return p.kind
		}
	}
	return 0
}

// Is reports whether k has all of the flags.
func (k Kind) Is(flags Kind) bool { return k&flags == flags }

// NeedsAuth reports whether subscribing needs a signature.
func (k Kind) NeedsAuth() bool { return k&Private != 0 }

// String names the kind for metrics and logs: one of public, private,
// presence, encrypted, each with -cache behind it for cache channels, or user.
func (k Kind) String() string {
	name := "public"
	switch {
	case k.Is(ServerToUser):
		return "user"
	case k.Is(Encrypted):
		name = "encrypted"
	case k.Is(Presence):
		name = "presence"
	case k.Is(Private):
		name = "private"
	}
	if k.Is(Cache) {
		name += "-cache"
	}
	return name
}

// ValidName reports whether name is a legal channel name of at most max
// characters, belfry.Unlimited for any number (CH-03): letters, digits and
// _-=@,.; and, for events to a signed-in user, #server-to-user-{id} with an id
// of 1 to 199 such characters (HTTP-24).
func ValidName(name string, max int) bool {
	if id, ok := strings.CutPrefix(name, serverToUserPrefix); ok {
		return ValidUserID(id, 199)
	}
	return !belfry.Over(len(name), max) && nameCharacters(name)
}

// ValidUserID reports whether id may be a signed-in user's id (USER-02): 1 to
// max of the characters that channel names use, belfry.Unlimited for any number.
func ValidUserID(id string, max int) bool {
	return !belfry.Over(len(id), max) && nameCharacters(id)
}

func nameCharacters(s string) bool {
	for i := range len(s) {
		if !nameByte[s[i]] {
			return false
		}
	}
	return s != ""
}

var nameByte = func() (legal [256]bool) {
	for c := range legal {
		switch b := byte(c); {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
			legal[c] = true
		}
	}
	for _, b := range []byte("_-=@,.;") {
		legal[b] = true
	}
	return legal
}()

// UserChannel names the channel that reaches a signed-in user (USER-10).
func UserChannel(userID string) string { return serverToUserPrefix + userID }

// UserOfChannel gives the user id in a #server-to-user- channel's name.
func UserOfChannel(name string) (userID string, ok bool) {
	return strings.CutPrefix(name, serverToUserPrefix)
}
