package web

// EventsDescribed describes the routes of NewEvents. A test holds it to what
// they take and give.
func EventsDescribed() Described {
	return Described{
		Paths: map[string]any{
			"/api/events":      schema{"post": postEvent()},
			"/api/events/{id}": schema{"get": getEvent()},
		},
		Schemas: map[string]any{
			"Event": eventSchema(), "Accepted": acceptedSchema(), "Receipt": receiptSchema(), "EventState": eventStateSchema(), "EventStep": eventStepSchema(),
		},
	}
}

func postEvent() schema {
	responses := problems(map[string]string{
		"400": "The body or the event has a fault; the sentence names each member that has one.",
		"401": "The token is missing, expired or unknown.",
		"403": "The token may not publish this, or only Belfry itself may.",
		"404": "There is no such app.",
		"409": "The Idempotency-Key was used for another request within a day.",
		"413": "The body, or the event's data, is over the limit.",
		"419": "A request with a session lacks its CSRF token.",
		"429": "Too many requests; Retry-After says when to try again.",
		"503": "The queue, or for now the broadcaster, is out of reach: nothing was accepted. Try again with the same Idempotency-Key.",
	})
	with(responses, "200", "The event was sent at once, or skipped.", ref("Accepted"))
	with(responses, "202", "The event is kept durably and will be sent.", ref("Accepted"))
	return schema{
		"operationId": "publishEvent",
		"summary":     "Hand over an event to broadcast",
		"description": "The event is queued, and durable when it is answered, unless now is true. Needs the scope events.",
		"parameters": []any{
			schema{"name": "Idempotency-Key", "in": "header", "schema": schema{"type": "string", "maxLength": 255},
				"description": "Makes a repeated request harmless: for a day the same key with the same body gives the first answer again, with the header Idempotency-Replayed."},
			schema{"name": "X-Socket-ID", "in": "header", "schema": schema{"type": "string"}, "description": "As exclude_socket_id, which wins."},
		},
		"requestBody": schema{"required": true, "content": jsonContent(ref("Event"))},
		"responses":   responses,
	}
}

func getEvent() schema {
	responses := problems(map[string]string{
		"401": "The token is missing, expired or unknown.",
		"403": "The token lacks the scope events.",
		"404": "No such event is known: it was long ago, another's, or never.",
		"503": "The queue is out of reach.",
	})
	with(responses, "200", "What is known of the event.", ref("EventState"))
	return schema{
		"operationId": "getEvent",
		"summary":     "What became of an event",
		"description": "Tokens see the events that they sent, tokens of admins all. Events are remembered for about an hour. Needs the scope events.",
		"parameters":  []any{schema{"name": "id", "in": "path", "required": true, "schema": schema{"type": "string"}}},
		"responses":   responses,
	}
}

// seconds describes what duration reads.
func seconds(text string) schema {
	return schema{"type": []string{"string", "number", "null"}, "default": "0s", "examples": []any{"90s", "1h30m", 90}, "description": text}
}

func eventSchema() schema {
	return schema{
		"type": "object", "required": []string{"event", "channels"}, "additionalProperties": false,
		"properties": schema{
			"event":             schema{"type": "string", "description": "The event's name, up to 200 characters by default.", "examples": []string{"order.shipped"}},
			"channels":          schema{"type": "array", "items": schema{"type": "string"}, "minItems": 1, "description": "Up to 100 channels by default.", "examples": []any{[]string{"private-user.7"}}},
			"data":              schema{"description": "Any JSON, up to 10 KB by default. A string is sent as its characters, anything else as its JSON.", "default": schema{}},
			"app":               schema{"type": []string{"string", "null"}, "description": "The app's id; the token's by default, and with most tokens the only one."},
			"queue":             schema{"type": []string{"string", "null"}, "default": "default", "description": "The queue in which the event waits. Events of one channel keep their order within a queue."},
			"connection":        schema{"type": []string{"string", "null"}, "description": "The queue connection; a server has one, so any other name is an error."},
			"delay":             seconds("How long the event waits at least. Not together with now."),
			"tries":             schema{"type": []string{"integer", "null"}, "minimum": 1, "maximum": 1000, "description": "How often sending is tried; the worker's setting by default."},
			"now":               schema{"type": []string{"boolean", "null"}, "default": false, "description": "Send at once, without the queue, and answer with the receipt."},
			"exclude_socket_id": schema{"type": []string{"string", "null"}, "description": "The socket id of the page that caused the event and is not to get it."},
			"expires_in":        seconds("After that time the event is not sent any more; 0s means never."),
			"with_id":           schema{"type": []string{"boolean", "null"}, "default": false, "description": "Adds event_id to data, which must be an object, so that receivers can tell a repeat."},
			"condition":         schema{"type": []string{"string", "null"}, "examples": []string{"occupied"}, "description": "A condition that is asked when the event is sent. occupied: somebody subscribes to one of the channels."},
		},
	}
}

