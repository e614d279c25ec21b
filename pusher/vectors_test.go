package pusher_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

type vector struct {
	ID, Kind, Title, Key, Secret, Verdict string
	Input                                 struct {
		SocketID     string  `json:"socket_id"`
		Channel      string  `json:"channel"`
		ChannelData  *string `json:"channel_data"`
		UserData     string  `json:"user_data"`
		Auth         string  `json:"auth"`
		MasterKey    string  `json:"encryption_master_key_base64"`
		SharedSecret string  `json:"shared_secret"`
		Method       string  `json:"method"`
		Path         string  `json:"path"`
		Body         string  `json:"body"`
		ServerTime   string  `json:"server_time"`
	}
	Expect struct {
		StringToSign   string            `json:"string_to_sign"`
		Auth           string            `json:"auth"`
		CorrectAuth    string            `json:"correct_auth"`
		SharedSecret   string            `json:"shared_secret"`
		AuthSignature  string            `json:"auth_signature"`
		RequestTargets map[string]string `json:"request_targets"`
		BodyMD5        string            `json:"body_md5"`
		DataString     string            `json:"data_string"`
		Headers        map[string]string `json:"headers"`
		Status         int               `json:"status"`
		Reason         string            `json:"reason"`
	}
	SubscribeFrame     string `json:"subscribe_frame"`
	SigninFrame        string `json:"signin_frame"`
	SigninSuccessFrame string `json:"signin_success_frame"`
}

// vectors gives the vectors of one kind and the secrets of their app's keys.
func vectors(t *testing.T, kind string) (of []vector, secretsByKey map[string][]string) {
	t.Helper()
	raw, err := os.ReadFile("testdata/auth-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Apps []struct {
			Keys []belfry.Credential `json:"keys"`
		}
		Vectors []vector
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) != 40 {
		t.Fatalf("%d vectors, want 28 positive and 12 negative", len(file.Vectors))
	}
	secretsByKey = map[string][]string{}
	for _, c := range file.Apps[0].Keys {
		secretsByKey[c.Key] = append(secretsByKey[c.Key], c.Secret)
	}
	for _, v := range file.Vectors {
		if v.Kind == kind {
			of = append(of, v)
		}
	}
	if len(of) == 0 {
		t.Fatalf("no vectors of kind %q", kind)
	}
	return of, secretsByKey
}

func TestVectors_Channel(t *testing.T) {
	all, secrets := vectors(t, "channel_auth")
	for _, v := range all {
		t.Run(v.ID, func(t *testing.T) {
			auth := v.Expect.Auth
			if v.Verdict == "reject" {
				auth = v.Input.Auth
			}
			data, withData := "", v.Input.ChannelData != nil
			if withData {
				data = *v.Input.ChannelData
			}
			text := pusher.ChannelText(v.Input.SocketID, v.Input.Channel, data, withData)
			key, signature, ok := pusher.SplitAuth(auth)
			if !ok {
				t.Fatalf("SplitAuth(%q) fails", auth)
			}
			accepted := pusher.Verify(secrets[key], text, signature)
			if accepted != (v.Verdict == "accept") {
				t.Errorf("%s: accepted is %t", v.Title, accepted)
			}
			if v.Verdict == "reject" {
				if right := v.Key + ":" + pusher.Sign(v.Secret, text); right != v.Expect.CorrectAuth {
					t.Errorf("the right auth is %s, want %s", right, v.Expect.CorrectAuth)
				}
				return
			}
			if text != v.Expect.StringToSign {
				t.Errorf("string to sign %q, want %q", text, v.Expect.StringToSign)
			}
			if made := v.Key + ":" + pusher.Sign(v.Secret, text); made != v.Expect.Auth {
				t.Errorf("auth %s, want %s", made, v.Expect.Auth)
			}
			checkSubscribeFrame(t, v, data, withData)
			checkSharedSecret(t, v)
		})
	}
}

// checkSubscribeFrame reads the frame that a client would send: what was
// signed must come out of it byte for byte.
func checkSubscribeFrame(t *testing.T, v vector, data string, withData bool) {
	t.Helper()
	m, err := pusher.ParseMessage([]byte(v.SubscribeFrame))
	if err != nil {
		t.Fatal(err)
	}
	s, err := pusher.ParseSubscribe(m)
	if err != nil {
		t.Fatal(err)
	}
	want := pusher.Subscribe{Channel: v.Input.Channel, Auth: v.Expect.Auth, ChannelData: data, HasData: withData}
	if m.Event != pusher.EventSubscribe || s != want {
		t.Errorf("frame reads as %s %+v, want %+v", m.Event, s, want)
	}
}

func checkSharedSecret(t *testing.T, v vector) {
	t.Helper()
	if v.Expect.SharedSecret == "" {
		return
	}
	master, err := base64.StdEncoding.DecodeString(v.Input.MasterKey)
	if err != nil {
		t.Fatal(err)
	}
	if got := pusher.SharedSecret(v.Input.Channel, master); got != v.Expect.SharedSecret {
		t.Errorf("shared secret %s, want %s", got, v.Expect.SharedSecret)
	}
}

