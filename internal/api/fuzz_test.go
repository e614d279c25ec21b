package api_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"unicode/utf8"
)

// FuzzBodies: no body makes the publish endpoints panic or answer outside the
// table; what is accepted is JSON with the right members, and what is not JSON
// is refused.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		goodEvent, `{"batch":[` + goodEvent + `]}`, `{}`, `[]`, ``, `{"name":"e","channels":["a","b"],"data":{"x":[1,2]},"info":"user_count","receipt":true}`,
		`{"name":"\ud83d\ude00","channel":"c","data":"\u0000"}`, `{"name":"e","channel":"c","data":"1","socket_id":"1.2"}`, "{\"name\":\"\xff\"}",
		`{"batch":[]}`, `{"batch":null}`, `{"name":"e","name":"f","channel":"c","data":1e5}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		fix := start(t)
		ok := func(w *httptest.ResponseRecorder) bool {
			if !json.Valid(w.Body.Bytes()) || !utf8.Valid(w.Body.Bytes()) {
				t.Errorf("answer is not JSON: %q", w.Body)
			}
			switch w.Code {
			case 200, 202:
				return true
			case 400, 413:
				return false
			}
			t.Errorf("status %d for %q: %s", w.Code, body, w.Body)
			return false
		}
		if ok(fix.post("/events", body)) {
			var event map[string]json.RawMessage
			if err := json.Unmarshal([]byte(body), &event); err != nil || event["name"] == nil || event["data"] == nil || event["channel"] == nil && event["channels"] == nil {
				t.Errorf("accepted %q", body)
			}
			for _, e := range fix.hub.events() {
				var data string
				if err := json.Unmarshal(e.Data, &data); err != nil {
					t.Errorf("data %q of %q is no string: %v", e.Data, body, err)
				}
				if len(data) != e.Size {
					t.Errorf("data of %q has %d bytes, was counted as %d", body, len(data), e.Size)
				}
			}
		}
		if ok(fix.post("/batch_events", body)) && !json.Valid([]byte(body)) {
			t.Errorf("accepted a batch that is not JSON: %q", body)
		}
		if accepted := ok(fix.call("POST", base+"/channels/c/events", body, "name=e")); accepted != (utf8.ValidString(body) && len(body) <= 10240) {
			t.Errorf("plain data %q: accepted %v", body, accepted)
		}
		if accepted := ok(fix.post("/users/7/terminate_connections", body)); accepted != (body == "" || json.Valid([]byte(body))) {
			t.Errorf("terminate with %q: accepted %v", body, accepted)
		}
	})
}

// FuzzTargets: no path or query makes the router panic or accept a request that
// was not signed.
func FuzzTargets(f *testing.F) {
	for _, seed := range []string{"/apps/730041/channels", "/apps/%2e%2e/events?auth_key=x", "/apps/730041/channels/%zz?%&=&;&auth_key=%", "//", "/apps/a/users/b/terminate_connections"} {
		f.Add("GET", seed)
		f.Add("POST", seed)
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		r := httptest.NewRequest("GET", "/", nil)
		u, err := r.URL.Parse(target)
		if err != nil {
			t.Skip()
		}
		fix := start(t)
		r.Method, r.URL, r.RequestURI = method, u, target
		if w := record(fix, r); w.Code < 400 || w.Code >= 500 {
			t.Errorf("%s %q: %d %s", method, target, w.Code, w.Body)
		}
	})
}
