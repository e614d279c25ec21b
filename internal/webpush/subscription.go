package webpush

import (
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
)

// Subscription is a browser that agreed to be reached, as PushSubscription says
// it. All of it is secret: who knows it can send to that browser, or read what
// is sent.
type Subscription struct {
	Endpoint string // where its push service takes messages
	P256DH   string // its public key, in base64url
	Auth     string // what authenticates messages, in base64url
}

// maxEndpoint bounds an endpoint, in bytes. The longest in use have about 1,000.
const maxEndpoint = 2048

// Faults are what is wrong with parts of a subscription, by their names in the
// JSON of PushSubscription.
type Faults map[string]string

// Normal gives the subscription with its keys in one form, or what is wrong
// with it.
func (s Subscription) Normal() (Subscription, Faults) {
	found := Faults{}
	if fault := endpointFault(s.Endpoint); fault != "" {
		found["endpoint"] = fault
	}
	key, err := decodeKey(s.P256DH)
	if err == nil {
		_, err = ecdh.P256().NewPublicKey(key)
	}
	if err != nil {
		found["keys.p256dh"] = "it must be the subscription's public key: 65 bytes in base64url"
	}
	auth, err := decodeKey(s.Auth)
	if err != nil || len(auth) != 16 {
		found["keys.auth"] = "it must be the subscription's secret: 16 bytes in base64url"
	}
	if len(found) > 0 {
		return s, found
	}
	encode := base64.RawURLEncoding.EncodeToString
	return Subscription{Endpoint: s.Endpoint, P256DH: encode(key), Auth: encode(auth)}, nil
}

func endpointFault(raw string) string {
	if raw == "" {
		return "it is missing"
	}
	if len(raw) > maxEndpoint {
		return "it is too long"
	}
	u, err := url.Parse(raw)
	odd := strings.ContainsFunc(raw, func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' })
	switch {
	case err != nil || odd || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return "it must be the address that the browser gave"
	case u.Scheme != "https":
		return "it must be an https address"
	}
	return ""
}

// decodeKey reads what browsers write unpadded, and others with padding.
func decodeKey(text string) ([]byte, error) {
	const most = 200
	if len(text) > most {
		return nil, errors.New("too long")
	}
	return base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
}

// Host is where the push service is, for logs and for counting what is down.
func (s Subscription) Host() string {
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}

// withoutURL is an error of an http.Client without the address.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
