package web

// PeopleDescribed describes the routes below /api by which users are known.
func PeopleDescribed() Described {
	responses := problems(map[string]string{
		"401": "Nobody is signed in, or the token is missing, expired or unknown.",
		"503": "The database is out of reach.",
	})
	with(responses, "200", "The user.", ref("User"))
	return Described{
		Paths: map[string]any{
			"/api/user": schema{"get": schema{
				"operationId": "getUser",
				"summary":     "Who is signed in",
				"description": "The session's user, the owner of an API token, or the user that a JWT stands for.",
				"responses":   responses,
			}},
			"/api/users": schema{"get": forManagers("findUsers", "Users whom a manager may address, by id",
				"q is part of a name or an email, or an id; ids are up to 100 ids with commas between. Disabled users are left out.", "FoundUsers",
				query("q", "string"), query("ids", "string"), query("limit", "integer"))},
			"/api/users/roles": schema{"get": forManagers("listRoles", "The roles that users have, by name", "The first 500.", "Roles")},
		},
		Schemas: map[string]any{"FoundUsers": objectOf(schema{
			"users": list(objectOf(schema{"id": aText, "name": aText, "email": aText})),
			"more":  schema{"type": "boolean", "description": "There are others."},
		}), "Roles": objectOf(schema{
			"roles": list(objectOf(schema{"role": aText, "users": aNumber})),
		}), "User": schema{
			"type": "object", "required": []string{"id", "name", "roles"},
			"properties": schema{
				"id":    schema{"type": "string", "description": "Text everywhere, also where it looks like a number."},
				"name":  schema{"type": "string"},
				"email": schema{"type": "string"},
				"roles": schema{"type": "array", "items": schema{"type": "string"}, "description": "admin opens the console, manager manages notifications; other names are the application's own."},
			},
		}},
	}
}

// forManagers describes a route for those who manage notifications.
func forManagers(id, summary, description, answer string, parameters ...any) schema {
	responses := problems(map[string]string{
		"400": "A parameter has a fault.",
		"401": "Nobody is signed in, or the token is no good.",
		"403": "The role manager or the scope notifications:manage is missing.",
		"503": "The database is out of reach.",
	})
	with(responses, "200", "What was found.", ref(answer))
	return schema{"operationId": id, "summary": summary, "description": description, "parameters": append([]any{}, parameters...), "responses": responses}
}
