package authz

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"

	"github.com/belfryhq/belfry/pusher"
)

// The token stands in channel_data under this name. It says whom Belfry gave
// the subscription to, under a signature of its own over app, socket, channel,
// user, session, issue and expiry: channel_data of a private channel need not be
// covered by the channel's signature (AUTH-04), and on any channel an
// application's back end may sign what it likes.
const tokenMember = "belfry"

const (
	tokenVersion = 1
	tokenMAC     = 16 // bytes: half of HMAC-SHA256, which keeps channel_data small
	maxUserID    = 1024
	maxToken     = 4 * maxUserID // characters, above what the two ids can make
)

// principal is whom a subscription stands for.
type principal struct {
	user, session string
	issued        time.Time
	expires       time.Time
}

// seal makes the token.
func (a *Authorizer) seal(app, socket, channel string, p principal) string {
	b := []byte{tokenVersion}
	b = binary.AppendUvarint(b, uint64(p.issued.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(p.expires.Sub(p.issued)/time.Second))
	b = appendPart(b, p.user)
	b = appendPart(b, p.session)
	b = append(b, a.mac(app, socket, channel, b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// open reads a token and checks its signature, not its expiry.
func (a *Authorizer) open(app, socket, channel, token string) (p principal, ok bool) {
	if len(token) > maxToken {
		return p, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) <= tokenMAC {
		return p, false
	}
	b, sum := b[:len(b)-tokenMAC], b[len(b)-tokenMAC:]
	if !hmac.Equal(sum, a.mac(app, socket, channel, b)) || b[0] != tokenVersion {
		return p, false
	}
	b = b[1:]
	issued, n := binary.Uvarint(b)
	if n <= 0 {
		return p, false
	}
	life, m := binary.Uvarint(b[n:])
	if m <= 0 {
		return p, false
	}
	p.issued = time.UnixMilli(int64(issued))
	p.expires = p.issued.Add(time.Duration(life) * time.Second)
	b = b[n+m:]
	if p.user, b, ok = cutPart(b); ok {
		p.session, b, ok = cutPart(b)
	}
	return p, ok && len(b) == 0
}

// mac signs a token for its place. Every part goes with its length, so that
// none can be moved into another.
func (a *Authorizer) mac(app, socket, channel string, payload []byte) []byte {
	h := hmac.New(sha256.New, a.key)
	text := appendPart([]byte("belfry subscription token\x00"), app)
	text = appendPart(text, socket)
	text = appendPart(text, channel)
	h.Write(text)
	h.Write(payload)
	return h.Sum(nil)[:tokenMAC]
}

func appendPart(b []byte, part string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

func cutPart(b []byte) (part string, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return "", nil, false
	}
	b = b[n:]
	return string(b[:size]), b[size:], true
}

// Principal says whom a subscription stands for, or, with an empty channel, the
// sign-in of a connection, whose user_data is then channelData: the user and
// session of the token in it, when Belfry made that for exactly this app, socket
// and channel. ok is false for any other data, such as an application's own.
// An expired token counts too: its expiry concerns replay alone. On encrypted
// channels, which carry no token, it is whom this Authorizer answered, as far as
// it remembers. It is safe for concurrent use and does not block.
func (a *Authorizer) Principal(app, socketID, channel, channelData string) (userID, sessionID string, issued time.Time, ok bool) {
	var p principal
	if pusher.KindOf(channel).Is(pusher.Encrypted) {
		p, ok = a.recent.find(app, socketID, channel)
	} else if token := tokenOf(channelData); token != "" {
		p, ok = a.open(app, socketID, channel, token)
	}
	if !ok {
		return "", "", time.Time{}, false
	}
	return p.user, p.session, p.issued, true
}

// tokenOf finds the token in channel_data.
func tokenOf(channelData string) string {
	if !strings.Contains(channelData, `"`+tokenMember+`"`) {
		return ""
	}
	var data struct {
		Token string `json:"belfry"`
	}
	if err := json.NewDecoder(strings.NewReader(channelData)).Decode(&data); err != nil {
		return ""
	}
	return data.Token
}

// privateData is the channel_data of a private channel.
func privateData(token string) string {
	return string(append(pusher.AppendString([]byte(`{"`+tokenMember+`":`), token), '}'))
}

// presenceData is the channel_data of a presence channel. What others see is
// user_id and user_info alone.
func presenceData(userID string, info json.RawMessage, token string) string {
	b := pusher.AppendString([]byte(`{"user_id":`), userID)
	if info != nil {
		b = append(append(b, `,"user_info":`...), info...)
	}
	if token != "" {
		b = pusher.AppendString(append(b, `,"`+tokenMember+`":`...), token)
	}
	return string(append(b, '}'))
}

// compact takes the white space out of JSON that came from elsewhere.
func compact(raw []byte) (json.RawMessage, error) {
	var b bytes.Buffer
	err := json.Compact(&b, raw)
	return b.Bytes(), err
}
