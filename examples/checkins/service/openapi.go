package service

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
)

type object = map[string]any

// openAPI gives the description of the API, made from the same tables that the
// requests are checked against.
func (s *Service) openAPI(all []resource) http.HandlerFunc {
	text, err := json.MarshalIndent(describe(all), "", "  ")
	return func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(text)
	}
}

func describe(all []resource) object {
	paths, schemas := object{}, object{"Problem": object{
		"type": "object", "required": []string{"error", "code"},
		"properties": object{
			"error":  object{"type": "string", "description": "What is wrong and what to do."},
			"code":   object{"type": "string"},
			"fields": object{"type": "object", "additionalProperties": object{"type": "string"}, "description": "Each bad field, and what is wrong with it."},
		},
	}}
	for i := range all {
		r := &all[i]
		name := strings.ReplaceAll(r.path, "-", "_")
		schemas[name+"_input"] = r.schema(false)
		schemas[name] = r.schema(true)
		input, output := ref(name+"_input"), ref(name)
		paths["/api/"+r.path] = object{
			"get":  operation(r, "List, the newest first.", r.parameters(), nil, object{"200": answerOf("The page.", pageOf(output)), "422": fault("A filter is wrong.")}),
			"post": operation(r, "Add one.", nil, input, object{"201": answerOf("What was added.", output)}),
		}
		id := object{"name": "id", "in": "path", "required": true, "schema": object{"type": "integer", "minimum": 1}}
		patch := object{}
		for key, value := range r.schema(false) {
			patch[key] = value
		}
		delete(patch, "required")
		patch["minProperties"] = 1
		paths["/api/"+r.path+"/{id}"] = object{
			"parameters": []object{id},
			"get":        operation(r, "Read one.", nil, nil, object{"200": answerOf("It.", output), "404": fault("There is none.")}),
			"put":        operation(r, "Change all of one.", nil, input, object{"200": answerOf("As it is now.", output), "404": fault("There is none.")}),
			"patch":      operation(r, "Change some of one.", nil, patch, object{"200": answerOf("As it is now.", output), "404": fault("There is none.")}),
			"delete":     operation(r, "Delete one, and what is of it.", nil, nil, object{"204": object{"description": "It is gone."}, "404": fault("There is none.")}),
		}
	}
	paths["/up"] = object{"get": object{"summary": "Whether the service works.", "responses": object{
		"200": object{"description": "It does."}, "503": object{"description": "The database cannot be reached."}}}}
	return object{
		"openapi":    "3.1.0",
		"info":       object{"title": "Check-ins", "version": "1", "description": "How students are, from their phones. An example beside Belfry."},
		"paths":      paths,
		"components": object{"schemas": schemas},
	}
}

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

func answerOf(about string, schema object) object {
	return object{"description": about, "content": object{"application/json": object{"schema": schema}}}
}

func fault(about string) object { return answerOf(about, ref("Problem")) }

func pageOf(row object) object {
	return object{"type": "object", "required": []string{"data", "next_cursor"}, "properties": object{
		"data":        object{"type": "array", "items": row},
		"next_cursor": object{"type": []string{"string", "null"}, "description": "Give it as cursor for the next page; null at the end."},
	}}
}

func operation(r *resource, summary string, parameters []object, input object, responses object) object {
	op := object{"tags": []string{r.path}, "summary": summary, "responses": responses}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if input != nil {
		op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": input}}}
		responses["400"] = fault("The body is not a JSON object.")
		responses["413"] = fault("The body is larger than 16 KB.")
		responses["415"] = fault("The body is not said to be JSON.")
		responses["422"] = fault("Some fields have faults.")
	}
	return op
}

func (f *field) schema() object {
	kind := [...]string{text: "string", integer: "integer", boolean: "boolean"}[f.kind]
	schema := object{"type": kind, "description": f.about, "examples": []any{f.example}}
	nullable := !f.required && f.initial == nil
	if nullable {
		schema["type"] = []string{kind, "null"}
	}
	if f.levels != nil {
		levels := []any{}
		for _, level := range f.levels {
			levels = append(levels, level)
		}
		if nullable {
			levels = append(levels, nil)
		}
		schema["enum"] = levels
	}
	if f.max > 0 {
		schema["maxLength"] = f.max
		if f.required {
			schema["minLength"] = 1
		}
	}
	if f.kind == integer {
		schema["minimum"] = 1
	}
	if f.initial != nil {
		schema["default"] = f.initial
	}
	return schema
}

// schema is that of a row, or of what makes one.
func (r *resource) schema(whole bool) object {
	properties, required := object{}, []string{}
	for i := range r.fields {
		f := &r.fields[i]
		properties[f.name] = f.schema()
		if f.required || whole {
			required = append(required, f.name)
		}
	}
	if !whole {
		return object{"type": "object", "description": r.about, "properties": properties, "required": required, "additionalProperties": false}
	}
	properties["id"] = object{"type": "integer"}
	for _, name := range []string{"created_at", "updated_at"} {
		properties[name] = object{"type": "string", "format": "date-time"}
	}
	return object{"type": "object", "description": r.about, "properties": properties, "required": append(required, "id", "created_at", "updated_at")}
}

func (r *resource) parameters() (list []object) {
	add := func(name, about string, schema object) {
		list = append(list, object{"name": name, "in": "query", "description": about, "schema": schema})
	}
	add("limit", "The most rows.", object{"type": "integer", "minimum": 1, "maximum": maxLimit, "default": defaultLimit})
	add("cursor", "Where to go on, from the page before.", object{"type": "string"})
	add("from", "From this time on.", object{"type": "string", "format": "date-time"})
	add("to", "Before this time.", object{"type": "string", "format": "date-time"})
	for _, name := range r.filters {
		add(name, "Only those with this value.", r.field(name).schema())
	}
	return list
}

//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsStyle []byte

// docs is the description for people.
func (s *Service) docs(all []resource) http.HandlerFunc {
	type row struct {
		Name, About, Values, Rule string
	}
	type section struct {
		Title, Path, About, Example, Filters string
		Fields                               []row
	}
	type shown struct {
		Host     string // as the reader knows it
		Sections []section
	}
	var sections []section
	for i := range all {
		r := &all[i]
		part := section{Title: strings.ToUpper(r.one[:1]) + r.one[1:] + "s", Path: "/api/" + r.path, About: r.about, Filters: strings.Join(r.filters, ", ")}
		example := []string{}
		for j := range r.fields {
			f := &r.fields[j]
			value, _ := json.Marshal(f.example)
			if f.required || f.name == "feel_better" || f.name == "comment" {
				example = append(example, `"`+f.name+`": `+string(value))
			}
			part.Fields = append(part.Fields, row{f.name, f.about, f.values(), f.rule()})
		}
		part.Example = "{" + strings.Join(example, ", ") + "}"
		sections = append(sections, part)
	}
	page, err := template.New("docs").Parse(docsPage)
	return func(w http.ResponseWriter, r *http.Request) {
		var text bytes.Buffer
		err := err
		if err == nil {
			err = page.Execute(&text, shown{r.Host, sections})
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Write(text.Bytes())
	}
}

func (f *field) values() string {
	switch {
	case f.levels != nil:
		return strings.Join(f.levels, ", ")
	case f.kind == integer:
		return "an id"
	case f.kind == boolean:
		return "true or false"
	}
	return "text"
}

func (f *field) rule() string {
	switch {
	case f.required:
		return "required"
	case f.initial != nil:
		text, _ := json.Marshal(f.initial)
		return strings.Trim(string(text), `"`) + " when left out"
	}
	return "may be left out or null"
}

func (s *Service) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Write(docsStyle)
}
