package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Scheme is a way to sign.
type Scheme string

// The schemes.
const (
	Plain    Scheme = "plain"    // X-Webhook-Signature
	Standard Scheme = "standard" // Standard Webhooks
)

// The headers of the schemes, in canonical form.
const (
	HeaderSignature         = "X-Webhook-Signature"
	HeaderID                = "Webhook-Id"
	HeaderTimestamp         = "Webhook-Timestamp"
	HeaderStandardSignature = "Webhook-Signature"
)

// MaxBody is the longest body, in bytes, that Belfry's receiver takes.
const MaxBody = 64 << 10

// secretPrefix marks a secret of Standard Webhooks, whose rest is base64.
const secretPrefix = "whsec_"

// Sign gives the plain signature of a raw body: hex HMAC-SHA256, whose key is
// the secret's text as it is.
func Sign(secret string, body []byte) string {
	return hex.EncodeToString(mac([]byte(secret), body))
}

// SignStandard gives the signature of Standard Webhooks, with its version. A
// secret that begins with whsec_ is base64 after it; any other is taken as the
// text that it is. It fails when what follows whsec_ is not base64.
func SignStandard(secret, id string, at time.Time, body []byte) (string, error) {
	key, err := standardKey(secret)
	if err != nil {
		return "", err
	}
	return "v1," + base64.StdEncoding.EncodeToString(mac(key, standardContent(id, strconv.FormatInt(at.Unix(), 10), body))), nil
}

// SetHeaders signs body with each of the schemes and sets their headers. Of
// several secrets a plain signature is made with the first; a standard one is
// made with each. Blank secrets are left out.
func SetHeaders(h http.Header, schemes []Scheme, secrets []string, id string, at time.Time, body []byte) error {
	secrets = usable(secrets)
	if len(secrets) == 0 {
		return errors.New("webhook: there is no secret to sign with")
	}
	for _, scheme := range schemes {
		switch scheme {
		case Plain:
			h.Set(HeaderSignature, Sign(secrets[0], body))
		case Standard:
			var all []string
			for _, secret := range secrets {
				signature, err := SignStandard(secret, id, at, body)
				if err != nil {
					return err
				}
				all = append(all, signature)
			}
			h.Set(HeaderID, id)
			h.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
			h.Set(HeaderStandardSignature, strings.Join(all, " "))
		default:
			return errors.New("webhook: there is no scheme " + strconv.Quote(string(scheme)))
		}
	}
	return nil
}

// NewID gives an id for a message. Retries of a message keep its id, so that a
// receiver can tell them from another message.
func NewID() string { return "msg_" + strings.ToLower(rand.Text()) }

// ParseSecrets reads one secret, or several parted by commas, as
// SERVICES_WEBHOOK_SHARED_SECRET holds them. Space around a secret is dropped.
func ParseSecrets(text string) []string {
	return usable(strings.Split(text, ","))
}

// usable gives the secrets without space around them and without blank ones,
// with which anybody could sign.
func usable(secrets []string) (list []string) {
	for _, s := range secrets {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// standardKey gives the key that a secret of Standard Webhooks stands for.
func standardKey(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return []byte(secret), nil
	}
	key, err := decodeBase64(encoded)
	if err != nil || len(key) == 0 {
		return nil, errors.New("webhook: a secret that begins with whsec_ must be base64 after it")
	}
	return key, nil
}

// standardContent is what a signature of Standard Webhooks covers.
func standardContent(id, timestamp string, body []byte) []byte {
	content := make([]byte, 0, len(id)+len(timestamp)+len(body)+2)
	content = append(content, id...)
	content = append(content, '.')
	content = append(content, timestamp...)
	content = append(content, '.')
	return append(content, body...)
}

// decodeBase64 takes padding or leaves it.
func decodeBase64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}

func mac(key, content []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(content)
	return m.Sum(nil)
}
