package web

import "github.com/belfryhq/belfry/internal/dashboard"

// DashboardsDescribed describes the routes of NewDashboards. A test holds it to
// what they give.
func DashboardsDescribed() Described {
	responses := problems(map[string]string{
		"400": "There is no such range; the sentence lists them.",
		"401": "Nobody is signed in, or the token is no good; only public dashboards are for everybody.",
		"403": "The right to the dashboard's channel, or the token's scope, is missing.",
		"404": "There is no such dashboard; the sentence names those that the caller may see.",
		"503": "Nobody can be authorized at the moment.",
	})
	with(responses, "200", "The figures. One that failed has its last value, or null, and is named in meta.", ref("DashboardFigures"))
	responses["304"] = schema{"description": "The figures are those that If-None-Match names."}
	text := func(name, about string) schema {
		return schema{"name": name, "in": "query", "schema": schema{"type": "string"}, "description": about}
	}
	inRange := text("range", "The range; the dashboard's own by default.")
	inRange["schema"] = schema{"type": "string", "enum": dashboard.Ranges()}
	return Described{
		Paths: map[string]any{
			DashboardCurrentPath: schema{"get": schema{
				"operationId": "getDashboard", "summary": "The figures of a dashboard",
				"parameters": []any{text("dashboard", "The name; default by default."), inRange,
					schema{"name": "If-None-Match", "in": "header", "schema": schema{"type": "string"}, "description": "The ETag of an earlier answer."}},
				"responses": responses,
			}},
			DashboardsPath: schema{"get": schema{
				"operationId": "listDashboards", "summary": "The dashboards that the caller may see",
				"responses": schema{"200": schema{"description": "They; for guests those that are public.", "content": jsonContent(ref("Dashboards"))}},
			}},
		},
		Schemas: dashboardSchemas(),
	}
}

func dashboardSchemas() map[string]any {
	aMoment := schema{"type": "string", "format": "date-time"}
	aBoolean := schema{"type": "boolean"}
	return map[string]any{
		"Dashboards": objectOf(schema{"dashboards": list(ref("Dashboard"))}),
		"Dashboard":  objectOf(schema{"name": aText, "title": aText, "channel": aText, "public": aBoolean}),
		"DashboardFigures": objectOf(schema{
			"type":      schema{"type": "string", "enum": []string{dashboard.TypeUpdate}},
			"dashboard": aText,
			"stats": schema{"type": "object", "description": "The figures by name: a number, a list of objects, or a list of time, series and value; null where none is known. Also timestamp and range.",
				"properties": schema{"timestamp": aMoment, "range": aText}},
			"previous":  schema{"type": "object", "description": "Numbers of the range before, by name."},
			"meta":      schema{"type": "object", "description": "The figures that failed, by name.", "patternProperties": schema{"^[a-z]": ref("DashboardStale")}},
			"reason":    schema{"type": "string", "description": "What changed last, for people."},
			"range":     schema{"type": "string", "enum": dashboard.Ranges()},
			"timestamp": aMoment, "id": aText, "title": aText, "timezone": aText,
			"week_starts": schema{"type": "string", "enum": []string{"monday", "sunday", "saturday"}},
			"start":       aMoment, "end": schema{"type": "string", "format": "date-time", "description": "Where the range ends; not part of it."},
			"channel": aText, "public": aBoolean, "ranges": list(aText), "figures": list(ref("DashboardFigure")),
		}),
		"DashboardStale": objectOf(schema{"stale": aBoolean, "as_of": aTime}),
		"DashboardFigure": objectOf(schema{
			"name": aText, "title": aText, "kind": schema{"type": "string", "enum": []string{dashboard.KindNumber, dashboard.KindRows, dashboard.KindSeries}},
			"unit": aText, "better": schema{"type": "string", "enum": []string{"", "up", "down"}}, "personal": aBoolean,
			"bucket": schema{"type": "string", "enum": []string{dashboard.BucketHour, dashboard.BucketDay, dashboard.BucketWeek}, "description": "Of a series: what its values are summed into."},
		}),
	}
}
