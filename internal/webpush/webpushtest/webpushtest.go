// Package webpushtest is a push service on loopback with browsers that decrypt
// what they get, written from the RFCs and not from the sending side.
package webpushtest

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// Service is a push service that speaks https.
type Service struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex // guards all below
	browsers map[string]*Browser
	answer   func(b *Browser) (status int, retryAfter string)
	busy     int
	most     int
}

// Start starts a push service that takes everything. It ends with the test.
func Start(t testing.TB) *Service {
	t.Helper()
	s := &Service{t: t, browsers: map[string]*Browser{}}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.take))
	t.Cleanup(s.Close)
	return s
}

// Answer has the service answer with a status, and with Retry-After unless that
// is empty; nil: everything is taken. A status of 0 is 201.
func (s *Service) Answer(answer func(b *Browser) (status int, retryAfter string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Most is how many requests it had at once.
func (s *Service) Most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// Browser is one that has subscribed.
type Browser struct {
	Endpoint string
	P256DH   string
	Auth     string

	service *Service
	key     *ecdh.PrivateKey
	auth    []byte

	mu  sync.Mutex // guards got and asked
	got []Message
	// asked counts requests, those too that were not taken.
	asked int
}

// Message is what a browser got.
type Message struct {
	Payload string // decrypted
	TTL     int    // seconds
	Urgency string
	Topic   string
	Key     string // the sender's public key
	Subject string // who answers for it
}

// Subscribe gives a new browser.
func (s *Service) Subscribe() *Browser {
	s.t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	b := &Browser{service: s, key: key, auth: make([]byte, 16)}
	rand.Read(b.auth)
	name := rand.Text()
	b.Endpoint = s.URL + "/push/" + name
	b.P256DH = base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes())
	b.Auth = base64.RawURLEncoding.EncodeToString(b.auth)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.browsers["/push/"+name] = b
	return b
}

// JSON is the subscription as PushSubscription.toJSON gives it.
func (b *Browser) JSON() string {
	text, err := json.Marshal(map[string]any{"endpoint": b.Endpoint, "expirationTime": nil, "keys": map[string]string{"p256dh": b.P256DH, "auth": b.Auth}})
	if err != nil {
		b.service.t.Error(err)
	}
	return string(text)
}

// Messages are those that it got, in their order.
func (b *Browser) Messages() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Message(nil), b.got...)
}

// Asked counts what was sent to it, taken or not.
func (b *Browser) Asked() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

func (s *Service) enter(path string) (b *Browser, answer func(*Browser) (int, string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
	s.most = max(s.most, s.busy)
	return s.browsers[path], s.answer
}

func (s *Service) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
}

func (s *Service) take(w http.ResponseWriter, r *http.Request) {
	b, answer := s.enter(r.URL.Path)
	defer s.leave()
	if b == nil {
		http.Error(w, "no such subscription", http.StatusNotFound)
		return
	}
	m, err := s.read(b, r)
	b.mu.Lock()
	b.asked++
	b.mu.Unlock()
	if err != nil {
		s.t.Errorf("the push service got what is no message: %v", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	status, after := 0, ""
	if answer != nil {
		status, after = answer(b)
	}
	if after != "" {
		w.Header().Set("Retry-After", after)
	}
	if status == 0 {
		status = http.StatusCreated
	}
	if status < 300 {
		b.mu.Lock()
		b.got = append(b.got, m)
		b.mu.Unlock()
	}
	w.WriteHeader(status)
}

// read judges the headers and decrypts the body.
func (s *Service) read(b *Browser, r *http.Request) (m Message, err error) {
	if r.Method != http.MethodPost || r.Header.Get("Content-Encoding") != "aes128gcm" {
		return m, fmt.Errorf("%s with the encoding %q", r.Method, r.Header.Get("Content-Encoding"))
	}
	if m.TTL, err = strconv.Atoi(r.Header.Get("TTL")); err != nil || m.TTL < 0 {
		return m, fmt.Errorf("TTL %q", r.Header.Get("TTL"))
	}
	m.Urgency, m.Topic = r.Header.Get("Urgency"), r.Header.Get("Topic")
	if len(m.Topic) > 32 {
		return m, fmt.Errorf("topic %q", m.Topic)
	}
	if m.Key, m.Subject, err = vapid(r.Header.Get("Authorization"), s.URL); err != nil {
		return m, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4097))
	if err != nil {
		return m, err
	}
	payload, err := decrypt(body, b.key, b.auth)
	m.Payload = string(payload)
	return m, err
}
