package web

import (
	"maps"

	"github.com/belfryhq/belfry/internal/notify"
)

// NotificationsDescribed describes the routes of NewNotifications. A test holds
// it to what they take and give.
func NotificationsDescribed() Described {
	const all, one = "/api/notifications", "/api/notifications/{id}"
	paths := ownNotificationPaths()
	maps.Copy(paths, map[string]any{
		all: schema{
			"get": operation("listNotifications", "All notifications, newest first", "200", ref("NotificationPage"), listQuery(notify.Statuses), nil),
			"post": operation("createNotification", "Make a notification: a draft, or one that is sent at once or scheduled", "201", ref("Notification"),
				[]any{schema{"name": "Idempotency-Key", "in": "header", "schema": schema{"type": "string", "maxLength": 255}}}, ref("NotificationDraft")),
		},
		one: schema{
			"get":    operation("getNotification", "One notification", "200", ref("Notification"), []any{idParameter()}, nil),
			"patch":  operation("changeNotification", "Change a draft or a scheduled notification", "200", ref("Notification"), []any{idParameter(), ifMatch()}, ref("NotificationDraft")),
			"delete": operation("deleteNotification", "Delete a notification, and take it back from those who have it", "204", nil, []any{idParameter(), ifMatch()}, nil),
		},
		one + "/send":     schema{"post": operation("sendNotification", "Send it now", "200", ref("Notification"), []any{idParameter(), ifMatch()}, nil)},
		one + "/schedule": schema{"post": operation("scheduleNotification", "Have it sent at scheduled_at", "200", ref("Notification"), []any{idParameter(), ifMatch()}, ref("NotificationSchedule"))},
		one + "/cancel":   schema{"post": operation("cancelNotification", "Keep it from being sent, or take it back", "200", ref("Notification"), []any{idParameter(), ifMatch()}, nil)},
		one + "/stats":    schema{"get": operation("getNotificationStats", "What became of one", "200", ref("NotificationStats"), []any{idParameter()}, nil)},
		all + "/preview":  schema{"post": operation("previewNotification", "Who would get it", "200", ref("NotificationPreview"), nil, ref("NotificationPreviewOf"))},
		all + "/check":    schema{"post": operation("checkNotification", "Whether a notification has faults; nothing is kept", "204", nil, nil, ref("NotificationDraft"))},
		all + "/stats":    schema{"get": operation("getNotificationsStats", "What became of those that were sent on the last days", "200", ref("NotificationTotals"), []any{query("days", "integer"), query("zone", "string")}, nil)},
	})
	maps.Copy(paths, pushPaths())
	return Described{Paths: paths, Schemas: notificationSchemas()}
}

// ownNotificationPaths are a user's own.
func ownNotificationPaths() map[string]any {
	const own = "/api/user/notifications"
	paths := map[string]any{
		own: schema{"get": operation("listMyNotifications", "One's own notifications, newest first; with since, what changed after that state_version, oldest change first", "200",
			schema{"anyOf": []any{ref("MyNotifications"), ref("MissedNotifications")}}, append(listQuery(notify.Views), query("since", "integer")), nil)},
		own + "/unread-count": schema{"get": operation("countMyNotifications", "How many are unread", "200", ref("NotificationState"), nil, nil)},
		own + "/read-all":     schema{"post": operation("readAllMyNotifications", "Mark all as read", "200", ref("AllNotificationsRead"), nil, nil)},
	}
	for path, summary := range map[string]string{"read": "Mark one as read", "unread": "Mark one as unread", "dismiss": "Dismiss one", "archive": "Archive one"} {
		paths[own+"/{id}/"+path] = schema{"post": operation(path+"MyNotification", summary, "200", ref("MarkedNotification"), []any{idParameter()}, nil)}
	}
	return paths
}

// operation describes one route; of is the answer's schema, body the request's.
func operation(id, summary, status string, of any, parameters []any, body any) schema {
	responses := problems(map[string]string{
		"401": "Nobody is signed in, or the token is no good.",
		"403": "The role or the token's scope is missing.",
		"404": "There is no such notification, or it is not the user's.",
		"409": "Somebody was faster, or the notification is past that step.",
		"419": "A request with a session lacks its CSRF token.",
		"503": "The database or the queue is out of reach.",
	})
	with(responses, "422", "Fields have faults; each is named.", ref("FieldProblem"))
	if of == nil {
		responses[status] = schema{"description": "Done."}
	} else {
		with(responses, status, "Done.", of)
	}
	op := schema{"operationId": id, "summary": summary, "responses": responses}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if body != nil {
		op["requestBody"] = schema{"required": true, "content": jsonContent(body)}
	}
	return op
}

func idParameter() schema {
	return schema{"name": "id", "in": "path", "required": true, "schema": schema{"type": "string"}}
}

func ifMatch() schema {
	return schema{"name": "If-Match", "in": "header", "schema": schema{"type": "string"}, "description": "The revision that was seen, in quotes; 409 when it is another now. A change needs it, or revision in the body."}
}

