package pusher

import (
	"errors"
	"fmt"
	"strings"

	"github.com/belfryhq/belfry"
)

// The events of the protocol itself.
const (
	EventEstablished       = "pusher:connection_established"
	EventError             = "pusher:error"
	EventPing              = "pusher:ping"
	EventPong              = "pusher:pong"
	EventSubscribe         = "pusher:subscribe"
	EventUnsubscribe       = "pusher:unsubscribe"
	EventSignin            = "pusher:signin"
	EventSigninSuccess     = "pusher:signin_success"
	EventCacheMiss         = "pusher:cache_miss"
	EventSubscriptionError = "pusher:subscription_error"
	EventSucceeded         = "pusher_internal:subscription_succeeded"
	EventMemberAdded       = "pusher_internal:member_added"
	EventMemberRemoved     = "pusher_internal:member_removed"
	EventSubscriptionCount = "pusher_internal:subscription_count"
	EventWatchlist         = "pusher_internal:watchlist_events"
)

// IsClientEvent reports whether an event of that name is a client event (CE-02).
func IsClientEvent(name string) bool { return strings.HasPrefix(name, "client-") }

// IsReserved reports whether the name belongs to the protocol, so that no
// publisher may use it (HTTP-23).
func IsReserved(name string) bool {
	return strings.HasPrefix(name, "pusher:") || strings.HasPrefix(name, "pusher_internal:")
}

// Message is one message from a client (WS-10).
type Message struct {
	Event   string
	Channel string // empty when absent
	// Data is the raw JSON value of data, a part of the parsed bytes; nil when
	// absent.
	Data []byte
}

// ParseMessage reads a client's message: one UTF-8 JSON object with a string
// member event (WS-10, WS-40). Unknown members are ignored (WS-13). Its error
// says what is wrong.
func ParseMessage(b []byte) (Message, error) {
	var m Message
	seen := false
	err := scanObject(b, func(name string, value []byte) error {
		switch name {
		case "event":
			if !isString(value) {
				return errors.New(`"event" must be a string`)
			}
			m.Event, seen = unquote(value), true
		case "channel":
			switch {
			case isString(value):
				m.Channel = unquote(value)
			case !isNull(value):
				return errors.New(`"channel" must be a string`)
			}
		case "data":
			m.Data = value
		}
		return nil
	})
	switch {
	case err != nil:
		return Message{}, fmt.Errorf("message refused: %w; send one JSON object with \"event\" and \"data\"", err)
	case !seen:
		return Message{}, errors.New(`message refused: "event" is missing; send one JSON object with "event" and "data"`)
	}
	return m, nil
}

// object gives the members of data, which may be an object or a string that
// holds one (WS-13).
func (m Message) object(member func(name string, value []byte) error) error {
	data := m.Data
	if isString(data) {
		data = []byte(unquote(data))
	}
	if len(data) == 0 {
		return errors.New("data is missing")
	}
	if err := scanObject(data, member); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return nil
}

// Subscribe is the data of pusher:subscribe (CH-10).
type Subscribe struct {
	Channel string
	Auth    string
	// ChannelData is the exact string that was signed; HasData tells an empty
	// one from none (AUTH-02).
	ChannelData string
	HasData     bool
}

// ParseSubscribe reads the data of a pusher:subscribe message.
func ParseSubscribe(m Message) (Subscribe, error) {
	var s Subscribe
	err := m.object(func(name string, value []byte) (err error) {
		switch name {
		case "channel":
			s.Channel, _, err = stringMember(name, value)
		case "auth":
			s.Auth, _, err = stringMember(name, value)
		case "channel_data":
			s.ChannelData, s.HasData, err = stringMember(name, value)
		}
		return err
	})
	return s, err
}

// ParseUnsubscribe reads the channel of a pusher:unsubscribe message (CH-20).
func ParseUnsubscribe(m Message) (channel string, err error) {
	err = m.object(func(name string, value []byte) (err error) {
		if name == "channel" {
			channel, _, err = stringMember(name, value)
		}
		return err
	})
	return channel, err
}

// Signin is the data of pusher:signin (USER-01).
type Signin struct{ Auth, UserData string }

