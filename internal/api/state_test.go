package api_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
)

func (f *fixture) clock() time.Time { return f.now }

// infoFails is a hub whose channel queries fail.
type infoFails struct{ *fakeHub }

func (infoFails) Channel(context.Context, string, string) (hub.ChannelState, error) {
	return hub.ChannelState{}, errors.New("cluster gone")
}

// HTTP-40, HTTP-41: occupied channels by prefix; # channels are hidden.
func TestHTTP41_Channels(t *testing.T) {
	f := start(t)
	want(t, f.get("/channels"), 200, `{"channels":{}}`)
	f.hub.states["b"] = occupied(5, 0)
	f.hub.states["presence-a"] = occupied(3, 2)
	f.hub.states["presence-b"] = occupied(1, 1)
	f.hub.states["empty"] = hub.ChannelState{}
	f.hub.states["#server-to-user-7"] = occupied(1, 0)
	want(t, f.get("/channels"), 200, `{"channels":{"b":{},"presence-a":{},"presence-b":{}}}`)
	want(t, f.get("/channels", "filter_by_prefix=presence-"), 200, `{"channels":{"presence-a":{},"presence-b":{}}}`)
	want(t, f.get("/channels", "filter_by_prefix=presence-", "info=user_count,subscription_count"), 200,
		`{"channels":{"presence-a":{"user_count":2,"subscription_count":3},"presence-b":{"user_count":1,"subscription_count":1}}}`)
	want(t, f.get("/channels", "filter_by_prefix=zzz", "unknown=1"), 200, `{"channels":{}}`)
	want(t, f.get("/channels", "filter_by_prefix=.*"), 200, `{"channels":{}}`)
}

// HTTP-42: user_count needs a presence prefix, subscription_count does not.
func TestHTTP42_Attributes(t *testing.T) {
	f := start(t)
	f.hub.states["b"] = occupied(5, 0)
	refused(t, f.get("/channels", "info=user_count"), 400, "user_count", "presence-")
	refused(t, f.get("/channels", "info=user_count", "filter_by_prefix=presence"), 400, "presence-")
	refused(t, f.get("/channels", "info=cache"), 400, "cache")
	want(t, f.get("/channels", "info=subscription_count"), 200, `{"channels":{"b":{"subscription_count":5}}}`)
	want(t, f.get("/channels", "info=user_count", "filter_by_prefix=presence-x"), 200, `{"channels":{}}`)
}

// HTTP-45, HTTP-46, HTTP-47, HTTP-71: one channel, under its two paths.
func TestHTTP46_Channel(t *testing.T) {
	f := start(t)
	f.hub.states["presence-a"] = occupied(3, 2)
	f.hub.states["presence-cache-a"] = hub.ChannelState{Cache: &hub.CacheState{Data: []byte(`"{\"a\":1}"`), TTL: 90*time.Second + 1}}
	for _, tail := range []string{"", "/stats"} {
		cases := []struct{ name, info, body string }{
			{"never-used", "", `{"occupied":false}`},
			{"never-used", "subscription_count", `{"occupied":false,"subscription_count":0}`},
			{"presence-a", "", `{"occupied":true}`},
			{"presence-a", "user_count", `{"occupied":true,"user_count":2}`},
			{"presence-a", "user_count,subscription_count", `{"occupied":true,"user_count":2,"subscription_count":3}`},
			{"presence-none", "user_count,subscription_count", `{"occupied":false,"user_count":0,"subscription_count":0}`},
			{"presence-cache-a", "cache", `{"occupied":false,"cache":{"data":"{\"a\":1}","ttl":91}}`},
			{"cache-b", "cache,subscription_count", `{"occupied":false,"subscription_count":0,"cache":null}`},
			{"private-a-_=@,.;Z9", "", `{"occupied":false}`},
			{"%23server-to-user-7", "", `{"occupied":false}`},
		}
		for _, c := range cases {
			want(t, f.get("/channels/"+c.name+tail, "info="+c.info), 200, c.body)
		}
		for name, info := range map[string]string{
			"b": "user_count", "private-b": "cache", "cache-b": "user_count", "presence-a": "occupied", "%23server-to-user-7": "subscription_count",
		} {
			refused(t, f.get("/channels/"+name+tail, "info="+info), 400, info)
		}
		for _, name := range []string{"b%2Fd", "b:d", "b%20d", "%23x", strings.Repeat("c", 201), "caf%C3%A9", "b%2541"} {
			refused(t, f.get("/channels/"+name+tail), 400, "channel")
		}
	}
}

// HTTP-50, HTTP-51: members of presence channels; ids are strings.
func TestHTTP51_Users(t *testing.T) {
	f := start(t)
	f.hub.members["presence-a"] = []string{"1", `a"b`}
	want(t, f.get("/channels/presence-a/users"), 200, `{"users":[{"id":"1"},{"id":"a\"b"}]}`)
	want(t, f.get("/channels/presence-none/users"), 200, `{"users":[]}`)
	refused(t, f.get("/channels/private-a/users"), 400, "presence")
	refused(t, f.get("/channels/presence-a%2Fb/users"), 400, "presence-a/b")
}

// HTTP-60, HTTP-61, USER-30: the id is decoded once; an unknown user is no
// error; the body is {} or nothing.
func TestHTTP61_Terminate(t *testing.T) {
	f := start(t)
	for path, body := range map[string]string{"u-7": "{}", "a%2Fb": "", "c%252F": "[]"} {
		want(t, f.post("/users/"+path+"/terminate_connections", body), 200, `{}`)
	}
	slices.Sort(f.hub.terminated)
	if want := []string{"a/b", "c%2F", "u-7"}; !slices.Equal(f.hub.terminated, want) {
		t.Errorf("terminated %q, want %q", f.hub.terminated, want)
	}
	refused(t, f.post("/users/u-7/terminate_connections", "{"), 400, "JSON")
}

// HEAD is served where GET is, signed as what it is.
func TestHEAD(t *testing.T) {
	f := start(t)
	if w := f.call("HEAD", base+"/channels", ""); w.Code != 200 || w.Header().Get("Content-Length") != "15" {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
	refused(t, f.send("HEAD", f.target("GET", base+"/channels", ""), ""), 401)
}
