package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
)

// Other is a secret that is not in force, and what to call it.
type Other struct{ Name, Secret string }

// Diagnose says which common mistake would explain a signature that Verify
// refused, in one sentence for the receiver's log, or "" when none would. It
// tries one mistake at a time: another way to write the signature, the secret or
// the body, or another secret, which others may name.
//
// It accepts nothing, and its answer holds neither a secret nor a right
// signature. It does tell whether a guess came near, so it must not go to the
// caller. It costs some hundred signatures, so callers limit how often; bodies
// over MaxBody are not looked at.
func Diagnose(h http.Header, body []byte, secrets []string, others ...Other) string {
	d := diagnosis{body: body, secrets: nonBlank(secrets), others: others}
	if len(d.secrets) == 0 || len(body) > MaxBody {
		return ""
	}
	name, text := HeaderStandardSignature, h.Get(HeaderStandardSignature)
	if text == "" {
		name, text = HeaderSignature, h.Get(HeaderSignature)
	} else {
		d.standard, d.id, d.stamp = true, h.Get(HeaderID), h.Get(HeaderTimestamp)
	}
	if text == "" {
		return otherHeader(h)
	}
	if len(text) > 2048 || len(d.id) > maxID || len(d.stamp) > maxID {
		return ""
	}
	signature, form := readSignature(text, d.standard)
	if signature == nil {
		return name + " holds something that is no HMAC-SHA256 in hexadecimal or base64" + lengthHint(text)
	}
	d.signature = signature
	mistake := d.find()
	if mistake == "" && form != "" && len(signature) == sha256.Size {
		return "the signature is written " + form + ", and is wrong besides: another secret, or another body"
	}
	return join(form, mistake)
}

// join makes the sentence of what was found.
func join(form, mistake string) string {
	switch {
	case mistake == "" || mistake == rightAsIs && form == "":
		return ""
	case mistake == rightAsIs:
		return "the signature would be right, but is written " + form
	case form == "":
		return mistake
	}
	return mistake + "; and it is written " + form
}

// readSignature gives the bytes of a signature in any of the usual forms, and
// what is unusual in its form.
func readSignature(text string, standard bool) (signature []byte, form string) {
	if standard {
		if s := standardSignatures(text); len(s) > 0 {
			return s[0], ""
		}
		text = strings.TrimPrefix(strings.Fields(text + " x")[0], "v1,")
		form = "other than as v1, and base64"
	}
	bare := strings.Trim(strings.TrimSpace(text), `"'`)
	if bare != text {
		form = "with quotes or space around it"
	}
	for _, prefix := range []string{"sha256=", "SHA256=", "sha256:", "hmac-sha256=", "v1,", "v1="} {
		if cut, ok := strings.CutPrefix(bare, prefix); ok {
			bare, form = cut, "with the prefix "+prefix+" before it"
			break
		}
	}
	if s, err := hex.DecodeString(bare); err == nil && len(s) == sha256.Size {
		return s, form
	}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		s, err := e.DecodeString(strings.TrimRight(bare, "="))
		if err != nil {
			continue
		}
		if len(s) == sha256.Size {
			return s, "in base64 instead of hexadecimal" + after(form)
		}
		if digits, err := hex.DecodeString(string(s)); err == nil && len(digits) == sha256.Size {
			return digits, "as the base64 of the hexadecimal digits" + after(form)
		}
	}
	return nil, ""
}

func after(form string) string {
	if form == "" || strings.HasPrefix(form, "other") {
		return ""
	}
	return ", " + form
}

func lengthHint(text string) string {
	switch len(text) {
	case 40:
		return "; its length is that of SHA-1"
	case 96:
		return "; its length is that of SHA-384"
	case 128:
		return "; its length is that of SHA-512"
	}
	return ""
}

// otherHeader names a header in which a signature may have been meant to be.
func otherHeader(h http.Header) string {
	for _, name := range []string{"X-Signature", "X-Hub-Signature-256", "X-Signature-256", "X-Pusher-Signature", "X-Webhook-Signature-256", "Signature", "Svix-Signature"} {
		if h.Get(name) != "" {
			return "there is no " + HeaderSignature + ", but " + name + " is there: the sender may use another header's name"
		}
	}
	return ""
}

// rightAsIs is found when only the signature's form is wrong.
const rightAsIs = "right"

// diagnosis looks for the mistake behind one signature.
type diagnosis struct {
	signature []byte
	body      []byte
	secrets   []string
	others    []Other
	standard  bool
	id, stamp string
}

// fits reports whether the signature is the one of body with key.
func (d *diagnosis) fits(key, body []byte) bool {
	if d.standard {
		body = standardContent(d.id, d.stamp, body)
	}
	return hmac.Equal(d.signature, mac(key, body))
}

// keys gives what a secret stands for.
func (d *diagnosis) keys(secret string) [][]byte {
	if d.standard {
		if keys, _, err := standardKeys([]string{secret}); err == nil {
			return keys
		}
	}
	return [][]byte{[]byte(secret)}
}

func (d *diagnosis) find() string {
	for _, secret := range usable(d.secrets) {
		for _, key := range d.keys(secret) {
			if d.fits(key, d.body) {
				return rightAsIs
			}
		}
	}
	for _, look := range []func() string{d.otherSecret, d.otherFormOfSecret, d.otherContent, d.otherBody} {
		if mistake := look(); mistake != "" {
			return mistake
		}
	}
	return ""
}

// otherSecret tries the secrets that are not in force.
func (d *diagnosis) otherSecret() string {
	for _, o := range d.others {
		for _, secret := range ParseSecrets(o.Secret) {
			for _, key := range d.keys(secret) {
				if d.fits(key, d.body) {
					return "the sender signs with another secret: " + o.Name
				}
			}
		}
	}
	return ""
}

// nonBlank leaves out secrets of nothing but space; the others stay as they are
// written, since the space around one may be the mistake.
func nonBlank(secrets []string) (list []string) {
	for _, s := range secrets {
		if strings.TrimSpace(s) != "" && len(list) < 8 {
			list = append(list, s)
		}
	}
	return list
}
