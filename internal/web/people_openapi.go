package web

// PeopleDescribed describes the routes below /api by which users are known.
func PeopleDescribed() Described {
	responses := problems(map[string]string{
		"401": "Nobody is signed in, or the token is missing, expired or unknown.",
		"503": "The database is out of reach.",
	})
	with(responses, "200", "The user.", ref("User"))
	return Described{
		Paths: map[string]any{"/api/user": schema{"get": schema{
			"operationId": "getUser",
			"summary":     "Who is signed in",
			"description": "The session's user, the owner of an API token, or the user that a JWT stands for.",
			"responses":   responses,
		}}},
		Schemas: map[string]any{"User": schema{
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