func TestVectors_EncryptedEventPassesUnread(t *testing.T) {
	all, _ := vectors(t, "encrypted_event")
	for _, v := range all {
		t.Run(v.ID, func(t *testing.T) {
			body, _ := json.Marshal(map[string]any{
				"name": "secret", "channels": []string{v.Input.Channel}, "data": v.Expect.DataString,
			})
			e, err := pusher.ParseEvent(body, pusher.Naming{Limits: belfry.DefaultLimits()})
			if err != nil {
				t.Fatal(err)
			}
			frame := pusher.AppendEvent(nil, e.Name, e.Channels[0], e.Data, "")
			var got struct{ Data string }
			if err := json.Unmarshal(frame, &got); err != nil {
				t.Fatal(err)
			}
			if got.Data != v.Expect.DataString {
				t.Errorf("data %s, want %s", got.Data, v.Expect.DataString)
			}
			master, _ := base64.StdEncoding.DecodeString(v.Input.MasterKey)
			if got := pusher.SharedSecret(v.Input.Channel, master); got != v.Input.SharedSecret {
				t.Errorf("shared secret %s", got)
			}
		})
	}
}

func TestVectors_User(t *testing.T) {
	all, secrets := vectors(t, "user_auth")
	for _, v := range all {
		t.Run(v.ID, func(t *testing.T) {
			text := pusher.UserText(v.Input.SocketID, v.Input.UserData)
			if text != v.Expect.StringToSign {
				t.Errorf("string to sign %q, want %q", text, v.Expect.StringToSign)
			}
			if made := v.Key + ":" + pusher.Sign(v.Secret, text); made != v.Expect.Auth {
				t.Errorf("auth %s, want %s", made, v.Expect.Auth)
			}
			m, err := pusher.ParseMessage([]byte(v.SigninFrame))
			if err != nil {
				t.Fatal(err)
			}
			s, err := pusher.ParseSignin(m)
			if err != nil {
				t.Fatal(err)
			}
			if want := (pusher.Signin{Auth: v.Expect.Auth, UserData: v.Input.UserData}); s != want {
				t.Errorf("frame reads as %+v, want %+v", s, want)
			}
			key, signature, _ := pusher.SplitAuth(s.Auth)
			if !pusher.Verify(secrets[key], pusher.UserText(v.Input.SocketID, s.UserData), signature) {
				t.Error("signature refused")
			}
			if got := string(pusher.AppendSigninSuccess(nil, s.UserData)); got != v.SigninSuccessFrame {
				t.Errorf("success frame\n%s, want\n%s", got, v.SigninSuccessFrame)
			}
		})
	}
}

func TestVectors_Request(t *testing.T) {
	all, secrets := vectors(t, "http_request")
	for _, v := range all {
		for form, target := range v.Expect.RequestTargets {
			t.Run(v.ID+"/"+form, func(t *testing.T) {
				path, query, _ := strings.Cut(target, "?")
				seconds, err := strconv.ParseInt(v.Input.ServerTime, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				paths := []string{v.Input.Path}
				if path != v.Input.Path {
					paths = append(paths, path)
				}
				r := pusher.Request{Method: v.Input.Method, Paths: paths, RawQuery: query, Body: []byte(v.Input.Body)}
				if text := pusher.RequestText(r.Method, v.Input.Path, pusher.ParseQuery(query, false), false); text != v.Expect.StringToSign {
					t.Errorf("string to sign\n%q, want\n%q", text, v.Expect.StringToSign)
				}
				_, err = r.Verify(time.Unix(seconds, 0), func(key string) []string { return secrets[key] })
				if v.Verdict == "accept" {
					if err != nil {
						t.Errorf("%s: %v", v.Title, err)
					}
					return
				}
				checkRefused(t, v, err, secrets)
			})
		}
	}
}

func checkRefused(t *testing.T, v vector, err error, secrets map[string][]string) {
	t.Helper()
	refusal, ok := errors.AsType[*pusher.SignatureError](err)
	if !ok {
		t.Fatalf("%s: error is %v, want a *SignatureError", v.Title, err)
	}
	words := map[string]string{ // the outcome's name in the vectors, what the sentence says
		"timestamp outside the window":            "outside the window",
		"body_md5 mismatch":                       "body_md5 mismatch",
		"body_md5 required with a non-empty body": "body_md5 is required",
		"auth_version must be 1.0":                "auth_version must be 1.0",
		"signature mismatch":                      "signature mismatch",
		"malformed timestamp":                     "malformed",
	}
	want, known := words[v.Expect.Reason]
	if !known || !strings.Contains(refusal.Reason, want) {
		t.Errorf("refused with %q, the vector's reason is %q", refusal.Reason, v.Expect.Reason)
	}
	for _, s := range slices.Concat(secrets[v.Key], []string{v.Secret}) {
		if strings.Contains(err.Error(), s) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

func TestVectors_Webhook(t *testing.T) {
	all, secrets := vectors(t, "webhook")
	for _, v := range all {
		t.Run(v.ID, func(t *testing.T) {
			want := v.Expect.Headers["X-Pusher-Signature"]
			if got := pusher.Sign(v.Secret, v.Input.Body); got != want {
				t.Errorf("signature %s, want %s", got, want)
			}
			if !pusher.Verify(secrets[v.Expect.Headers["X-Pusher-Key"]], v.Input.Body, want) {
				t.Error("signature refused")
			}
		})
	}
}
