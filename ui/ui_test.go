package ui_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"testing"

	"github.com/belfryhq/belfry/ui"
)

// Every file that a page names is embedded, with or without a build, and the
// page carries nothing inline that a strict policy would refuse.
func TestFiles(t *testing.T) {
	_, err := fs.Stat(ui.Files(), "index.html")
	if built := err == nil; built != ui.Built() {
		t.Fatalf("Built() = %t, but looking for index.html says %v", ui.Built(), err)
	}
	if err != nil {
		if _, err := fs.Stat(ui.Files(), ".keep"); err != nil {
			t.Errorf("an unbuilt program holds no .keep: %v", err)
		}
		if os.Getenv("CI") != "" {
			t.Fatal("the pages are not built: run make build")
		}
		t.Skip("the pages are not built")
	}
	for _, page := range []string{"index.html", "login.html", "setup.html", "app.html"} {
		t.Run(page, func(t *testing.T) { checkPage(t, page) })
	}
}

func checkPage(t *testing.T, file string) {
	page, err := fs.ReadFile(ui.Files(), file)
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?:src|href)="\./([^"]+)"`).FindAllSubmatch(page, -1)
	if len(names) < 3 {
		t.Errorf("it names %d files, want its script, style and icon at least", len(names))
	}
	for _, name := range names {
		if dir := path.Dir(string(name[1])); dir != "assets" && string(name[1]) != "favicon.svg" {
			t.Errorf("%s is outside assets/", name[1])
		}
		if _, err := fs.Stat(ui.Files(), string(name[1])); err != nil {
			t.Errorf("it names a file that is not embedded: %v", err)
		}
	}
	for _, bad := range []string{`<style`, `style="`, ` on[a-z]+="`, `<script[^>]*>[^<]`, `(src|href)="https?:`} {
		if found := regexp.MustCompile(bad).Find(page); found != nil {
			t.Errorf("it holds %q, which the content security policy refuses", found)
		}
	}
}