// ParseSignin reads the data of a pusher:signin message.
func ParseSignin(m Message) (Signin, error) {
	var s Signin
	err := m.object(func(name string, value []byte) (err error) {
		switch name {
		case "auth":
			s.Auth, _, err = stringMember(name, value)
		case "user_data":
			s.UserData, _, err = stringMember(name, value)
		}
		return err
	})
	return s, err
}

// ClientEventData gives the data of a client event as a JSON string token and
// the length of the string it stands for: an inbound string passes unchanged,
// anything else is serialised compactly once (CE-06).
func ClientEventData(m Message) (token []byte, size int) { return stringToken(m.Data) }

// stringToken gives value as a JSON string token, and the length in bytes of
// the string it stands for.
func stringToken(value []byte) (token []byte, size int) {
	if isString(value) {
		return value, unquotedLen(value)
	}
	plain := compact(make([]byte, 0, len(value)), value)
	return AppendString(make([]byte, 0, len(plain)+16), plain), len(plain)
}

// stringMember reads an optional string; null counts as absent.
func stringMember(name string, value []byte) (s string, present bool, err error) {
	switch {
	case isString(value):
		return unquote(value), true, nil
	case isNull(value):
		return "", false, nil
	}
	return "", false, fmt.Errorf("%q must be a string", name)
}

// Member is who a connection is on a presence channel.
type Member struct {
	ID string // the string form of user_id: 7 and "7" are one member (CH-31)
	// Info is user_info as it stood in channel_data, nil when absent (CH-30).
	Info []byte
}

// ParseMember reads a presence channel's channel_data (CH-30).
func ParseMember(channelData string) (Member, error) {
	var m Member
	err := scanObject([]byte(channelData), func(name string, value []byte) error {
		switch name {
		case "user_id":
			switch {
			case isString(value):
				m.ID = unquote(value)
			case value[0] == '-' || '0' <= value[0] && value[0] <= '9':
				m.ID = string(value)
			default:
				return errors.New(`"user_id" must be a string or a number`)
			}
		case "user_info":
			m.Info = value
		}
		return nil
	})
	if err != nil {
		return Member{}, fmt.Errorf("channel_data: %w", err)
	}
	if m.ID == "" {
		return Member{}, errors.New(`channel_data: "user_id" is missing or empty`)
	}
	return m, nil
}

// User is a signed-in user (USER-02).
type User struct {
	ID        string
	Info      []byte // user_info as it stood, nil when absent
	Watchlist []string
}

// ParseUser reads the user_data of a sign-in: an object with a string id of
// channel-name characters, and optionally user_info and watchlist (USER-02).
func ParseUser(userData string, maxID int) (User, error) {
	var u User
	err := scanObject([]byte(userData), func(name string, value []byte) error {
		switch name {
		case "id":
			if !isString(value) {
				return errors.New(`"id" must be a string: clients drop a session whose id is not one`)
			}
			u.ID = unquote(value)
		case "user_info":
			if !isObject(value) && !isNull(value) {
				return errors.New(`"user_info" must be an object`)
			}
			if isObject(value) {
				u.Info = value
			}
		case "watchlist":
			if isNull(value) {
				return nil
			}
			return parseStrings(name, value, &u.Watchlist)
		}
		return nil
	})
	switch {
	case err != nil:
		return User{}, fmt.Errorf("user_data: %w", err)
	case u.ID == "":
		return User{}, errors.New(`user_data: "id" is missing or empty`)
	case !ValidUserID(u.ID, maxID):
		most := ""
		if maxID != belfry.Unlimited {
			most = fmt.Sprintf("at most %d characters, ", maxID)
		}
		return User{}, fmt.Errorf(`user_data: "id" must have %sletters, digits and _-=@,.; only`, most)
	}
	return u, nil
}

func parseStrings(name string, value []byte, into *[]string) error {
	*into = nil
	err := scanArray(value, func(element []byte) error {
		if !isString(element) {
			return errors.New("an element is not a string")
		}
		*into = append(*into, unquote(element))
		return nil
	})
	if err != nil {
		return fmt.Errorf("%q must be an array of strings: %w", name, err)
	}
	return nil
}

// StringValue decodes a JSON string token that this package gave, such as
// Event.Data.
func StringValue(token []byte) string { return unquote(token) }
