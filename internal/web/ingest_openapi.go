package web

// IngestDescribed describes the route of NewIngest. A test holds it to what it
// takes and gives.
func IngestDescribed() Described {
	responses := problems(map[string]string{
		"400": "The body is not a JSON object, or names a range that there is not; then the sentence lists them.",
		"403": "The signature is missing (signature_missing), wrong (signature_wrong) or of another time (signature_old), or the webhook-id was used with another body (replayed).",
		"404": "There is no such dashboard.",
		"408": "The body did not arrive within ten seconds.",
		"413": "The body is over 64 KB.",
		"429": "Too many calls from this address were refused; Retry-After says when to try again.",
		"500": "The server has no secret to check with (no_secret).",
		"503": "The ids of earlier calls cannot be looked up: nothing was carried out. Send it again with the same webhook-id.",
	})
	with(responses, "200", "The dashboard will be computed anew and broadcast; or this call was taken before.", ref("DashboardChangeTaken"))
	header := func(name, text string) schema {
		return schema{"name": name, "in": "header", "schema": schema{"type": "string"}, "description": text}
	}
	return Described{
		Paths: map[string]any{IngestPath: schema{"post": schema{
			"operationId": "notifyDashboard",
			"summary":     "Say that the figures of a dashboard changed",
			"description": "Signed with the shared secret SERVICES_WEBHOOK_SHARED_SECRET, in one of two ways: X-Webhook-Signature, or the three headers of Standard Webhooks, which stop replays.",
			"security":    []any{},
			"parameters": []any{
				header("X-Webhook-Signature", "The hexadecimal HMAC-SHA256 of the raw body."),
				header("webhook-id", "The message's id, which its repeats keep."),
				header("webhook-timestamp", "Seconds since 1970, within five minutes of the server's clock."),
				header("webhook-signature", "v1, and the base64 of the HMAC-SHA256 of id, timestamp and raw body, parted by full stops."),
			},
			"requestBody": schema{"required": true, "content": jsonContent(ref("DashboardChange"))},
			"responses":   responses,
		}}},
		Schemas: map[string]any{
			"DashboardChange": schema{
				"type": "object",
				"properties": schema{
					"reason":    schema{"type": []string{"string", "null"}, "description": "What changed, for people; the first 200 bytes are kept.", "examples": []string{"checkin created"}},
					"range":     schema{"type": []string{"string", "null"}, "description": "The range to broadcast; the dashboard's own by default."},
					"dashboard": schema{"type": []string{"string", "null"}, "default": "default"},
					"stats":     schema{"description": "Not read: figures are computed anew."},
				},
			},
			"DashboardChangeTaken": schema{
				"type": "object", "required": []string{"status", "dashboard", "range", "id"},
				"properties": schema{
					"status":    schema{"type": "string", "enum": []string{"ok", "duplicate"}, "description": "duplicate: the same webhook-id with the same body was taken before, and nothing was done again."},
					"dashboard": schema{"type": "string"},
					"range":     schema{"type": "string"},
					"id":        schema{"type": "string", "description": "Of this call; of a duplicate, the first call's."},
				},
			},
		},
	}
}
