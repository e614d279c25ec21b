package broadcast

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// checkEncrypted judges an event for an encrypted channel: alone, and either
// the app has a key to encrypt it with or the publisher encrypted it.
func checkEncrypted(app *belfry.App, e *belfry.Event, size int) error {
	for _, channel := range e.Channels {
		if !pusher.KindOf(channel).Is(pusher.Encrypted) {
			continue
		}
		limit := app.Limits.EventData
		switch {
		case len(e.Channels) > 1:
			return belfry.Errorf(belfry.CodeInvalid, "channels: %q is encrypted with a key of its own, so it must be the event's only channel: send it in a request of its own", clip(channel))
		case Encrypted(e.Data):
		case len(app.EncryptionMasterKey) == 0:
			return &belfry.Error{Code: belfry.CodeInvalid, Message: "channels: \"" + clip(channel) + "\" is encrypted and app \"" + app.ID + "\" has no encryption_master_key",
				Hint: "give the app one, or send data that is encrypted already: {\"nonce\": …, \"ciphertext\": …}"}
		case belfry.Over(sealedSize(size), limit):
			return belfry.Errorf(belfry.CodeTooLarge, "data: event %q for channel %q has %d bytes when it is encrypted, %d are allowed", clip(e.Name), clip(channel), sealedSize(size), limit)
		}
	}
	return nil
}

// Encrypted reports whether data is a message for an encrypted channel, as
// Seal and Pusher's SDKs make it.
func Encrypted(data json.RawMessage) bool {
	if len(data) > 0 && data[0] == '"' { // SDKs send it as a string
		var text string
		if json.Unmarshal(data, &text) != nil {
			return false
		}
		data = json.RawMessage(text)
	}
	var sealed map[string]string
	if json.Unmarshal(data, &sealed) != nil || len(sealed) != 2 {
		return false
	}
	nonce, err := base64.StdEncoding.DecodeString(sealed["nonce"])
	if err != nil || len(nonce) != 24 {
		return false
	}
	box, err := base64.StdEncoding.DecodeString(sealed["ciphertext"])
	return err == nil && len(box) >= secretbox.Overhead
}

func sealedSize(n int) int {
	return len(`{"nonce":"","ciphertext":""}`) + base64.StdEncoding.EncodedLen(24) + base64.StdEncoding.EncodedLen(n+secretbox.Overhead)
}

// Seal encrypts text for an encrypted channel with the app's master key
// (AUTH-07): the channel's own key is SHA-256 of its name and the master key.
func Seal(masterKey []byte, channel, text string) []byte {
	h := sha256.New()
	h.Write([]byte(channel))
	h.Write(masterKey)
	key := [32]byte(h.Sum(nil))
	var nonce [24]byte
	rand.Read(nonce[:]) // never fails
	box := secretbox.Seal(nil, []byte(text), &nonce, &key)
	sealed := append([]byte(`{"nonce":"`), base64.StdEncoding.EncodeToString(nonce[:])...)
	sealed = append(sealed, `","ciphertext":"`...)
	sealed = base64.StdEncoding.AppendEncode(sealed, box)
	return append(sealed, `"}`...)
}