func acceptedSchema() schema {
	return schema{
		"type": "object", "required": []string{"id", "status"},
		"properties": schema{
			"id":      schema{"type": "string", "description": "The event's id."},
			"status":  schema{"type": "string", "enum": []string{"queued", "sent", "skipped"}},
			"receipt": ref("Receipt"),
			"reason":  schema{"type": "string", "description": "Why the event was skipped."},
		},
	}
}

func receiptSchema() schema {
	return schema{
		"type": "object", "required": []string{"matched", "written", "waiting", "dropped"},
		"description": "Counts over all channels. Targets that do not count, such as pusher.com, give none.",
		"properties": schema{
			"matched": schema{"type": "integer", "description": "Subscribers that the event was for."},
			"written": schema{"type": "integer", "description": "Written to their connections."},
			"waiting": schema{"type": "integer", "description": "Waiting behind what else is to be written."},
			"dropped": schema{"type": "integer", "description": "Not delivered: the connection lags too far and is closed."},
		},
	}
}

func eventStateSchema() schema {
	return schema{
		"type": "object", "required": []string{"id", "status", "timeline"},
		"properties": schema{
			"id": schema{"type": "string"},
			"status": schema{"type": "string", "enum": []string{"accepted", "queued", "waiting", "delayed", "running", "retrying", "failed", "sent", "skipped", "done"},
				"description": "done: another process sent or skipped it, and this one knows no more."},
			"app":           schema{"type": "string"},
			"event":         schema{"type": "string"},
			"channels":      schema{"type": "array", "items": schema{"type": "string"}, "description": "The first ten."},
			"channel_count": schema{"type": "integer"},
			"size":          schema{"type": "integer", "description": "Bytes of data."},
			"queue":         schema{"type": "string"},
			"tries":         schema{"type": "integer", "description": "Tries that failed."},
			"run_at":        schema{"type": "string", "format": "date-time", "description": "When it is tried next."},
			"keys":          schema{"type": "array", "items": schema{"type": "string"}, "description": "At the top of the data, which itself is not kept."},
			"by":            schema{"type": "string", "description": "Who handed the event over."},
			"address":       schema{"type": "string", "description": "From where."},
			"timeline":      schema{"type": "array", "items": ref("EventStep"), "description": "Empty where nothing is remembered: another process has the event, or there were too many to trace all."},
		},
	}
}

func eventStepSchema() schema {
	return schema{
		"type": "object", "required": []string{"at", "what"},
		"properties": schema{
			"at":        schema{"type": "string", "format": "date-time"},
			"what":      schema{"type": "string", "enum": []string{"accepted", "queued", "published", "failed", "retrying", "gave_up", "skipped", "sent", "webhook", "refused"}},
			"channel":   schema{"type": "string", "description": "Where it was published."},
			"queue":     schema{"type": "string"},
			"run_at":    schema{"type": "string", "format": "date-time"},
			"error":     schema{"type": "string", "description": "Why a try failed."},
			"permanent": schema{"type": "boolean", "description": "No further try is made."},
			"try":       schema{"type": "integer", "description": "How many tries have failed, or which one of a webhook it was."},
			"reason":    schema{"type": "string", "description": "Why the event was skipped or refused; of a webhook its events."},
			"code":      schema{"type": "string", "description": "The kind of a refusal; of a webhook its outcome."},
			"receipt":   ref("Receipt"),
			"target":    schema{"type": "string", "description": "The broadcaster, or a webhook's URL without its query."},
			"status":    schema{"type": "integer", "description": "What a webhook's receiver answered."},
			"took":      schema{"type": "integer", "description": "How long that took, in nanoseconds."},
		},
	}
}
