package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
)

func TestCH12_PresenceSuccessListsEveryMember(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b, c := h.connect(testApp()), h.connect(testApp()), h.connect(testApp())
	sameJSON(t, a.join("presence-x", `{"user_id":"1","user_info":{"name":"Ada"}}`),
		`{"presence":{"ids":["1"],"hash":{"1":{"name":"Ada"}},"count":1}}`)
	sameJSON(t, b.join("presence-x", `{"user_id":2}`),
		`{"presence":{"ids":["1","2"],"hash":{"1":{"name":"Ada"},"2":null},"count":2}}`)
	a.expectText(`{"event":"pusher_internal:member_added","channel":"presence-x","data":"{\"user_id\":\"2\"}"}`)
	sameJSON(t, c.join("presence-x", `{"user_id":"2"}`),
		`{"presence":{"ids":["1","2"],"hash":{"1":{"name":"Ada"},"2":null},"count":2}}`)
	sameJSON(t, h.state(testApp(), "/presence-x/users", ""), `{"users":[{"id":"1"},{"id":"2"}]}`)
	sameJSON(t, h.state(testApp(), "/presence-x", "info=user_count,subscription_count"), `{"occupied":true,"user_count":2,"subscription_count":3}`)
}

func TestCH30_UserInfoIsRelayedAsItStands(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	watcher := h.connect(testApp())
	watcher.join("presence-x", `{"user_id":"0"}`)
	for i, info := range []string{`true`, `null`, `"Ada"`, `[1,2]`, `{"z":1.10,"a":12345678901234567890,"é":"\u00e9"}`, `-0.0`, `{ "spaced" : [ ] }`} {
		w := h.connect(testApp())
		id := fmt.Sprint(i + 1)
		data := w.join("presence-x", `{"user_id":"`+id+`","user_info":`+info+`}`)
		var got struct {
			Presence struct{ Hash map[string]json.RawMessage }
		}
		if err := json.Unmarshal([]byte(data), &got); err != nil || string(got.Presence.Hash[id]) != info {
			t.Errorf("info %s stands in the hash as %s, %v", info, got.Presence.Hash[id], err)
		}
		added := watcher.expect("pusher_internal:member_added", "presence-x").text(t)
		if want := `{"user_id":"` + id + `","user_info":` + info + `}`; added != want {
			t.Errorf("member_added is %s, want %s", added, want)
		}
		w.close()
		watcher.expect("pusher_internal:member_removed", "presence-x")
	}
}

func TestCH30_BadMemberDataIsRefused(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	for _, data := range []string{``, `{}`, `[]`, `"7"`, `7`, `null`, `not json`, `{"user_id":""}`, `{"user_id":null}`, `{"user_id":true}`, `{"user_id":{}}`, `{"user_id":[1]}`} {
		w.askAs("presence-x", data)
		w.expectRefusal("presence-x", "InvalidChannel", 400, 0)
	}
	w.quiet()
}

func TestCH31_SevenAndTheStringSevenAreOneUser(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	a.join("presence-x", `{"user_id":7}`)
	sameJSON(t, b.join("presence-x", `{"user_id":"7"}`), `{"presence":{"ids":["7"],"hash":{"7":null},"count":1}}`)
	a.quiet()
	big := h.connect(testApp())
	if got := big.join("presence-big", `{"user_id":90071992547409931234567890}`); !strings.Contains(got, `"ids":["90071992547409931234567890"]`) {
		t.Errorf("a big number became %s", got)
	}
}

func TestCH32_TheSignedInUserIsTheMember(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	w.ask("presence-x") // neither channel_data nor signed in
	w.expectRefusal("presence-x", "AuthError", 401, 4009, "signed in")
	w.signin(`{"id":"u-7","user_info":{"name":"Ada"}}`)
	w.ask("presence-x")
	sameJSON(t, w.expect("pusher_internal:subscription_succeeded", "presence-x").text(t),
		`{"presence":{"ids":["u-7"],"hash":{"u-7":{"name":"Ada"}},"count":1}}`)
	sameJSON(t, w.join("presence-y", `{"user_id":"other"}`), `{"presence":{"ids":["other"],"hash":{"other":null},"count":1}}`) // channel_data wins
}

func TestCH33_MemberAddedGoesToTheOthersOnce(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b, again := h.connect(testApp()), h.connect(testApp()), h.connect(testApp())
	a.join("presence-x", `{"user_id":"1"}`)
	b.join("presence-x", `{"user_id":"2","user_info":{"n":1}}`)
	a.expectText(`{"event":"pusher_internal:member_added","channel":"presence-x","data":"{\"user_id\":\"2\",\"user_info\":{\"n\":1}}"}`)
	b.quiet() // not to the newcomer
	again.join("presence-x", `{"user_id":"2"}`)
	a.quiet() // not for another socket of a member
	b.quiet()
}

func TestCH34_MemberRemovedComesWithTheLastSocket(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b, again := h.connect(testApp()), h.connect(testApp()), h.connect(testApp())
	a.join("presence-x", `{"user_id":"1"}`)
	b.join("presence-x", `{"user_id":"2"}`)
	a.expect("pusher_internal:member_added", "presence-x")
	again.join("presence-x", `{"user_id":"2"}`)
	b.unsubscribe("presence-x")
	b.quiet()
	a.quiet()
	again.close()
	a.expectText(`{"event":"pusher_internal:member_removed","channel":"presence-x","data":"{\"user_id\":\"2\"}"}`)
	b.quiet()
	a.quiet()
}

