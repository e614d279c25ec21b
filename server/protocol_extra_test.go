package server_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// CH-17: a client that subscribes without waiting is established first.
func TestCH17_SubscribeBeforeEstablished(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w := &wire{t: t, app: testApp(), conn: conn, r: bufio.NewReader(conn)}
	w.write(append([]byte("GET /app/"+appKey+"?protocol=7 HTTP/1.1\r\nHost: "+h.addr+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Version: 13\r\n\r\n"),
		clientFrame(0x81, []byte(`{"event":"pusher:subscribe","data":{"channel":"x","auth":""}}`))...))
	conn.SetReadDeadline(time.Now().Add(patience))
	if answer, err := http.ReadResponse(w.r, nil); err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v", err)
	}
	w.established()
	w.expect("pusher_internal:subscription_succeeded", "x")
}

// FALL-03: the fallback transports are not there, and nothing pretends that
// they are.
func TestFALL03_FallbackPathsAreNotAnswered(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	for _, path := range []string{
		"/pusher/app/" + appKey + "/123/abcdefgh/xhr_streaming?protocol=7&t=1&n=1", "/pusher/app/" + appKey + "/123/abcdefgh/xhr", "/pusher/app/" + appKey + "/123/abcdefgh/xhr_send",
		"/app/" + appKey + "/123/abcdefgh/xhr_streaming", "/pusher/info", "/anything",
	} {
		response, err := h.http.Post("http://"+h.addr+path, "application/json", strings.NewReader("[]"))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode < 400 || response.StatusCode >= 500 {
			t.Errorf("POST %s answers %d", path, response.StatusCode)
		}
	}
}
