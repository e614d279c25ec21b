package acmetest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const problemNamespace = "urn:ietf:params:acme:error:"

// request is one whose signature holds. order is that of the path, if it names
// one.
type request struct {
	key        *ecdsa.PublicKey
	thumbprint string
	account    int
	order      *order
	payload    []byte
}

// answer is what a request gets: JSON, or PEM.
type answer struct {
	status   int
	location string
	body     any
	pem      []byte
}

type problem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
	Status int    `json:"status"`
}

func refuse(status int, kind, detail string) answer {
	return answer{status: status, body: &problem{problemNamespace + kind, detail, status}}
}

func (a *Authority) reply(w http.ResponseWriter, r answer) {
	if r.location != "" {
		w.Header().Set("Location", r.location)
	}
	if r.pem != nil {
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		w.WriteHeader(r.status)
		w.Write(r.pem)
		return
	}
	kind := "application/json"
	if _, ok := r.body.(*problem); ok {
		kind = "application/problem+json"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(r.status)
	json.NewEncoder(w).Encode(r.body)
}

// jws is a signed request's body, and its head.
type jws struct {
	Protected, Payload, Signature string

	head struct {
		Alg, Nonce, URL, Kid string
		JWK                  *struct{ Kty, Crv, X, Y string }
	}
}

// accept checks a request's signature, nonce, address and account.
func (a *Authority) accept(r *http.Request, serve func(request) answer) answer {
	var body jws
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return refuse(http.StatusBadRequest, "malformed", err.Error())
	}
	if err := json.Unmarshal(decode(body.Protected), &body.head); err != nil {
		return refuse(http.StatusBadRequest, "malformed", err.Error())
	}
	if !a.nonces[body.head.Nonce] {
		return refuse(http.StatusBadRequest, "badNonce", "the nonce is unknown or was used")
	}
	delete(a.nonces, body.head.Nonce)
	if body.head.URL != a.server.URL+r.URL.Path {
		return refuse(http.StatusBadRequest, "unauthorized", "the request was signed for another address")
	}
	req := request{payload: decode(body.Payload)}
	if err := a.signer(&req, &body); err != nil {
		return refuse(http.StatusBadRequest, "malformed", err.Error())
	}
	if id := r.PathValue("id"); id != "" {
		n, err := strconv.Atoi(id)
		if err != nil || n < 0 || n >= len(a.orders) || a.orders[n].account != req.account {
			return refuse(http.StatusNotFound, "malformed", "no such order of this account")
		}
		req.order = a.orders[n]
	}
	return serve(req)
}

// signer finds who signed: a known account, or a new key.
func (a *Authority) signer(req *request, body *jws) error {
	h := &body.head
	switch {
	case h.JWK != nil && h.Kid == "":
		if h.JWK.Kty != "EC" || h.JWK.Crv != "P-256" {
			return errors.New("want a key on P-256")
		}
		req.key = &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(decode(h.JWK.X)), Y: new(big.Int).SetBytes(decode(h.JWK.Y))}
		sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, h.JWK.X, h.JWK.Y))
		req.thumbprint = base64.RawURLEncoding.EncodeToString(sum[:])
	case h.Kid != "":
		n, err := strconv.Atoi(strings.TrimPrefix(h.Kid, a.server.URL+"/account/"))
		if err != nil || n < 0 || n >= len(a.accounts) {
			return errors.New("no such account")
		}
		req.account, req.key, req.thumbprint = n, a.accounts[n].key, a.accounts[n].thumbprint
	default:
		return errors.New("want either jwk or kid")
	}
	signature := decode(body.Signature)
	sum := sha256.Sum256([]byte(body.Protected + "." + body.Payload))
	if h.Alg != "ES256" || len(signature) != 64 ||
		!ecdsa.Verify(req.key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return errors.New("the signature does not hold")
	}
	return nil
}

// prove connects to where the domain is found, which must answer the TLS-ALPN
// challenge (RFC 8737).
func prove(domain, address, authorization string) error {
	if address == "" {
		return fmt.Errorf("no address for %s", domain)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dialer := &tls.Dialer{Config: &tls.Config{ServerName: domain, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", domain, err)
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	leaf := state.PeerCertificates[0]
	if state.NegotiatedProtocol != "acme-tls/1" || !slices.Equal(leaf.DNSNames, []string{domain}) {
		return fmt.Errorf("%s answered with protocol %q and a certificate for %v", domain, state.NegotiatedProtocol, leaf.DNSNames)
	}
	sum := sha256.Sum256([]byte(authorization))
	want, err := asn1.Marshal(sum[:])
	if err != nil {
		return err
	}
	for _, e := range leaf.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}) && e.Critical && bytes.Equal(e.Value, want) {
			return nil
		}
	}
	return fmt.Errorf("%s does not know the token's answer", domain)
}

func newToken() string { return rand.Text() }

// decode gives the bytes of unpadded base64url, none when it is none.
func decode(s string) []byte {
	b, _ := base64.RawURLEncoding.DecodeString(s)
	return b
}
