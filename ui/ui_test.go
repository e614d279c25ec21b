package ui_test

import (
	"io/fs"
	"path"
	"regexp"
	"testing"

	"github.com/belfryhq/belfry/ui"
)

// Every file that the page names is embedded, with or without a build, and the
// page carries nothing inline that a strict policy would refuse.
func TestFiles(t *testing.T) {
	page, err := fs.ReadFile(ui.Files(), "index.html")
	if built := err == nil; built != ui.Built() {
		t.Fatalf("Built() = %t, but reading index.html says %v", ui.Built(), err)
	}
	if err != nil {
		if _, err := fs.Stat(ui.Files(), ".keep"); err != nil {
			t.Errorf("an unbuilt program holds no .keep: %v", err)
		}
		t.Skip("the pages are not built")
	}
	names := regexp.MustCompile(`(?:src|href)="\./([^"]+)"`).FindAllSubmatch(page, -1)
	if len(names) < 3 {
		t.Errorf("index.html names %d files, want its script, style and icon at least", len(names))
	}
	for _, name := range names {
		if dir := path.Dir(string(name[1])); dir != "assets" && string(name[1]) != "favicon.svg" {
			t.Errorf("%s is outside assets/", name[1])
		}
		if _, err := fs.Stat(ui.Files(), string(name[1])); err != nil {
			t.Errorf("index.html names a file that is not embedded: %v", err)
		}
	}
	for _, bad := range []string{`<style`, `style="`, ` on[a-z]+="`, `<script[^>]*>[^<]`, `(src|href)="https?:`} {
		if found := regexp.MustCompile(bad).Find(page); found != nil {
			t.Errorf("index.html holds %q, which the content security policy refuses", found)
		}
	}
}
