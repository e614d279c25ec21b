package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Bounds on what is read from headers.
const (
	maxID         = 256
	maxSignatures = 16
)

// DefaultTolerance is how far a timestamp may be from the receiver's clock.
const DefaultTolerance = 5 * time.Minute

// Verifier checks received webhooks. Its methods may be called concurrently;
// its fields must not change meanwhile.
type Verifier struct {
	// Secrets in force; a signature made with any of them is right. Blank ones
	// do not count, and space around one is dropped.
	Secrets []string
	// How far a timestamp may be from now, in either direction. The default is
	// 5 minutes.
	Tolerance time.Duration
}

// Verified is what is known of an accepted webhook.
type Verified struct {
	Scheme Scheme
	// ID and Timestamp are signed, and set in the standard scheme alone.
	ID        string
	Timestamp time.Time
	// Until is when a replay would be stale anyway. A receiver that wants each
	// message once keeps the ids that it has carried out until then: only the
	// receiver knows whether carrying one out succeeded, and a retry after a
	// failure has the same id. Zero in the plain scheme.
	Until time.Time
	// Secret is the index in Secrets, without the blank ones, of the one that
	// it was signed with: the old one is still in use while it is not 0.
	Secret int
}

// Verify checks the signature of a raw body, in time that tells nothing of the
// secrets. The standard scheme counts when any of its signatures is there, else
// the plain one. It fails with a *VerifyError. It does not bound the body: the
// caller read it.
func (v *Verifier) Verify(h http.Header, body []byte, now time.Time) (Verified, error) {
	secrets := usable(v.Secrets)
	switch {
	case len(secrets) == 0:
		return Verified{}, &VerifyError{Reason: ReasonNoSecret, Message: "there is no secret to check the signature with"}
	case len(h.Values(HeaderStandardSignature)) > 0:
		return v.standard(h, secrets, body, now)
	case len(h.Values(HeaderSignature)) > 0:
		return plain(h, secrets, body)
	}
	return Verified{}, &VerifyError{Reason: ReasonMissing, Message: "there is no signature: neither " + HeaderSignature + " nor " + HeaderStandardSignature}
}

func plain(h http.Header, secrets []string, body []byte) (Verified, error) {
	fail := func(reason Reason, message string) (Verified, error) {
		return Verified{}, &VerifyError{reason, Plain, message}
	}
	given := h.Values(HeaderSignature)
	if len(given) > 1 {
		return fail(ReasonMalformed, HeaderSignature+" is there more than once")
	}
	if given[0] == "" {
		return fail(ReasonMissing, HeaderSignature+" is empty")
	}
	signature, err := hex.DecodeString(given[0])
	if err != nil || len(signature) != sha256.Size {
		return fail(ReasonMalformed, HeaderSignature+" must be 64 hexadecimal digits")
	}
	keys := make([][]byte, len(secrets))
	for i, s := range secrets {
		keys[i] = []byte(s)
	}
	which := match([][]byte{signature}, keys, body)
	if which < 0 {
		return fail(ReasonWrong, "the signature is not that of this body with this secret")
	}
	return Verified{Scheme: Plain, Secret: which}, nil
}

func (v *Verifier) standard(h http.Header, secrets []string, body []byte, now time.Time) (Verified, error) {
	fail := func(reason Reason, message string) (Verified, error) {
		return Verified{}, &VerifyError{reason, Standard, message}
	}
	for _, name := range []string{HeaderID, HeaderTimestamp, HeaderStandardSignature} {
		switch given := h.Values(name); {
		case len(given) > 1:
			return fail(ReasonMalformed, name+" is there more than once")
		case len(given) == 0 || given[0] == "":
			return fail(ReasonMissing, "there is no "+name)
		}
	}
	id, stamp := h.Get(HeaderID), h.Get(HeaderTimestamp)
	if !validID(id) {
		return fail(ReasonMalformed, HeaderID+" must be at most 256 visible ASCII characters without a full stop")
	}
	seconds, err := strconv.ParseUint(stamp, 10, 40)
	if err != nil || strconv.FormatUint(seconds, 10) != stamp {
		return fail(ReasonMalformed, HeaderTimestamp+" must be a time in whole seconds since 1970")
	}
	signatures := standardSignatures(h.Get(HeaderStandardSignature))
	if len(signatures) == 0 {
		return fail(ReasonMalformed, HeaderStandardSignature+" must hold v1, and the base64 of 32 bytes")
	}
	keys, owners, err := standardKeys(secrets)
	if err != nil {
		return fail(ReasonNoSecret, err.Error())
	}
	which := match(signatures, keys, standardContent(id, stamp, body))
	if which < 0 {
		return fail(ReasonWrong, "the signature is not that of this id, timestamp and body with this secret")
	}
	tolerance := v.Tolerance
	if tolerance <= 0 {
		tolerance = DefaultTolerance
	}
	at := time.Unix(int64(seconds), 0)
	if off := now.Sub(at); off > tolerance || off < -tolerance {
		return fail(ReasonStale, "the signature is right, and its timestamp is "+off.Abs().Round(time.Second).String()+direction(off))
	}
	return Verified{Scheme: Standard, ID: id, Timestamp: at, Until: at.Add(tolerance), Secret: owners[which]}, nil
}

func direction(off time.Duration) string {
	if off > 0 {
		return " old"
	}
	return " in the future: compare the clocks"
}

// match gives the index of the key that one of the signatures was made with,
// or -1. It tries all of them, whatever it finds.
func match(signatures, keys [][]byte, content []byte) int {
	which := -1
	for i, key := range keys {
		right := mac(key, content)
		for _, s := range signatures {
			if hmac.Equal(s, right) && which < 0 {
				which = i
			}
		}
	}
	return which
}

// standardKeys gives every key that a secret may stand for, and whose it is. A
// secret without its prefix may be base64 all the same: many senders leave the
// prefix away.
func standardKeys(secrets []string) (keys [][]byte, owners []int, err error) {
	for i, s := range secrets {
		key, keyErr := standardKey(s)
		if keyErr != nil {
			err = keyErr
			continue
		}
		keys, owners = append(keys, key), append(owners, i)
		if strings.HasPrefix(s, secretPrefix) {
			continue
		}
		if decoded, err := decodeBase64(s); err == nil && len(decoded) >= 16 {
			keys, owners = append(keys, decoded), append(owners, i)
		}
	}
	if len(keys) > 0 {
		err = nil
	}
	return keys, owners, err
}

// standardSignatures gives the signatures of version 1 in a header.
func standardSignatures(header string) (list [][]byte) {
	for part := range strings.FieldsSeq(header) {
		encoded, ok := strings.CutPrefix(part, "v1,")
		if !ok {
			continue
		}
		if s, err := decodeBase64(encoded); err == nil && len(s) == sha256.Size && len(list) < maxSignatures {
			list = append(list, s)
		}
	}
	return list
}

// validID refuses a full stop too: it parts the id from the timestamp in what
// is signed, so an id with one could be read in two ways.
func validID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' || id[i] == '.' {
			return false
		}
	}
	return len(id) <= maxID
}
