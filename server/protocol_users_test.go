package server_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
)

func TestUSER01_SigninAnswersWithTheExactUserData(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	for _, userData := range []string{
		`{"id":"7"}`, ` { "id" : "7" , "user_info" : { "name" : "Zoë \u00e9" } } `, `{"id":"7","user_info":{},"watchlist":[],"more":[1]}`,
		`{"id":"` + strings.Repeat("u", 199) + `"}`, // LIMIT-11
	} {
		w := h.connect(testApp())
		w.signin(userData)
		w.quiet()
	}
}

func TestUSER02_BadUserData(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	for _, userData := range []string{
		``, `{}`, `[]`, `null`, `"7"`, `not json`, `{"id":7}`, `{"id":""}`, `{"id":null}`, `{"id":"a b"}`, `{"id":"a:b"}`, `{"id":"é"}`,
		`{"id":"` + strings.Repeat("u", 200) + `"}`, `{"id":"7","user_info":"Ada"}`, `{"id":"7","watchlist":"8"}`, `{"id":"7","watchlist":[8]}`,
	} {
		w.askSignin(userData)
		w.expectError(4009)
	}
	w.signin(`{"id":"7"}`) // the connection stays (USER-04)
}

func TestUSER04_RefusedSigninsAreErrorsAndTheConnectionStays(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	const userData = `{"id":"7"}`
	right := sign(w.app, w.id+"::user::"+userData)
	for _, data := range []any{
		nil, "nonsense", map[string]any{}, map[string]any{"user_data": userData}, map[string]any{"auth": right},
		map[string]any{"auth": right, "user_data": `{"id":"8"}`},
		map[string]any{"auth": "other" + strings.TrimPrefix(right, appKey), "user_data": userData},
		map[string]any{"auth": sign(w.app, w.id+":"+userData), "user_data": userData},
		map[string]any{"auth": sign(w.app, "1.1::user::"+userData), "user_data": userData},
		map[string]any{"auth": strings.Replace(right, ":", "::user::", 1), "user_data": userData},
		map[string]any{"auth": 7, "user_data": userData},
	} {
		w.emit("pusher:signin", "", data)
		w.expectError(4009)
	}
	w.ask("#server-to-user-7")
	w.expectRefusal("#server-to-user-7", "AuthError", 401, 4009)
	w.signin(userData)
}

func TestUSER05_SigningInAgain(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	watcher, w, seven := h.connect(testApp()), h.connect(testApp()), h.connect(testApp())
	watcher.signin(`{"id":"watcher","watchlist":["7"]}`)
	watcher.expectWatch(nil, []string{"7"})
	w.signin(`{"id":"7","user_info":{"n":1},"watchlist":["a"]}`)
	w.expectWatch(nil, []string{"a"})
	watcher.expectWatch([]string{"7"}, nil)
	w.askSignin(`{"id":"8"}`)
	w.expectError(4009, "already signed in")
	w.signin(`{"id":"7","user_info":{"n":2},"watchlist":["b"]}`)
	w.expectWatch(nil, []string{"b"})
	watcher.quiet() // no second online event
	w.ask("presence-x")
	sameJSON(t, w.expect("pusher_internal:subscription_succeeded", "presence-x").text(t), `{"presence":{"ids":["7"],"hash":{"7":{"n":2}},"count":1}}`)
	seven.signin(`{"id":"a"}`) // no longer on the watchlist
	w.quiet()
	w.ask("#server-to-user-8")
	w.expectRefusal("#server-to-user-8", "AuthError", 401, 4009)
}

func TestUSER06_SigninEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	w.signin(`{"id":"7"}`)
	w.subscribe("#server-to-user-7")
	w.close()
	w = h.connect(testApp())
	w.ask("#server-to-user-7")
	w.expectRefusal("#server-to-user-7", "AuthError", 401, 4009)
}

func TestUSER10_TheUsersOwnChannel(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.SubscriptionCount = true })
	h := serve(t, app)
	w, other := h.connect(app), h.connect(app)
	w.ask("#server-to-user-7")
	w.expectRefusal("#server-to-user-7", "AuthError", 401, 4009)
	w.signin(`{"id":"7"}`)
	w.subscribe("#server-to-user-7")
	w.quiet() // no presence, no count
	for _, channel := range []string{"#server-to-user-8", "#server-to-user-77"} {
		w.ask(channel)
		w.expectRefusal(channel, "AuthError", 401, 4009)
	}
	w.ask("#server-to-user-")
	w.expectRefusal("#server-to-user-", "InvalidChannel", 400, 0)
	other.quiet()
	sameJSON(t, h.state(app, "", ""), `{"channels":{}}`)
}

func TestUSER11_EventsToAUser(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	phone, laptop, deaf, namesake := h.connect(testApp()), h.connect(testApp()), h.connect(testApp()), h.connect(testApp())
	for _, w := range []*wire{phone, laptop} {
		w.signin(`{"id":"7"}`)
		w.subscribe("#server-to-user-7")
	}
	deaf.signin(`{"id":"7"}`) // signed in, did not join
	namesake.join("presence-x", `{"user_id":"7"}`)
	h.publish(testApp(), "#server-to-user-7", "nudge", `{"n":1}`)
	for _, w := range []*wire{phone, laptop} {
		w.expectText(`{"event":"nudge","channel":"#server-to-user-7","data":"{\"n\":1}"}`) // USER-12
	}
	deaf.quiet()
	namesake.quiet()
	phone.emit("client-x", "#server-to-user-7", 1)
	phone.expectError(0)
	laptop.quiet()
}

