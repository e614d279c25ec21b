// Package ui holds the built web pages: what Vite made of this directory's
// TypeScript, embedded into the program.
package ui

import (
	"embed"
	"io/fs"
)

// dist is made by "make build" and not committed, but for an empty .keep
// without which the embed would not compile.
//
//go:embed all:dist
var dist embed.FS

// Files gives the pages with index.html at the root and everything that it
// loads under assets/. It is read-only and safe for concurrent use. In a
// program built without the pages it holds no index.html; see Built.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		// Sub fails only on an invalid path, and this one is a constant.
		return dist
	}
	return files
}

// Built reports whether the program was built with its pages.
func Built() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}
