package anylanguage_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const page = "../../docs/any-language.md"

// Every file of the program that serves is on the page, as it is tested here.
func TestPageShowsTheProgram(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := make(map[string]bool)
	for _, found := range regexp.MustCompile("(?s)```js\n(.*?)```").FindAllSubmatch(text, -1) {
		blocks[string(found[1])] = true
	}
	files, err := filepath.Glob("*.mjs")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, name := range files {
		if name == "instance.mjs" || name == "facts.mjs" { // the tests' own
			continue
		}
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !blocks[string(file)] {
			t.Errorf("%s is not on the page %s as it is here: copy it into a ```js block", name, page)
			continue
		}
		shown++
	}
	if shown != len(blocks) {
		t.Errorf("the page has %d ```js blocks, of which %d are files of the program", len(blocks), shown)
	}
}

// Whoever clones this installs from the public registry, whatever registry the
// lock was made with.
func TestLockNamesThePublicRegistryAlone(t *testing.T) {
	text, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"resolved": "(.*?)"`).FindAllSubmatch(text, -1)
	if len(found) == 0 {
		t.Error("no package has an address")
	}
	for _, at := range found {
		if !strings.HasPrefix(string(at[1]), "https://registry.npmjs.org/") {
			t.Errorf("%s is not of the public registry", at[1])
		}
	}
}