// expectWatch expects one watchlist event with these users (USER-20).
func (w *wire) expectWatch(online, offline []string) {
	w.t.Helper()
	var data struct {
		Events []struct {
			Name    string
			UserIDs []string `json:"user_ids"`
		}
	}
	m := w.expect("pusher_internal:watchlist_events", "")
	if err := json.Unmarshal([]byte(m.text(w.t)), &data); err != nil || data.Events == nil {
		w.t.Fatalf("%s: %v", m.raw, err)
	}
	got := map[string][]string{}
	for _, e := range data.Events {
		if len(e.UserIDs) == 0 || got[e.Name] != nil {
			w.t.Errorf("%s has an empty or a second group %s", m.raw, e.Name)
		}
		slices.Sort(e.UserIDs)
		got[e.Name] = e.UserIDs
	}
	if len(got) > 2 || !slices.Equal(got["online"], online) || !slices.Equal(got["offline"], offline) {
		w.t.Fatalf("got %s, want online %q, offline %q", m.raw, online, offline)
	}
}

func TestUSER21_TheWholeStateOnceThenChanges(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	b := h.connect(testApp())
	b.signin(`{"id":"b"}`)
	watcher := h.connect(testApp())
	watcher.signin(`{"id":"a","watchlist":["b","c","d","a"]}`)
	watcher.expectWatch([]string{"a", "b"}, []string{"c", "d"})
	watcher.quiet()
	c := h.connect(testApp())
	c.signin(`{"id":"c"}`)
	watcher.expectWatch([]string{"c"}, nil)
	h.connect(testApp()).signin(`{"id":"c"}`)                  // another connection of the same user
	h.connect(testApp()).join("presence-x", `{"user_id":"d"}`) // a presence id is no sign-in
	watcher.quiet()
}

func TestUSER22_OfflineIsToldAfterAWhileAndOnlyIfItLasts(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	watcher, b, c := h.connect(testApp()), h.connect(testApp()), h.connect(testApp())
	b.signin(`{"id":"b"}`)
	c.signin(`{"id":"c"}`)
	watcher.signin(`{"id":"a","watchlist":["b","c"]}`)
	watcher.expectWatch([]string{"b", "c"}, nil)
	left := time.Now()
	b.close()
	c.close()
	b = h.connect(testApp())
	b.signin(`{"id":"b"}`) // back at once: nobody is told
	watcher.expectWatch(nil, []string{"c"})
	if after := time.Since(left); after < 2*time.Second {
		t.Errorf("offline was told after %s", after)
	}
	watcher.quiet()
}

func TestUSER23_TheFirstHundredOfAWatchlist(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	ids := make([]string, 101)
	for i := range ids {
		ids[i] = fmt.Sprintf("u%03d", i)
	}
	w := h.connect(testApp())
	w.signin(asJSON(t, map[string]any{"id": "a", "watchlist": ids}))
	w.expectWatch(nil, ids[:100])
	w.expectError(4302, "100")
	h.connect(testApp()).signin(`{"id":"u100"}`)
	w.quiet()
	h.connect(testApp()).signin(`{"id":"u099"}`)
	w.expectWatch([]string{"u099"}, nil)
}

func TestUSER20_NoWatchlistUnlessTheAppAsks(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.Watchlist = false })
	h := serve(t, app)
	w := h.connect(app)
	w.signin(`{"id":"a","watchlist":["b"]}`)
	h.connect(app).signin(`{"id":"b"}`)
	w.quiet()
}

func TestUSER30_TerminateClosesWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	one, two, other, member := h.connect(testApp()), h.connect(testApp()), h.connect(testApp()), h.connect(testApp())
	one.signin(`{"id":"7"}`)
	two.signin(`{"id":"7"}`)
	other.signin(`{"id":"8"}`)
	member.join("presence-x", `{"user_id":"7"}`)
	for user, want := range map[string]int{"7": 200, "nobody": 200} {
		if status, answer := h.call(testApp(), "POST", "/users/"+user+"/terminate_connections", "", map[string]any{}); status != want || answer != "{}" {
			t.Errorf("terminate %s answers %d %s", user, status, answer)
		}
	}
	one.expectClose(4009)
	two.expectClose(4009)
	other.quiet()
	member.quiet()
	h.connect(testApp()).signin(`{"id":"7"}`) // may come back (USER-31)
}

func TestUSER30_PresenceIDsTooWhenTheAppSaysSo(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.Compat.TerminatePresence = true })
	h := serve(t, app)
	both, member, other := h.connect(app), h.connect(app), h.connect(app)
	both.signin(`{"id":"7"}`)
	both.join("presence-x", `{"user_id":"7"}`)
	member.join("presence-x", `{"user_id":"7"}`)
	other.join("presence-y", `{"user_id":"8"}`)
	h.call(app, "POST", "/users/7/terminate_connections", "", map[string]any{})
	both.expectClose(4009)
	member.expectClose(4009)
	other.quiet()
}

func TestUSER31_ReconnectWhenTheAppSaysSo(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.Compat.TerminateReconnect = true })
	h := serve(t, app)
	w := h.connect(app)
	w.signin(`{"id":"7"}`)
	h.call(app, "POST", "/users/7/terminate_connections", "", map[string]any{})
	w.expectClose(4200)
}