func TestCH35_TheFirstSocketsInfoStays(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	first, second, third := h.connect(testApp()), h.connect(testApp()), h.connect(testApp())
	first.join("presence-x", `{"user_id":"1","user_info":"first"}`)
	sameJSON(t, second.join("presence-x", `{"user_id":"1","user_info":"second"}`), `{"presence":{"ids":["1"],"hash":{"1":"first"},"count":1}}`)
	first.close()
	sameJSON(t, third.join("presence-x", `{"user_id":"3"}`), `{"presence":{"ids":["1","3"],"hash":{"1":"first","3":null},"count":2}}`)
	second.expect("pusher_internal:member_added", "presence-x")
	second.unsubscribe("presence-x")
	third.expect("pusher_internal:member_removed", "presence-x")
	second.join("presence-x", `{"user_id":"1","user_info":"second"}`)
	if m := third.expect("pusher_internal:member_added", "presence-x"); !strings.Contains(m.text(t), "second") {
		t.Errorf("after leaving entirely the info is %s", m.raw)
	}
}

func TestCH36_PresenceLimits(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.Limits.PresenceMembers = 2 })
	h := serve(t, app)
	a, b, c := h.connect(app), h.connect(app), h.connect(app)
	a.join("presence-x", `{"user_id":"1"}`)
	b.join("presence-x", `{"user_id":"2"}`)
	a.expect("pusher_internal:member_added", "presence-x")
	c.askAs("presence-x", `{"user_id":"3"}`)
	c.expectRefusal("presence-x", "LimitReached", 403, 0, "2 members")
	c.join("presence-x", `{"user_id":"2"}`) // another socket of a member
	a.quiet()
	c.unsubscribe("presence-x")
	b.unsubscribe("presence-x")
	a.expect("pusher_internal:member_removed", "presence-x")
	c.join("presence-x", `{"user_id":"3"}`)
	a.expect("pusher_internal:member_added", "presence-x")
}

// member gives channel_data of exactly size bytes.
func member(id string, size int) string {
	data := `{"user_id":"` + id + `","user_info":""}`
	return `{"user_id":"` + id + `","user_info":"` + strings.Repeat("i", size-len(data)) + `"}`
}

func TestLIMIT08_HundredMembers(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	for i := range 100 {
		h.connect(testApp()).join("presence-x", fmt.Sprintf(`{"user_id":%d}`, i))
	}
	w := h.connect(testApp())
	w.askAs("presence-x", `{"user_id":"more"}`)
	w.expectRefusal("presence-x", "LimitReached", 403, 0, "100")
}

func TestLIMIT09_PresenceObjectOf2KB(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	w.join("presence-x", member("1", 2048))
	w.askAs("presence-y", member("1", 2049))
	w.expectRefusal("presence-y", "LimitReached", 403, 0, "2049", "2048")
}

func TestLIMIT10_PresenceIDOf128Characters(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	w.join("presence-x", `{"user_id":"`+strings.Repeat("é", 128)+`"}`)
	w.askAs("presence-y", `{"user_id":"`+strings.Repeat("é", 129)+`"}`)
	w.expectRefusal("presence-y", "LimitReached", 403, 0, "129", "128")
}

func TestCH37_MemberAddedPrecedesTheMembersEvents(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	watcher := h.connect(testApp())
	watcher.join("presence-x", `{"user_id":"0"}`)
	for i := range 20 {
		w := h.connect(testApp())
		w.askAs("presence-x", fmt.Sprintf(`{"user_id":"u%d"}`, i))
		w.emit("client-hello", "presence-x", i)
		watcher.expect("pusher_internal:member_added", "presence-x")
		if m := watcher.expect("client-hello", "presence-x"); m.UserID == nil || *m.UserID != fmt.Sprintf("u%d", i) {
			t.Fatalf("got %s", m.raw)
		}
		w.expect("pusher_internal:subscription_succeeded", "presence-x")
		w.close()
		watcher.expect("pusher_internal:member_removed", "presence-x")
	}
}

func TestAUTH02_ExactBytesAreSigned(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	for i, data := range []string{
		`{ "user_id" : 7,  "user_info" : { "b":2, "a":1 } }`, `{"user_id":"8","user_info":{"name":"Zoë 東京 🚀"}}`,
		`{"user_id":"9","user_info":{"name":"Zo\u00eb \u6771\u4eac \ud83d\ude80"}}`, "{\"user_id\":\"10\"\n}",
	} {
		w.join(fmt.Sprintf("presence-%d", i), data)
	}
}

func TestAUTH04_PrivateChannelsWithData(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	data := `{"user_id":"7"}`
	for channel, auth := range map[string]string{
		"private-a": w.auth("private-a", data, true), "private-b": w.auth("private-b", "", false),
		"private-cache-a": w.auth("private-cache-a", data, true), "private-encrypted-b": w.auth("private-encrypted-b", "", false),
	} {
		w.emit("pusher:subscribe", "", map[string]any{"channel": channel, "auth": auth, "channel_data": data})
		w.expect("pusher_internal:subscription_succeeded", channel)
		if channel == "private-cache-a" {
			w.expect("pusher:cache_miss", channel)
		}
	}
	// Presence is strict: with channel_data it must be signed (N04).
	w.emit("pusher:subscribe", "", map[string]any{"channel": "presence-x", "auth": w.auth("presence-x", "", false), "channel_data": data})
	w.expectRefusal("presence-x", "AuthError", 401, 4009)
}
