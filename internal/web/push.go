package web

import (
	"encoding/json"
	"net/http"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/webpush"
)

const (
	pushKeyPath           = "/api/push-key"
	pushSubscriptionsPath = "/api/user/push-subscriptions"
	maxSubscription       = 16 << 10 // bytes of a body
)

// pushRoutes are those of a user's browsers.
func (d *notifications) pushRoutes(route func(method, path, scope string, f handler)) {
	route("GET", pushKeyPath, identity.ScopeNotifications, d.pushKey)
	route("POST", pushSubscriptionsPath, identity.ScopeNotifications, d.subscribe)
	route("DELETE", pushSubscriptionsPath, identity.ScopeNotifications, d.unsubscribe)
}

func (d *notifications) pushKey(w http.ResponseWriter, r *http.Request, _ gate.Caller) error {
	key, err := d.notify.PushKey(r.Context())
	return answer(w, http.StatusOK, map[string]string{"public_key": key}, err)
}

func (d *notifications) subscribe(w http.ResponseWriter, r *http.Request, c gate.Caller) error {
	s, err := readSubscription(w, r)
	if err != nil {
		return err
	}
	count, err := d.notify.Subscribe(r.Context(), c.User.ID, s, r.UserAgent())
	return answer(w, http.StatusOK, map[string]int{"subscriptions": count}, err)
}

func (d *notifications) unsubscribe(w http.ResponseWriter, r *http.Request, c gate.Caller) error {
	s, err := readSubscription(w, r)
	if err != nil {
		return err
	}
	if s.Endpoint == "" {
		return invalid("endpoint", "it is missing")
	}
	if err := d.notify.Unsubscribe(r.Context(), c.User.ID, s.Endpoint); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readSubscription reads what PushSubscription.toJSON gives. What is no text
// counts as missing, and members that it may come to have are left alone.
func readSubscription(w http.ResponseWriter, r *http.Request) (s webpush.Subscription, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSubscription)
	body, err := readBody(w, r)
	if err != nil {
		return s, err
	}
	var members struct{ Endpoint, Keys json.RawMessage }
	if json.Unmarshal(body, &members) != nil {
		return s, belfry.Errorf(belfry.CodeInvalid, `the body must be a push subscription, as in {"endpoint": "https://…", "keys": {"p256dh": "…", "auth": "…"}}`)
	}
	var keys struct{ P256DH, Auth json.RawMessage }
	if members.Keys != nil && json.Unmarshal(members.Keys, &keys) != nil {
		return s, invalid("keys", "it must be an object")
	}
	for value, into := range map[*json.RawMessage]*string{&members.Endpoint: &s.Endpoint, &keys.P256DH: &s.P256DH, &keys.Auth: &s.Auth} {
		if *value != nil && json.Unmarshal(*value, into) != nil {
			*into = ""
		}
	}
	return s, nil
}

// pushPaths describe the routes of pushRoutes.
func pushPaths() map[string]any {
	return map[string]any{
		pushKeyPath: schema{"get": operation("getPushKey", "The key that browsers subscribe to Web Push with, their applicationServerKey; 404 when it is turned off", "200",
			objectOf(schema{"public_key": aText}), nil, nil)},
		pushSubscriptionsPath: schema{
			"post": operation("keepPushSubscription", "Have a browser reached when it is closed: the body is what PushSubscription.toJSON gives", "200",
				objectOf(schema{"subscriptions": schema{"type": "integer", "description": "How many browsers the user has now."}}), nil, ref("PushSubscription")),
			"delete": operation("forgetPushSubscription", "Forget a browser of one's own", "204", nil, nil, objectOf(schema{"endpoint": aText})),
		},
	}
}

var pushSubscriptionSchema = schema{"type": "object", "required": []string{"endpoint", "keys"}, "properties": schema{
	"endpoint": schema{"type": "string", "format": "uri", "maxLength": 2048}, "expirationTime": schema{"type": []string{"number", "null"}},
	"keys": schema{"type": "object", "required": []string{"p256dh", "auth"}, "properties": schema{"p256dh": aText, "auth": aText}},
}}
