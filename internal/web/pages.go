package web

import (
	"bytes"
	"io/fs"
	"net/http"
	"strings"

	"github.com/belfryhq/belfry/ui"
)

// places are the addresses of the application, whose pages are all one file; what
// ends in a slash stands for everything below it too.
var places = []string{"/notifications", "/admin/notifications/", "/dashboard/", "/console/"}

// application serves the application's pages. The file names what it loads
// relative to the root, which lies higher for deeper addresses.
func application(mux *http.ServeMux, files fs.FS) {
	serve := func(w http.ResponseWriter, r *http.Request) {
		if !ui.Built() {
			servePage(w, r, files, "app.html")
			return
		}
		page, err := fs.ReadFile(files, "app.html")
		if err != nil {
			notFound(w, r)
			return
		}
		pageHeaders(w)
		h := w.Header()
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Type", "text/html; charset=utf-8")
		up := strings.Repeat("../", min(strings.Count(r.URL.Path, "/")-1, maxDepth))
		w.Write(bytes.ReplaceAll(page, []byte(`="./`), []byte(`="`+"./"+up)))
	}
	for _, place := range places {
		mux.HandleFunc("GET "+place, serve)
		if whole, ok := strings.CutSuffix(place, "/"); ok {
			mux.HandleFunc("GET "+whole, serve)
		}
	}
}

// maxDepth is more than any page's address has; it bounds what a stranger's
// address makes of the page.
const maxDepth = 8
