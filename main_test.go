package main

import (
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"
)

// arrows says which of our packages each package may import; a pattern stands for a folder of packages.
// What is not here is forbidden, and a package without a row does not belong to the house.
var arrows = map[string]string{
	".":                 "web jobs/engine jobs/catalogue db db/demo",
	"web":               "views views/locale static jobs db",
	"views":             "views/locale static",
	"views/locale":      "",
	"static":            "",
	"db":                "",
	"db/demo":           "db",
	"jobs":              "db",
	"jobs/engine":       "jobs db",
	"jobs/catalogue":    "jobs jobs/delivery db",
	"jobs/delivery":     "jobs jobs/nms jobs/external/* db",
	"jobs/external/*":   "",
	"jobs/external/*/*": "",
	// What only tests import.
	"db/dbtest":         "db db/demo jobs/catalogue",
	"db/dbtest/cluster": "db",
	"jobs/jobtest":      "jobs db db/dbtest",
	"e2e":               "",
}

// testArrows are what any test may import besides its package's own arrows.
const testArrows = "db db/dbtest db/demo jobs jobs/jobtest jobs/catalogue jobs/external/* views/locale"

type listed struct {
	name           string
	imports, tests []string
}

// packages asks the go command for all packages of the module and what they import.
func packages(t *testing.T) []listed {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-f",
		`{{.ImportPath}}|{{join .Imports " "}}|{{join .TestImports " "}} {{join .XTestImports " "}}`, "./...")
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %s", err)
	}
	var all []listed
	for line := range strings.Lines(string(out)) {
		part := strings.Split(strings.TrimSpace(line), "|")
		all = append(all, listed{room(part[0]), ours(part[1]), ours(part[2])})
	}
	return all
}

// room names a package as the table does: by its folder, "." for the top.
func room(importPath string) string {
	if importPath == "nightshift" {
		return "."
	}
	return strings.TrimPrefix(importPath, "nightshift/")
}

func ours(imports string) []string {
	var found []string
	for name := range strings.FieldsSeq(imports) {
		if name == "nightshift" || strings.HasPrefix(name, "nightshift/") {
			found = append(found, room(name))
		}
	}
	return found
}

func matches(patterns, name string) bool {
	for pattern := range strings.FieldsSeq(patterns) {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// allowed finds the row of a package; ok is false when it has none.
func allowed(name string) (patterns string, ok bool) {
	if patterns, ok = arrows[name]; ok {
		return patterns, true
	}
	for row, patterns := range arrows {
		if matches(row, name) {
			return patterns, true
		}
	}
	return "", false
}

func TestArrows(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		may, ok := allowed(p.name)
		if !ok {
			t.Errorf("%s: it has no row in the table of arrows", p.name)
			continue
		}
		for _, imported := range p.imports {
			if !matches(may, imported) {
				t.Errorf("%s imports %s: got an arrow that is not drawn, want one of %q", p.name, imported, may)
			}
		}
		for _, imported := range p.tests {
			if imported != p.name && !matches(may+" "+testArrows, imported) {
				t.Errorf("a test of %s imports %s: want one of %q", p.name, imported, may+" "+testArrows)
			}
		}
	}
}

// The top of the tree holds these rooms and nothing else.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	const house = `web views static jobs db e2e go.mod go.sum Makefile README.md main.go main_test.go *_command.go
		.ci .git .gitignore LICENSE`
	ignored := map[string]bool{"nightshift": true, "bin": true, "data": true}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !ignored[entry.Name()] && !matches(house, entry.Name()) {
			t.Errorf("the top level has %s, want only %s", entry.Name(), house)
		}
	}
}
