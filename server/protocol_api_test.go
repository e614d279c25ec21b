package server_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// url is the address of everything HTTP.
func (h *host) url() string {
	if h.tls != nil {
		return "https://" + h.addr
	}
	return "http://" + h.addr
}

// call makes a signed call of the HTTP API and gives its answer.
func (h *host) call(app *belfry.App, method, path, query string, body any) (status int, answer string) {
	h.t.Helper()
	var raw []byte
	if body != nil {
		raw = []byte(asJSON(h.t, body))
	}
	path = "/apps/" + app.ID + path
	signed := "auth_key=" + app.Keys[0].Key + "&auth_timestamp=" + strconv.FormatInt(time.Now().Unix(), 10) + "&auth_version=1.0"
	if raw != nil {
		sum := md5.Sum(raw)
		signed += "&body_md5=" + hex.EncodeToString(sum[:])
	}
	if query != "" {
		signed += "&" + query
	}
	text := pusher.RequestText(method, path, pusher.ParseQuery(signed, false), false)
	request, err := http.NewRequestWithContext(h.t.Context(), method,
		h.url()+path+"?"+signed+"&auth_signature="+pusher.Sign(app.Keys[0].Secret, text), bytes.NewReader(raw))
	if err != nil {
		h.t.Fatal(err)
	}
	response, err := h.http.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(b))
}

// publish publishes one event through the HTTP API.
func (h *host) publish(app *belfry.App, channel, event, data string) {
	h.t.Helper()
	if status, answer := h.call(app, "POST", "/events", "", map[string]any{"name": event, "channels": []string{channel}, "data": data}); status != 200 {
		h.t.Fatalf("publish answered %d %s", status, answer)
	}
}

// state gives the HTTP API's answer about a path below /channels.
func (h *host) state(app *belfry.App, path, query string) string {
	h.t.Helper()
	status, answer := h.call(app, "GET", "/channels"+path, query, nil)
	if status != 200 {
		h.t.Fatalf("GET /channels%s answered %d %s", path, status, answer)
	}
	return answer
}

// sameJSON compares two JSON texts by value.
func sameJSON(t testing.TB, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}