func query(name, kind string) schema {
	return schema{"name": name, "in": "query", "schema": schema{"type": kind}}
}

func listQuery(statuses []string) []any {
	status := query("status", "string")
	status["schema"] = schema{"type": "string", "enum": statuses}
	return []any{status, query("type", "string"), query("priority", "string"), query("category", "string"), query("q", "string"), query("limit", "integer"), query("cursor", "string")}
}

// objectOf describes an object with these members.
func objectOf(properties schema) schema {
	return schema{"type": "object", "properties": properties}
}

func list(of any) schema { return schema{"type": "array", "items": of} }

var (
	aText   = schema{"type": "string"}
	aNumber = schema{"type": "integer"}
	aTime   = schema{"type": []string{"string", "null"}, "format": "date-time"}
	orNull  = schema{"type": []string{"string", "null"}}
)

// content are the members that say what a notification says.
func content() schema {
	return schema{
		"title":        schema{"type": "string", "maxLength": 255},
		"message":      schema{"type": "string", "maxLength": 10_000},
		"title_html":   schema{"type": "string", "description": "The title, escaped for front ends that insert HTML."},
		"message_html": schema{"type": "string", "description": "The message, escaped."},
		"type":         schema{"type": "string", "enum": notify.Types},
		"priority":     schema{"type": "string", "enum": notify.Priorities},
		"importance":   schema{"type": "integer", "minimum": 0, "maximum": 100},
		"category":     orNull, "icon": orNull, "color": orNull, "action_url": orNull, "action_text": orNull,
		"dismissible": schema{"type": "boolean"},
		"created_at":  aTime, "sent_at": aTime, "expires_at": aTime,
		"data": schema{"type": "object"},
	}
}

// also gives content with more members.
func also(more schema) schema {
	all := content()
	maps.Copy(all, more)
	return all
}

func notificationSchemas() map[string]any {
	state := schema{"unread_count": aNumber, "state_version": schema{"type": "integer", "description": "Raised by every change of the user's notifications; a lower one is out of date."}}
	withState := func(more schema) schema { maps.Copy(more, state); return objectOf(more) }
	counts := schema{"recipients": aNumber, "delivered_live": aNumber, "read": aNumber, "dismissed": aNumber}
	withCounts := func(more schema) schema { maps.Copy(more, counts); return objectOf(more) }
	person := objectOf(schema{"id": aText, "name": aText})
	target := objectOf(schema{"type": schema{"type": "string", "enum": notify.Targets}, "users": list(aText), "roles": list(aText), "days": aNumber})
	bucket := withCounts(schema{"day": aText, "hour": aText, "sent": aNumber})
	draft := content()
	for _, given := range []string{"title_html", "message_html", "created_at", "sent_at"} {
		delete(draft, given)
	}
	maps.Copy(draft, schema{"target": ref("NotificationTarget"), "scheduled_at": aTime, "send": schema{"type": "boolean", "default": false}, "revision": aNumber})
	return map[string]any{
		"FieldProblem": schema{"type": "object", "required": []string{"error", "code", "fields"}, "properties": schema{
			"error": aText, "code": aText, "fields": schema{"type": "object", "description": "What is wrong with each field, by its name."}}},
		"PushSubscription":     pushSubscriptionSchema,
		"MyNotification":       objectOf(also(schema{"id": aText, "read_at": aTime, "dismissed_at": aTime, "archived_at": aTime, "version": aNumber})),
		"MyNotifications":      withState(schema{"notifications": list(ref("MyNotification")), "next_cursor": orNull}),
		"MissedNotifications":  withState(schema{"notifications": list(ref("MyNotification")), "removed": list(aText), "more": schema{"type": "boolean"}}),
		"MarkedNotification":   withState(schema{"notification": ref("MyNotification")}),
		"AllNotificationsRead": withState(schema{"changed": aNumber}),
		"NotificationState":    withState(schema{}),
		"NotificationTarget":   target,
		"Notification": objectOf(also(schema{"id": aText, "status": schema{"type": "string", "enum": notify.Statuses}, "target": ref("NotificationTarget"), "scheduled_at": aTime,
			"created_by": person, "revision": aNumber, "stats": ref("NotificationCounts")})),
		"NotificationCounts":    withCounts(schema{}),
		"NotificationPage":      objectOf(schema{"notifications": list(ref("Notification")), "next_cursor": orNull}),
		"NotificationDraft":     schema{"type": "object", "additionalProperties": false, "properties": draft},
		"NotificationSchedule":  objectOf(schema{"scheduled_at": aTime, "revision": aNumber}),
		"NotificationPreviewOf": objectOf(schema{"target": ref("NotificationTarget")}),
		"NotificationPreview":   objectOf(schema{"recipients": aNumber, "online": aNumber, "sample": list(person)}),
		"NotificationBucket":    bucket,
		"NotificationStats":     withCounts(schema{"sent": aNumber, "by_hour": list(ref("NotificationBucket"))}),
		"NotificationTotals":    withCounts(schema{"sent": aNumber, "by_day": list(ref("NotificationBucket"))}),
	}
}
