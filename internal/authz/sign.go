package authz

import (
	"context"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// sign makes the answer for a channel that was allowed. memberID is who the user
// is on a presence channel.
func (a *Authorizer) sign(ask Ask, kind pusher.Kind, d Decision, memberID string) (Answer, error) {
	who := a.principal(ask)
	if kind.Is(pusher.Encrypted) {
		if ask.App.EncryptionMasterKey == nil {
			return Answer{}, &belfry.Error{Code: belfry.CodeInvalid,
				Message: "app " + ask.App.ID + " has no encryption_master_key, so this server cannot open encrypted channels",
				Hint:    "set encryption_master_key of the app: 32 bytes in base64, the same as its publishers use"}
		}
		if ask.User != nil {
			a.recent.add(ask.App.ID, ask.SocketID, ask.Channel, who)
		}
		return Answer{
			Auth:         signed(ask.App, pusher.ChannelText(ask.SocketID, ask.Channel, "", false)),
			SharedSecret: pusher.SharedSecret(ask.Channel, ask.App.EncryptionMasterKey),
		}, nil
	}
	token, data := "", ""
	if ask.User != nil { // else it is the application that knows the user
		token = a.seal(ask.App.ID, ask.SocketID, ask.Channel, who)
	}
	switch {
	case kind.Is(pusher.Presence):
		data = presenceData(memberID, d.Member, token)
		if err := checkMember(ask, memberID, data); err != nil {
			return Answer{}, err
		}
	case token != "":
		data = privateData(token)
	}
	return Answer{Auth: signed(ask.App, pusher.ChannelText(ask.SocketID, ask.Channel, data, data != "")), ChannelData: data}, nil
}

// principal is whom the answer is for.
func (a *Authorizer) principal(ask Ask) principal {
	if ask.User == nil {
		return principal{}
	}
	now := a.now()
	return principal{user: ask.User.ID, session: ask.SessionID, issued: now, expires: now.Add(a.life)}
}

// signed is "key:signature" with the app's first key.
func signed(app *belfry.App, text string) string {
	return app.Keys[0].Key + ":" + pusher.Sign(app.Keys[0].Secret, text)
}

// checkMember holds channel_data to the limits that the server will hold it to.
func checkMember(ask Ask, id, data string) error {
	limits := &ask.App.Limits
	if id == "" {
		return belfry.Errorf(belfry.CodeInvalid, "a member of channel %s needs an id that is not empty", ask.Channel)
	}
	if size := len([]rune(id)); belfry.Over(size, limits.PresenceUserID) {
		return overLimit("presence_user_id", ask.Channel, size, limits.PresenceUserID, "the user's id has %d characters, at most %d are allowed on channel %s (the app's limits.presence_user_id)")
	}
	if size := len(data); belfry.Over(size, limits.PresenceMemberSize) {
		return overLimit("presence_member_size", ask.Channel, size, limits.PresenceMemberSize, "channel_data has %d bytes, at most %d are allowed on channel %s (the app's limits.presence_member_size)")
	}
	return nil
}

func overLimit(name, channel string, size, limit int, format string) error {
	e := belfry.Errorf(belfry.CodeTooLarge, format, size, limit, channel)
	e.Hint = "raise limits." + name + " of the app, or give less in the rule's member"
	e.Err = &pusher.OverLimit{Limit: name, Channel: channel, Size: int64(size), Max: int64(limit)}
	return e
}

// User signs the sign-in of a connection (AUTH-05), for whoever is signed in,
// or for whom the application says. user_data holds the user's id and, as
// user_info, the name. Errors are as Channel's.
func (a *Authorizer) User(ctx context.Context, ask Ask) (Answer, error) {
	ask.Channel = ""
	if err := checkAsk(ask); err != nil {
		a.counts.user(Invalid)
		return Answer{}, err
	}
	data, d := a.userData(ctx, ask)
	var err error
	if !d.Allowed {
		err = refusal("the sign-in of a connection", d)
	} else if _, wrong := pusher.ParseUser(data, ask.App.Limits.UserID); wrong != nil {
		err = belfry.Errorf(belfry.CodeInvalid, "this user cannot sign a connection in: %s", wrong)
		d = Decision{Result: Invalid, Reason: err.Error()}
	}
	a.counts.user(d.Result)
	if err != nil {
		a.deny(ActionUser, ask, d)
		return Answer{}, err
	}
	return Answer{Auth: signed(ask.App, pusher.UserText(ask.SocketID, data)), UserData: data}, nil
}

func (a *Authorizer) userData(ctx context.Context, ask Ask) (string, Decision) {
	d := Decision{Allowed: true, Result: Allowed}
	if a.forward != nil && a.forward.users != "" {
		var data string
		if data, d = a.forward.user(ctx, ask); data != "" || !d.Allowed {
			return data, d
		}
	}
	if ask.User == nil {
		return "", Decision{Result: NotSignedIn, Reason: "nobody is signed in"}
	}
	return ownUserData(ask.User, a.seal(ask.App.ID, ask.SocketID, "", a.principal(ask))), d
}

// ownUserData is the user_data of a user that Belfry knows. The token is for
// Principal, as on channels.
func ownUserData(u *belfry.User, token string) string {
	b := pusher.AppendString([]byte(`{"id":`), u.ID)
	b = pusher.AppendString(append(b, `,"user_info":{"name":`...), u.Name)
	b = pusher.AppendString(append(b, `},"`+tokenMember+`":`...), token)
	return string(append(b, '}'))
}
