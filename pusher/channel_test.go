package pusher_test

import (
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

func TestCH01_KindIsTheLongestAnchoredPrefix(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		needsAuth  bool
	}{
		{"private-encrypted-cache-x", "encrypted-cache", true},
		{"private-encrypted-x", "encrypted", true},
		{"private-cache-x", "private-cache", true},
		{"private-x", "private", true},
		{"presence-cache-x", "presence-cache", true},
		{"presence-x", "presence", true},
		{"cache-x", "public-cache", false},
		{"#server-to-user-7", "user", false},
		{"x", "public", false},
	} {
		k := pusher.KindOf(c.name)
		if k.String() != c.kind || k.NeedsAuth() != c.needsAuth {
			t.Errorf("%s is %s (signature %t), want %s (%t)", c.name, k, k.NeedsAuth(), c.kind, c.needsAuth)
		}
	}
}

func TestCH02_CacheIsAFlagOnTopOfTheKind(t *testing.T) {
	for name, want := range map[string]pusher.Kind{
		"presence-cache-x":          pusher.Private | pusher.Presence | pusher.Cache,
		"private-encrypted-cache-x": pusher.Private | pusher.Encrypted | pusher.Cache,
		"my-cache-x":                0,
		"private-foo-cache-x":       pusher.Private,
		"presence-foo-cache-x":      pusher.Private | pusher.Presence,
		"Cache-x":                   0,
		"Private-x":                 0,
		"privately":                 0,
		"presences":                 0,
		"cache":                     0,
		"private-encrypted":         pusher.Private,
		"private-encryptedx":        pusher.Private,
		"private-cache":             pusher.Private,
		"x-private-y":               0,
	} {
		if k := pusher.KindOf(name); k != want {
			t.Errorf("%s is %s (%b), want %s (%b)", name, k, k, want, want)
		}
	}
}

func TestCH05_PrefixAloneIsAChannelOfItsKind(t *testing.T) {
	for name, want := range map[string]string{
		"private-": "private", "presence-": "presence", "cache-": "public-cache",
		"private-cache-": "private-cache", "presence-cache-": "presence-cache",
		"private-encrypted-": "encrypted", "private-encrypted-cache-": "encrypted-cache",
	} {
		if k := pusher.KindOf(name).String(); k != want || !pusher.ValidName(name, 200) {
			t.Errorf("%s is %s, legal %t; want a legal %s", name, k, pusher.ValidName(name, 200), want)
		}
	}
}

func TestCH03_LegalNames(t *testing.T) {
	for _, name := range []string{
		"a", "0", "private-a-_=@,.;Z9", "presence-room.9", strings.Repeat("x", 200),
		"#server-to-user-7", "#server-to-user-" + strings.Repeat("u", 199),
	} {
		if !pusher.ValidName(name, 200) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{
		"", "a b", "a:b", "private-x::user::y", "a/b", "a\\b", "a\n", "a\x00", "ü", "東京", "a#b", "#", "#x",
		"#server-to-user", "#server-to-user-", "#Server-to-user-7", "#server-to-user-a b", "#server-to-user-a#b",
		"#server-to-user-" + strings.Repeat("u", 200), "x#server-to-user-7",
		"a%20b", "a+b", "a'b", `a"b`, "a\x7f", "a\xff", strings.Repeat("x", 201),
	} {
		if pusher.ValidName(name, 200) {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestCH03_LengthCaps(t *testing.T) {
	limits := belfry.DefaultLimits()
	unlimited := limits
	unlimited.ChannelNameLength = belfry.Unlimited
	short := limits
	short.ChannelNameLength = 20
	for _, c := range []struct {
		naming pusher.Naming
		most   int
	}{
		{pusher.Naming{Limits: limits}, 200},
		{pusher.Naming{Limits: limits, Strict: true}, 164},
		{pusher.Naming{Limits: short, Strict: true}, 20},
		{pusher.Naming{Limits: unlimited, Strict: true}, 164},
	} {
		most := c.naming.MaxChannelName()
		if !pusher.ValidName(strings.Repeat("x", c.most), most) || pusher.ValidName(strings.Repeat("x", c.most+1), most) {
			t.Errorf("the longest legal name has %d characters, want %d", most, c.most)
		}
	}
	if !pusher.ValidName(strings.Repeat("x", 5000), pusher.Naming{Limits: unlimited}.MaxChannelName()) {
		t.Error("an unlimited name length refuses 5000 characters")
	}
	if !pusher.ValidName(strings.Repeat("x", 5000), belfry.Unlimited) {
		t.Error("belfry.Unlimited refuses 5000 characters")
	}
}

func TestUSER02_LegalUserIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"7": true, "a-_=@,.;Z9": true, strings.Repeat("u", 199): true, strings.Repeat("u", 200): false,
		"": false, "a b": false, "a:b": false, "é": false, "#": false,
	} {
		if got := pusher.ValidUserID(id, 199); got != want {
			t.Errorf("ValidUserID(%q) is %t", id, got)
		}
	}
	if !pusher.ValidUserID(strings.Repeat("u", 5000), belfry.Unlimited) {
		t.Error("an unlimited id is refused")
	}
}

func TestUSER10_UserChannelAndBack(t *testing.T) {
	if name := pusher.UserChannel("u-7"); name != "#server-to-user-u-7" {
		t.Errorf("channel %q", name)
	}
	if id, ok := pusher.UserOfChannel("#server-to-user-u-7"); !ok || id != "u-7" {
		t.Errorf("user %q, %t", id, ok)
	}
	if _, ok := pusher.UserOfChannel("private-u-7"); ok {
		t.Error("a private channel has a user")
	}
}
