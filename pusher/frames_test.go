package pusher_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/belfryhq/belfry/pusher"
)

func frameTable() []struct{ name, got, want string } {
	id, _ := pusher.ParseSocketID("123.456")
	ada := pusher.Member{ID: "1", Info: []byte(`{"b":2,"a":1.50}`)}
	none := pusher.Member{ID: `2"`}
	return []struct{ name, got, want string }{
		{"WS-06 established", string(pusher.AppendEstablished(nil, id, 30*time.Second)),
			`{"event":"pusher:connection_established","data":"{\"socket_id\":\"123.456\",\"activity_timeout\":30}"}`},
		{"WS-11 error with a code", string(pusher.AppendError(nil, pusher.CloseNoApp, `no app with key "x"`)),
			`{"event":"pusher:error","data":{"code":4001,"message":"no app with key \"x\""}}`},
		{"WS-44 error without a code", string(pusher.AppendError(nil, pusher.NoCode, "m")),
			`{"event":"pusher:error","data":{"code":null,"message":"m"}}`},
		{"WS-20 pong", string(pusher.AppendPong(nil)), `{"event":"pusher:pong","data":"{}"}`},
		{"WS-23 ping", string(pusher.AppendPing(nil)), `{"event":"pusher:ping","data":"{}"}`},
		{"WS-10 event", string(pusher.AppendEvent(nil, `App\Events\Sent`, "c", []byte(`"{\"a\":1}"`), "")),
			`{"event":"App\\Events\\Sent","channel":"c","data":"{\"a\":1}"}`},
		{"CE-05 client event on a presence channel", string(pusher.AppendEvent(nil, "client-t", "presence-c", []byte(`""`), "0")),
			`{"event":"client-t","channel":"presence-c","data":"","user_id":"0"}`},
		{"CH-11 success", string(pusher.AppendSucceeded(nil, "x")),
			`{"event":"pusher_internal:subscription_succeeded","channel":"x","data":"{}"}`},
		{"CH-12 presence success", string(pusher.AppendPresenceSucceeded(nil, "presence-x", []pusher.Member{ada, none})),
			`{"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":` +
				`"{\"presence\":{\"ids\":[\"1\",\"2\\\"\"],\"hash\":{\"1\":{\"b\":2,\"a\":1.50},\"2\\\"\":null},\"count\":2}}"}`},
		{"CH-12 empty hash is an object", string(pusher.AppendPresenceSucceeded(nil, "presence-x", nil)),
			`{"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":"{\"presence\":{\"ids\":[],\"hash\":{},\"count\":0}}"}`},
		{"CH-13 auth error", string(pusher.AppendSubscriptionError(nil, "private-x", pusher.AuthError, "no")),
			`{"event":"pusher:subscription_error","channel":"private-x","data":"{\"type\":\"AuthError\",\"error\":\"no\",\"status\":401}"}`},
		{"CH-14 bad name", string(pusher.AppendSubscriptionError(nil, "a b", pusher.InvalidChannel, "no")),
			`{"event":"pusher:subscription_error","channel":"a b","data":"{\"type\":\"InvalidChannel\",\"error\":\"no\",\"status\":400}"}`},
		{"CH-14 limit", string(pusher.AppendSubscriptionError(nil, "x", pusher.LimitReached, "no")),
			`{"event":"pusher:subscription_error","channel":"x","data":"{\"type\":\"LimitReached\",\"error\":\"no\",\"status\":403}"}`},
		{"CH-14 disabled", string(pusher.AppendSubscriptionError(nil, "x", pusher.FeatureOff, "no")),
			`{"event":"pusher:subscription_error","channel":"x","data":"{\"type\":\"Disabled\",\"error\":\"no\",\"status\":403}"}`},
		{"CH-33 member added", string(pusher.AppendMemberAdded(nil, "presence-x", ada)),
			`{"event":"pusher_internal:member_added","channel":"presence-x","data":"{\"user_id\":\"1\",\"user_info\":{\"b\":2,\"a\":1.50}}"}`},
		{"CH-33 member added without info", string(pusher.AppendMemberAdded(nil, "presence-x", none)),
			`{"event":"pusher_internal:member_added","channel":"presence-x","data":"{\"user_id\":\"2\\\"\"}"}`},
		{"CH-34 member removed", string(pusher.AppendMemberRemoved(nil, "presence-x", "7")),
			`{"event":"pusher_internal:member_removed","channel":"presence-x","data":"{\"user_id\":\"7\"}"}`},
		{"CH-41 cache miss", string(pusher.AppendCacheMiss(nil, "cache-x")),
			`{"event":"pusher:cache_miss","channel":"cache-x","data":"{}"}`},
		{"CH-50 subscription count", string(pusher.AppendSubscriptionCount(nil, "x", 3)),
			`{"event":"pusher_internal:subscription_count","channel":"x","data":"{\"subscription_count\":3}"}`},
		{"USER-03 sign-in", string(pusher.AppendSigninSuccess(nil, `{"id":"u"}`)),
			`{"event":"pusher:signin_success","data":"{\"user_data\":\"{\\\"id\\\":\\\"u\\\"}\"}"}`},
		{"USER-20 watchlist", string(pusher.AppendWatchlist(nil, []string{"a", "b"}, []string{"c"})),
			`{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"online\",\"user_ids\":[\"a\",\"b\"]},{\"name\":\"offline\",\"user_ids\":[\"c\"]}]}"}`},
		{"USER-20 only offline", string(pusher.AppendWatchlist(nil, nil, []string{"c"})),
			`{"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"offline\",\"user_ids\":[\"c\"]}]}"}`},
		{"USER-20 nobody", string(pusher.AppendWatchlist(nil, nil, nil)),
			`{"event":"pusher_internal:watchlist_events","data":"{\"events\":[]}"}`},
	}
}

func TestFrames_AreByteExact(t *testing.T) {
	for _, c := range frameTable() {
		t.Run(c.name, func(t *testing.T) {
			if c.got != c.want {
				t.Errorf("got\n%s, want\n%s", c.got, c.want)
			}
		})
	}
}

// WS-10, WS-11 and WS-12 hold for every frame: no other members, data always
// there, a string but for pusher:error.
func TestWS11_DataIsAlwaysAStringButForErrors(t *testing.T) {
	for _, c := range frameTable() {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(c.got), &members); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		first := byte('"')
		if string(members["event"]) == `"pusher:error"` {
			first = '{'
		}
		if data := members["data"]; len(data) == 0 || data[0] != first {
			t.Errorf("%s: data is %s", c.name, data)
		}
		for name := range members {
			switch name {
			case "event", "channel", "data", "user_id":
			default:
				t.Errorf("%s: member %q has no business in a frame", c.name, name)
			}
		}
	}
}

func TestFrames_AppendToWhatIsThere(t *testing.T) {
	b := pusher.AppendPong([]byte("head"))
	if b = pusher.AppendSucceeded(b, "x"); string(b) != `head{"event":"pusher:pong","data":"{}"}`+
		`{"event":"pusher_internal:subscription_succeeded","channel":"x","data":"{}"}` {
		t.Errorf("frames run together as %s", b)
	}
}
