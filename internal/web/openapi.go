package web

import (
	"encoding/json"
	"maps"
	"net/http"
)

// schema is a JSON object of the description.
type schema = map[string]any

// Described is one part of the description of /api: the paths and schemas of
// some routes, in OpenAPI's form.
type Described struct {
	Paths   map[string]any
	Schemas map[string]any
}

// NewOpenAPI makes the handler of GET /api/openapi.json: an OpenAPI 3.1
// description made of the parts. It is safe for concurrent use.
func NewOpenAPI(version string, parts ...Described) http.Handler {
	paths := map[string]any{
		"/api/openapi.json": schema{"get": schema{
			"operationId": "getDescription", "summary": "This description", "security": []any{},
			"responses": schema{"200": schema{"description": "An OpenAPI document", "content": jsonContent(schema{"type": "object"})}},
		}},
	}
	schemas := map[string]any{"Problem": schema{
		"type": "object", "required": []string{"error", "code"},
		"properties": schema{
			"error": schema{"type": "string", "description": "A sentence that says what is wrong and what to do."},
			"code": schema{"type": "string", "description": "The same for machines.", "examples": []string{"invalid", "unauthenticated", "forbidden", "not_found",
				"conflict", "too_large", "rate_limited", "unavailable", "internal", "csrf_token", "method_not_allowed"}},
		},
	}}
	for _, p := range parts {
		maps.Copy(paths, p.Paths)
		maps.Copy(schemas, p.Schemas)
	}
	text, err := json.Marshal(schema{
		"openapi": "3.1.0",
		"info":    schema{"title": "Belfry", "version": version, "description": "What applications ask of a Belfry server. The Pusher HTTP API under /apps is Pusher's own and not described here."},
		"paths":   paths,
		"components": schema{
			"schemas": schemas,
			"securitySchemes": schema{
				"token":   schema{"type": "http", "scheme": "bearer", "description": "An API token, made with belfry user:token, or a JWT of a configured issuer."},
				"session": schema{"type": "apiKey", "in": "cookie", "name": "belfry_session", "description": "The session of a browser that signed in. Requests that change something need X-CSRF-TOKEN too."},
			},
		},
		"security": []any{schema{"token": []string{}}, schema{"session": []string{}}},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			methods(http.MethodGet)(w, r)
			return
		}
		if err != nil { // a part is no JSON: a test sees it first
			http.Error(w, "the description cannot be shown", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Access-Control-Allow-Origin", "*") // it holds nothing of anybody
		_, _ = w.Write(text)                      // the caller is gone: nobody is left to tell
	})
}

// ref points to a schema by its name.
func ref(name string) schema { return schema{"$ref": "#/components/schemas/" + name} }

func jsonContent(of any) schema { return schema{"application/json": schema{"schema": of}} }

// problems describes refusals, by their statuses.
func problems(why map[string]string) schema {
	all := schema{}
	for status, text := range why {
		all[status] = schema{"description": text, "content": jsonContent(ref("Problem"))}
	}
	return all
}

// with gives responses with one more.
func with(responses schema, status, text string, of any) schema {
	responses[status] = schema{"description": text, "content": jsonContent(of)}
	return responses
}
