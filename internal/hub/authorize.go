package hub

import (
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// mayJoin checks name, limits and authorization; seat is who the connection
// will be on a presence channel, who for whom the subscription stands as far as
// that is known.
func (c *Client) mayJoin(req pusher.Subscribe) (seat *pusher.Member, who *Principal, refusal *refusedSub) {
	s := c.app.settings.Load()
	naming := pusher.Naming{Limits: s.Limits, Strict: s.StrictNames}
	if longest := naming.MaxChannelName(); !pusher.ValidName(req.Channel, longest) {
		return nil, nil, refusef(pusher.InvalidChannel, "channel %s is not a legal name: use 1 to %d letters, digits and _-=@,.; only", quote(req.Channel), longest)
	}
	c.mu.Lock()
	n := len(c.subs) + 1
	c.mu.Unlock()
	if belfry.Over(n, s.Limits.ChannelsPerConnection) {
		c.app.limit("channels_per_connection", Notice{Channel: req.Channel}, int64(n), int64(s.Limits.ChannelsPerConnection))
		return nil, nil, refusef(pusher.LimitReached, "channel %s refused: this connection has its limit of %d channels", req.Channel, s.Limits.ChannelsPerConnection)
	}
	kind := pusher.KindOf(req.Channel)
	if kind.Is(pusher.ServerToUser) {
		return nil, nil, c.mayHearUser(req.Channel)
	}
	if !kind.NeedsAuth() {
		return nil, nil, nil
	}
	signed, refusal := c.verify(s, req, kind)
	if refusal != nil {
		return nil, nil, refusal
	}
	if signed || kind.Is(pusher.Encrypted) { // what an encrypted channel brings does not count
		who = c.principal(req.Channel, req.ChannelData)
	}
	if kind.Is(pusher.Presence) {
		seat, refusal = c.memberOf(s, req)
	}
	return seat, who, refusal
}

// mayHearUser guards #server-to-user-{id}: the connection must be signed in as
// that user (USER-10).
func (c *Client) mayHearUser(channel string) *refusedSub {
	id, _ := pusher.UserOfChannel(channel)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user == nil || c.user.ID != id {
		return refusef(pusher.AuthError, "channel %s needs this connection to be signed in as that user", channel)
	}
	return nil
}

// verify checks the signature of a private channel (AUTH-01 to AUTH-06); signed
// says that it covers channel_data.
func (c *Client) verify(s *belfry.App, req pusher.Subscribe, kind pusher.Kind) (signed bool, refusal *refusedSub) {
	secrets, signature, refusal := credentials(s, req.Auth)
	if refusal != nil {
		return false, refusal
	}
	id := c.id.String()
	text := pusher.ChannelText(id, req.Channel, req.ChannelData, req.HasData)
	if pusher.Verify(secrets, text, signature) {
		return req.HasData, nil
	}
	// The data of a private channel may have been left out of the signature
	// (AUTH-04); a presence channel's never (N04).
	if req.HasData && !kind.Is(pusher.Presence) && pusher.Verify(secrets, pusher.ChannelText(id, req.Channel, "", false), signature) {
		return false, nil
	}
	return false, mismatch(text)
}

// mismatch refuses a signature and shows the client the string that was to be
// signed, all of which the client sent (GEN-06).
func mismatch(text string) *refusedSub {
	const most = 4 << 10
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	r := refusef(pusher.AuthError, "invalid signature: expected the HMAC-SHA256, in lower-case hex, of %s", pusher.AppendString(nil, text))
	r.log = "invalid signature"
	return r
}

// credentials parts "key:signature" and finds the key's secrets (AUTH-06).
func credentials(s *belfry.App, auth string) (secrets []string, signature string, refusal *refusedSub) {
	if auth == "" {
		return nil, "", refusef(pusher.AuthError, "auth info required: this channel needs a signature from your authorization endpoint")
	}
	key, signature, ok := pusher.SplitAuth(auth)
	if !ok {
		return nil, "", refusef(pusher.AuthError, "auth must look like key:signature")
	}
	secrets = s.Secrets(key)
	if secrets == nil {
		return nil, "", refusef(pusher.AuthError, "invalid key %s: it is not a key of the app this connection belongs to", quote(key))
	}
	return secrets, signature, nil
}

// memberOf reads who the connection is on a presence channel: channel_data, or
// the signed-in user (CH-30, CH-32).
func (c *Client) memberOf(s *belfry.App, req pusher.Subscribe) (*pusher.Member, *refusedSub) {
	if !req.HasData {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.user == nil {
			return nil, refusef(pusher.AuthError, "presence channel %s needs channel_data, or a connection that is signed in", req.Channel)
		}
		return &pusher.Member{ID: c.user.ID, Info: c.user.Info}, nil
	}
	member, err := pusher.ParseMember(req.ChannelData)
	if err != nil {
		return nil, refusef(pusher.InvalidChannel, "channel %s refused: %v", req.Channel, err)
	}
	n := Notice{Channel: req.Channel, UserID: member.ID}
	if size := len(req.ChannelData); belfry.Over(size, s.Limits.PresenceMemberSize) {
		c.app.limit("presence_member_size", n, int64(size), int64(s.Limits.PresenceMemberSize))
		return nil, refusef(pusher.LimitReached, "channel %s refused: channel_data has %d bytes, at most %d are allowed", req.Channel, size, s.Limits.PresenceMemberSize)
	}
	if size := len([]rune(member.ID)); belfry.Over(size, s.Limits.PresenceUserID) {
		c.app.limit("presence_user_id", n, int64(size), int64(s.Limits.PresenceUserID))
		return nil, refusef(pusher.LimitReached, "channel %s refused: the user id has %d characters, at most %d are allowed", req.Channel, size, s.Limits.PresenceUserID)
	}
	return &member, nil
}
