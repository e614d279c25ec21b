package pusher

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Sign gives the lower-case hex HMAC-SHA256 of text under secret: the one
// signature that the whole protocol uses (AUTH-01, HTTP-02, HOOK-02).
func Sign(secret, text string) string {
	sum := mac(secret, text)
	return hex.EncodeToString(sum[:])
}

// Verify reports in constant time whether signature is Sign(secret, text) for
// one of the secrets (GEN-06).
func Verify(secrets []string, text, signature string) bool {
	ok := 0
	for _, secret := range secrets {
		sum := mac(secret, text)
		var want [2 * sha256.Size]byte
		hex.Encode(want[:], sum[:])
		var got [2 * sha256.Size]byte // so that the comparison needs no copy on the heap
		same := subtle.ConstantTimeEq(int32(len(signature)), int32(len(got)))
		copy(got[:], signature)
		ok |= same & subtle.ConstantTimeCompare(want[:], got[:])
	}
	return ok == 1
}

// mac is HMAC-SHA256 (RFC 2104). A short text, as almost all are, costs no
// memory: crypto/hmac allocates two hashes for each.
func mac(secret, text string) [sha256.Size]byte {
	const block = sha256.BlockSize
	var key [block]byte
	if len(secret) > block {
		sum := sha256.Sum256([]byte(secret))
		copy(key[:], sum[:])
	} else {
		copy(key[:], secret)
	}
	var space [block + 512]byte
	inner := append(space[:0], key[:]...)
	for i := range inner {
		inner[i] ^= 0x36
	}
	sum := sha256.Sum256(append(inner, text...))
	var outer [block + sha256.Size]byte
	for i := range key {
		outer[i] = key[i] ^ 0x5c
	}
	copy(outer[block:], sum[:])
	return sha256.Sum256(outer[:])
}

// ChannelText is the string that a channel's signature covers: with
// channel_data its exact bytes join it (AUTH-01, AUTH-02).
func ChannelText(socketID, channel, channelData string, withData bool) string {
	if withData {
		return socketID + ":" + channel + ":" + channelData
	}
	return socketID + ":" + channel
}

// UserText is the string that a sign-in's signature covers (AUTH-05).
func UserText(socketID, userData string) string { return socketID + "::user::" + userData }

// SplitAuth parts "key:signature" at the first colon (AUTH-06).
func SplitAuth(auth string) (key, signature string, ok bool) {
	key, signature, ok = strings.Cut(auth, ":")
	return key, signature, ok && key != "" && signature != ""
}

// SharedSecret derives an encrypted channel's secret from the app's master key
// as base64 (AUTH-07). It goes from an authorization endpoint to a client and
// nowhere else.
func SharedSecret(channel string, masterKey []byte) string {
	sum := sha256.Sum256(append([]byte(channel), masterKey...))
	return base64.StdEncoding.EncodeToString(sum[:])
}
