package webpushtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// decrypt reads a body of one record: RFC 8291, section 3.4, over RFC 8188,
// section 2.
func decrypt(body []byte, key *ecdh.PrivateKey, auth []byte) ([]byte, error) {
	if len(body) > 4096 || len(body) < 21 {
		return nil, fmt.Errorf("the body has %d bytes", len(body))
	}
	salt, size, keyLength := body[:16], binary.BigEndian.Uint32(body[16:20]), int(body[20])
	if len(body) < 21+keyLength {
		return nil, errors.New("the header is cut")
	}
	sender, record := body[21:21+keyLength], body[21+keyLength:]
	if uint32(len(record)) > size {
		return nil, fmt.Errorf("more than one record: %d bytes of %d", len(record), size)
	}
	public, err := ecdh.P256().NewPublicKey(sender)
	if err != nil {
		return nil, err
	}
	secret, err := key.ECDH(public)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(key.PublicKey().Bytes()) + string(sender)
	input, err := hkdf.Key(sha256.New, secret, auth, info, 32)
	if err != nil {
		return nil, err
	}
	content, err := hkdf.Key(sha256.New, input, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, input, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(content)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce, record, nil)
	if err != nil {
		return nil, err
	}
	padded := strings.TrimRight(string(plain), "\x00")
	text, last := strings.CutSuffix(padded, "\x02")
	if !last {
		return nil, errors.New("the last record has no mark of its end")
	}
	return []byte(text), nil
}

// vapid judges an Authorization header: RFC 8292, sections 2 and 3.
func vapid(header, audience string) (key, subject string, err error) {
	rest, ok := strings.CutPrefix(header, "vapid ")
	if !ok {
		return "", "", fmt.Errorf("authorization %q", header)
	}
	values := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		values[name] = value
	}
	decode := base64.RawURLEncoding.DecodeString
	public, err := decode(values["k"])
	if err != nil || len(public) != 65 {
		return "", "", fmt.Errorf("key %q: %v", values["k"], err)
	}
	parts := strings.Split(values["t"], ".")
	if len(parts) != 3 {
		return "", "", fmt.Errorf("token %q", values["t"])
	}
	signature, err := decode(parts[2])
	if err != nil || len(signature) != 64 {
		return "", "", fmt.Errorf("signature %q: %v", parts[2], err)
	}
	signer, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), public)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(signer, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return "", "", errors.New("the token's signature is wrong")
	}
	var head struct{ Alg string }
	var claims struct {
		Aud, Sub string
		Exp      int64
	}
	for i, into := range []any{&head, &claims} {
		text, err := decode(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			return "", "", err
		}
	}
	left := time.Until(time.Unix(claims.Exp, 0))
	if head.Alg != "ES256" || claims.Aud != audience || left <= 0 || left > 24*time.Hour {
		return "", "", fmt.Errorf("claims %+v of a token with %s", claims, head.Alg)
	}
	return values["k"], claims.Sub, nil
}
