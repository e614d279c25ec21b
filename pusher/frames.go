package pusher

import (
	"strconv"
	"time"
)

// The Append functions build the messages of the server (sections 1 to 4).
// Each appends one compact JSON object to dst and gives the longer slice. data
// is always there and always a string, but for pusher:error, whose data is an
// object (WS-11, WS-12).

// AppendEstablished builds the first message of a connection (WS-06).
func AppendEstablished(dst []byte, id SocketID, activityTimeout time.Duration) []byte {
	dst = append(dst, `{"event":"pusher:connection_established","data":"{\"socket_id\":\"`...)
	dst = id.Append(dst)
	dst = append(dst, `\",\"activity_timeout\":`...)
	dst = strconv.AppendInt(dst, int64(activityTimeout/time.Second), 10)
	return append(dst, `}"}`...)
}

// AppendError builds pusher:error; NoCode becomes null (WS-11, WS-44).
func AppendError(dst []byte, code CloseCode, message string) []byte {
	dst = append(dst, `{"event":"pusher:error","data":{"code":`...)
	if code == NoCode {
		dst = append(dst, "null"...)
	} else {
		dst = strconv.AppendInt(dst, int64(code), 10)
	}
	dst = append(dst, `,"message":`...)
	dst = AppendString(dst, message)
	return append(dst, "}}"...)
}

// AppendPong answers pusher:ping (WS-20).
func AppendPong(dst []byte) []byte { return append(dst, `{"event":"pusher:pong","data":"{}"}`...) }

// AppendPing asks a silent client whether it is there (WS-23).
func AppendPing(dst []byte) []byte { return append(dst, `{"event":"pusher:ping","data":"{}"}`...) }

// AppendEvent builds an ordinary event. data is a JSON string token, userID
// the sender's presence id or "" (WS-10, WS-15, CE-05).
func AppendEvent(dst []byte, name, channel string, data []byte, userID string) []byte {
	dst = append(dst, `{"event":`...)
	dst = AppendString(dst, name)
	dst = append(dst, `,"channel":`...)
	dst = AppendString(dst, channel)
	dst = append(dst, `,"data":`...)
	dst = append(dst, data...)
	if userID != "" {
		dst = append(dst, `,"user_id":`...)
		dst = AppendString(dst, userID)
	}
	return append(dst, '}')
}

// appendInternal builds an event whose data is the JSON text data.
func appendInternal(dst []byte, name, channel string, data []byte) []byte {
	dst = append(dst, `{"event":"`...)
	dst = append(dst, name...)
	dst = append(dst, '"')
	if channel != "" {
		dst = append(dst, `,"channel":`...)
		dst = AppendString(dst, channel)
	}
	dst = append(dst, `,"data":`...)
	dst = AppendString(dst, data)
	return append(dst, '}')
}

// AppendSucceeded confirms a subscription without members (CH-11).
func AppendSucceeded(dst []byte, channel string) []byte {
	return appendInternal(dst, EventSucceeded, channel, []byte("{}"))
}

// AppendPresenceSucceeded confirms a subscription to a presence channel and
// lists its members, the newcomer included (CH-12).
func AppendPresenceSucceeded(dst []byte, channel string, members []Member) []byte {
	data := append(make([]byte, 0, 64+64*len(members)), `{"presence":{"ids":[`...)
	for i, m := range members {
		if i > 0 {
			data = append(data, ',')
		}
		data = AppendString(data, m.ID)
	}
	data = append(data, `],"hash":{`...)
	for i, m := range members {
		if i > 0 {
			data = append(data, ',')
		}
		data = AppendString(data, m.ID)
		data = append(data, ':')
		if m.Info == nil {
			data = append(data, "null"...)
		} else {
			data = append(data, m.Info...)
		}
	}
	data = append(data, `},"count":`...)
	data = strconv.AppendInt(data, int64(len(members)), 10)
	data = append(data, "}}"...)
	return appendInternal(dst, EventSucceeded, channel, data)
}

// RefusalType is the type of a subscription_error (CH-14).
type RefusalType string

// The types of CH-14.
const (
	AuthError      RefusalType = "AuthError"
	InvalidChannel RefusalType = "InvalidChannel"
	LimitReached   RefusalType = "LimitReached"
	FeatureOff     RefusalType = "Disabled"
)

// Status is the number that goes with the type.
func (t RefusalType) Status() int {
	switch t {
	case AuthError:
		return 401
	case InvalidChannel:
		return 400
	}
	return 403
}

// AppendSubscriptionError refuses a subscription (CH-13, CH-14).
func AppendSubscriptionError(dst []byte, channel string, kind RefusalType, message string) []byte {
	data := append(make([]byte, 0, 64+len(message)), `{"type":"`...)
	data = append(data, kind...)
	data = append(data, `","error":`...)
	data = AppendString(data, message)
	data = append(data, `,"status":`...)
	data = strconv.AppendInt(data, int64(kind.Status()), 10)
	data = append(data, '}')
	return appendInternal(dst, EventSubscriptionError, channel, data)
}

// AppendMemberAdded tells that a user came (CH-33).
func AppendMemberAdded(dst []byte, channel string, m Member) []byte {
	data := append(make([]byte, 0, 32+len(m.ID)+len(m.Info)), `{"user_id":`...)
	data = AppendString(data, m.ID)
	if m.Info != nil {
		data = append(data, `,"user_info":`...)
		data = append(data, m.Info...)
	}
	return appendInternal(dst, EventMemberAdded, channel, append(data, '}'))
}

// AppendMemberRemoved tells that a user went (CH-34).
func AppendMemberRemoved(dst []byte, channel, userID string) []byte {
	data := AppendString([]byte(`{"user_id":`), userID)
	return appendInternal(dst, EventMemberRemoved, channel, append(data, '}'))
}

// AppendSubscriptionCount tells how many subscribe (CH-50).
func AppendSubscriptionCount(dst []byte, channel string, n int) []byte {
	data := strconv.AppendInt([]byte(`{"subscription_count":`), int64(n), 10)
	return appendInternal(dst, EventSubscriptionCount, channel, append(data, '}'))
}

// AppendCacheMiss tells that a cache channel keeps nothing (CH-41).
func AppendCacheMiss(dst []byte, channel string) []byte {
	return appendInternal(dst, EventCacheMiss, channel, []byte("{}"))
}

// AppendSigninSuccess confirms a sign-in with the exact string received (USER-03).
func AppendSigninSuccess(dst []byte, userData string) []byte {
	data := AppendString([]byte(`{"user_data":`), userData)
	return appendInternal(dst, EventSigninSuccess, "", append(data, '}'))
}

// AppendWatchlist tells who is online and who is not; an empty group is left
// out (USER-20).
func AppendWatchlist(dst []byte, online, offline []string) []byte {
	data := []byte(`{"events":[`)
	group := func(name string, ids []string) {
		if len(ids) == 0 {
			return
		}
		if data[len(data)-1] == '}' {
			data = append(data, ',')
		}
		data = append(data, `{"name":"`+name+`","user_ids":[`...)
		for i, id := range ids {
			if i > 0 {
				data = append(data, ',')
			}
			data = AppendString(data, id)
		}
		data = append(data, "]}"...)
	}
	group("online", online)
	group("offline", offline)
	return appendInternal(dst, EventWatchlist, "", append(data, "]}"...))
}
