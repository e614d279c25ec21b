package web_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
)

// Whatever is posted gets an answer, and what is accepted can be sent.
func FuzzEvents(f *testing.F) {
	for _, body := range []string{
		good,
		`{"event":"e","channels":["a","b","a"],"data":null,"delay":"90s","expires_in":3600,"now":false,"queue":"high"}`,
		`{"event":"é\u0000","channels":["#server-to-user-7"],"data":"\ud800","with_id":true,"app":"2"}`,
		`{"event":"e","channels":["private-encrypted-a"],"data":{"nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","ciphertext":"AAAAAAAAAAAAAAAAAAAAAA=="}}`,
		`{"event":"e","channels":["a"],"data":{"a":[1e400,{"b":"\u2028<"}]},"with_id":true,"exclude_socket_id":"1.2","tries":3}`,
		`{"channels":[null],"delay":1e309,"zz":{}}`, ``, `[`, `{"a":1,"a":2}`,
	} {
		f.Add(body)
	}
	d := newDoor(f)
	f.Fuzz(func(t *testing.T, body string) {
		d.queue.mu.Lock()
		d.queue.all = nil
		d.queue.mu.Unlock()
		r := httptest.NewRequest("POST", "/api/events", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer admin")
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, r)
		if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code != 202 {
			return
		}
		var e belfry.Event
		if err := json.Unmarshal(d.queue.all[0].Payload, &e); err != nil {
			t.Fatal(err)
		}
		if sent, err := broadcast.Encode(e); err != nil || len(sent.Channels) != len(e.Channels) {
			t.Fatalf("accepted %q, and then: %v", body, err)
		}
	})
}
