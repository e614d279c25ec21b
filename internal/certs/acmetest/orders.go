package acmetest

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// account is one applicant's.
type account struct {
	key        *ecdsa.PublicKey
	thumbprint string
}

// order asks for the certificate of one domain. Its authorization and
// challenge go by the same number.
type order struct {
	id          int
	account     int
	domain      string
	token       string
	status      string // of the order: pending, ready, valid, invalid
	proof       string // of the challenge: pending, valid, invalid
	problem     *problem
	certificate []byte
}

func (a *Authority) url(path string, id ...int) string {
	url := a.server.URL + path
	for _, n := range id {
		url += "/" + strconv.Itoa(n)
	}
	return url
}

func (a *Authority) directory(w http.ResponseWriter, _ *http.Request) {
	a.reply(w, answer{status: http.StatusOK, body: map[string]any{
		"newNonce": a.url("/nonce"), "newAccount": a.url("/account"), "newOrder": a.url("/order"),
		"revokeCert": a.url("/revoke"), "keyChange": a.url("/key-change"),
	}})
}

func (a *Authority) newAccount(r request) answer {
	var asked struct{ TermsOfServiceAgreed bool }
	if err := json.Unmarshal(r.payload, &asked); err != nil || !asked.TermsOfServiceAgreed {
		return refuse(http.StatusForbidden, "userActionRequired", "the terms are not agreed to")
	}
	a.accounts = append(a.accounts, account{r.key, r.thumbprint})
	return answer{status: http.StatusCreated, location: a.url("/account", len(a.accounts)-1), body: map[string]any{"status": "valid"}}
}

func (a *Authority) newOrder(r request) answer {
	var asked struct {
		Identifiers []struct{ Type, Value string }
	}
	if err := json.Unmarshal(r.payload, &asked); err != nil || len(asked.Identifiers) != 1 || asked.Identifiers[0].Type != "dns" {
		return refuse(http.StatusBadRequest, "malformed", "want one domain")
	}
	o := &order{id: len(a.orders), account: r.account, domain: asked.Identifiers[0].Value, token: newToken(), status: "pending", proof: "pending"}
	a.orders = append(a.orders, o)
	return a.orderAnswer(o, http.StatusCreated)
}

func (a *Authority) orderAnswer(o *order, status int) answer {
	body := map[string]any{
		"status": o.status, "identifiers": []any{identifier(o.domain)}, "expires": expires(),
		"authorizations": []string{a.url("/authz", o.id)}, "finalize": a.url("/finalize", o.id),
	}
	if o.certificate != nil {
		body["certificate"] = a.url("/certificate", o.id)
	}
	return answer{status: status, location: a.url("/order", o.id), body: body}
}

func identifier(domain string) map[string]any { return map[string]any{"type": "dns", "value": domain} }

func expires() string { return time.Now().Add(time.Hour).UTC().Format(time.RFC3339) }

func (a *Authority) showOrder(r request) answer { return a.orderAnswer(r.order, http.StatusOK) }

func (a *Authority) authorization(r request) answer {
	o := r.order
	return answer{status: http.StatusOK, body: map[string]any{
		"status": o.proof, "identifier": identifier(o.domain), "expires": expires(), "challenges": []any{a.challengeOf(o)},
	}}
}

func (a *Authority) challengeOf(o *order) map[string]any {
	c := map[string]any{"type": "tls-alpn-01", "status": o.proof, "url": a.url("/challenge", o.id), "token": o.token}
	if o.problem != nil {
		c["error"] = o.problem
	}
	return c
}

// challenge proves the domain, unless that was tried before.
func (a *Authority) challenge(r request) answer {
	o := r.order
	if o.proof == "pending" {
		authorization := o.token + "." + a.accounts[o.account].thumbprint
		a.mu.Unlock() // the applicant may ask meanwhile
		err := prove(o.domain, a.find(o.domain), authorization)
		a.mu.Lock()
		o.proof, o.status = "valid", "ready"
		if err != nil {
			o.proof, o.status = "invalid", "invalid"
			o.problem = &problem{Type: problemNamespace + "connection", Detail: err.Error(), Status: http.StatusBadRequest}
		}
	}
	return answer{status: http.StatusOK, body: a.challengeOf(o)}
}

func (a *Authority) finalize(r request) answer {
	o := r.order
	var asked struct{ CSR string }
	if o.status != "ready" {
		return refuse(http.StatusForbidden, "orderNotReady", "the order is "+o.status)
	}
	if err := json.Unmarshal(r.payload, &asked); err != nil {
		return refuse(http.StatusBadRequest, "malformed", err.Error())
	}
	csr, err := x509.ParseCertificateRequest(decode(asked.CSR))
	if err == nil {
		err = csr.CheckSignature()
	}
	if err == nil && !slices.Equal(csr.DNSNames, []string{o.domain}) {
		err = fmt.Errorf("the request is for %v, the order for %s", csr.DNSNames, o.domain)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "badCSR", err.Error())
	}
	now := time.Now()
	o.certificate, err = a.sign(&x509.Certificate{DNSNames: csr.DNSNames, NotBefore: now.Add(-a.life[0]), NotAfter: now.Add(a.life[1])}, csr.PublicKey)
	if err != nil {
		return refuse(http.StatusInternalServerError, "serverInternal", err.Error())
	}
	o.status = "valid"
	return a.orderAnswer(o, http.StatusOK)
}

func (a *Authority) certificate(r request) answer {
	if r.order.certificate == nil {
		return refuse(http.StatusNotFound, "malformed", "nothing is issued yet")
	}
	return answer{status: http.StatusOK, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.order.certificate})}
}
