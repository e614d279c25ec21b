package pusher

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Sign gives the lower-case hex HMAC-SHA256 of text under secret: the one
// signature that the whole protocol uses (AUTH-01, HTTP-02, HOOK-02).
func Sign(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// Verify reports in constant time whether signature is Sign(secret, text) for
// one of the secrets (GEN-06).
func Verify(secrets []string, text, signature string) bool {
	ok := 0
	for _, secret := range secrets {
		ok |= subtle.ConstantTimeCompare([]byte(Sign(secret, text)), []byte(signature))
	}
	return ok == 1
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
