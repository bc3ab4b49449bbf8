package main

import (
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// arrows says which of our packages each package may import; a pattern stands for a folder of packages.
// What is not here is forbidden, and a package without a row does not belong to the house.
var arrows = map[string]string{
	".":                 "web views/locale jobs/engine jobs/outbox jobs/redirlog jobs/catalogue db db/demo",
	"web":               "views views/locale static jobs jobs/redirlog db",
	"views":             "views/locale static",
	"views/locale":      "",
	"static":            "",
	"db":                "",
	"db/demo":           "db",
	"jobs":              "db",
	"jobs/engine":       "jobs db",
	"jobs/outbox":       "jobs/external/* db",
	"jobs/catalogue":    "jobs jobs/delivery jobs/midsourcing jobs/standard jobs/transfer db",
	"jobs/delivery":     "jobs jobs/nms jobs/redirlog jobs/external/* db",
	"jobs/midsourcing":  "jobs jobs/nms jobs/external/* db",
	"jobs/standard":     "jobs jobs/nms jobs/external/* db",
	"jobs/transfer":     "jobs jobs/nms jobs/external/* db",
	"jobs/nms":          "jobs jobs/external/outbound db",
	"jobs/redirlog":     "",
	"jobs/external/*":   "jobs/external/outbound jobs/external/instance",
	"jobs/external/*/*": "",
	// What only tests import.
	"db/dbtest":         "db db/demo jobs/catalogue",
	"db/dbtest/cluster": "db",
	"jobs/jobtest":      "jobs db db/dbtest",
	"e2e":               "",
}

// testArrows are what any test may import besides its package's own arrows.
const testArrows = "db db/dbtest db/demo jobs jobs/jobtest jobs/catalogue jobs/external/* jobs/external/*/* views/locale"

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

// README's table of configuration says what the code reads: the same variables, defaults and meanings, in the same order.
func TestReadmeConfiguration(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, v := range variables() {
		byDefault := v.byDefault
		if byDefault != "" {
			byDefault = "`" + byDefault + "`"
		}
		want.WriteString("| `" + v.name + "` | " + byDefault + " | " + v.meaning + " |\n")
	}
	_, got, _ := strings.Cut(string(raw), "| variable | default | meaning |\n|---|---|---|\n")
	got, _, _ = strings.Cut(got, "\n\n")
	if got+"\n" != want.String() {
		t.Errorf("README's configuration table: got\n%s\nwant\n%s", got, want.String())
	}
}

// README's table of commands names those that there are.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands() {
		if !strings.Contains(string(raw), "| `nightshift "+c.name) {
			t.Errorf("README's table of commands: nightshift %s is missing", c.name)
		}
	}
}

func TestConfigRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"NIGHTSHIFT_URL":              "nightshift.example.com",
		"NIGHTSHIFT_TRUSTED_PROXIES":  "10.0.0.1",
		"NIGHTSHIFT_TAKES_UNASSIGNED": "perhaps",
		"NIGHTSHIFT_KEY":              "c2hvcnQ=",
		"NIGHTSHIFT_LOG":              "loud",
	} {
		_, err := readConfig(func(asked string) string {
			if asked == name {
				return value
			}
			return ""
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: got %v, want an error that names the variable", name, value, err)
		}
	}
	if _, err := readConfig(func(string) string { return "" }); err != nil {
		t.Errorf("nothing set: got %s, want no error", err)
	}
}

// sizes are the most lines that a file of ours may have, by the end of its name; the first that fits counts.
var sizes = []struct {
	end   string
	lines int
}{{"_templ.go", 1 << 20}, {"_test.go", 600}, {".templ", 150}, {".go", 400}}

// ourFiles are the source files of the project, without what is generated or installed.
func ourFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git" || entry.Name() == "data") {
			return fs.SkipDir
		}
		if ext := filepath.Ext(name); (ext == ".go" || ext == ".templ") && !strings.HasSuffix(name, "_templ.go") {
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestFileSizes(t *testing.T) {
	t.Parallel()
	for _, name := range ourFiles(t) {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(string(raw), "\n")
		for _, size := range sizes {
			if strings.HasSuffix(name, size.end) {
				if lines > size.lines {
					t.Errorf("%s: got %d lines, want at most %d", name, lines, size.lines)
				}
				break
			}
		}
	}
}

// What no file of ours has: a function of more than 80 lines, more than five parameters, an init, a Get…, a package that says nothing.
func TestHouseRules(t *testing.T) {
	t.Parallel()
	vague := map[string]bool{"util": true, "utils": true, "common": true, "helpers": true, "models": true, "types": true}
	set := token.NewFileSet()
	for _, name := range ourFiles(t) {
		if filepath.Ext(name) != ".go" {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if vague[file.Name.Name] {
			t.Errorf("%s: the package name %s says nothing", name, file.Name.Name)
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok {
				checkFunction(t, set, name, f)
			}
		}
	}
}

func checkFunction(t *testing.T, set *token.FileSet, file string, f *ast.FuncDecl) {
	t.Helper()
	name := file + ": " + f.Name.Name
	if lines := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; lines > 80 {
		t.Errorf("%s: got %d lines, want at most 80", name, lines)
	}
	parameters := 0
	for _, field := range f.Type.Params.List {
		parameters += max(1, len(field.Names))
	}
	if parameters > 6 || parameters == 6 && !takesContextOrTest(f) {
		t.Errorf("%s: got %d parameters, want at most 5 besides the context", name, parameters)
	}
	if f.Name.Name == "init" && f.Recv == nil {
		t.Errorf("%s: want no init", name)
	}
	if rest, found := strings.CutPrefix(f.Name.Name, "Get"); found && rest != "" && strings.ToUpper(rest[:1]) == rest[:1] {
		t.Errorf("%s: want a name without Get", name)
	}
	if f.Doc == nil && isPublic(f) && !strings.HasSuffix(file, "_test.go") {
		t.Errorf("%s: want a comment that says what it promises", name)
	}
}

// isPublic reports whether others can call the function and would wonder what it promises; what an error is called by needs no words.
func isPublic(f *ast.FuncDecl) bool {
	if f.Recv != nil {
		receiver := f.Recv.List[0].Type
		if star, ok := receiver.(*ast.StarExpr); ok {
			receiver = star.X
		}
		if name, ok := receiver.(*ast.Ident); ok && !name.IsExported() {
			return false
		}
	}
	return f.Name.IsExported() && f.Name.Name != "Error" && f.Name.Name != "Unwrap"
}

// takesContextOrTest reports whether the first parameter is the context or the test, which do not count.
func takesContextOrTest(f *ast.FuncDecl) bool {
	switch first := f.Type.Params.List[0].Type.(type) {
	case *ast.SelectorExpr:
		return first.Sel.Name == "Context" || first.Sel.Name == "TB"
	case *ast.StarExpr:
		return true
	}
	return false
}

// settingsFor is the configuration of a test's own database.
func settingsFor(t *testing.T, d *db.DB) config {
	t.Helper()
	c, err := readConfig(func(name string) string {
		return map[string]string{"DATABASE_URL": d.URL(), "NIGHTSHIFT_DATA": t.TempDir()}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOperatorCommand(t *testing.T) {
	t.Parallel()
	c := settingsFor(t, dbtest.New(t))
	var out strings.Builder
	do := func(command func(context.Context, config, []string, io.Writer) error, args ...string) {
		t.Helper()
		out.Reset()
		if err := command(t.Context(), c, args, &out); err != nil {
			t.Fatalf("%v: %s", args, err)
		}
	}
	do(operatorCommand, "add", "kim", "-groups", "administrators", "-language", "ko")
	if want := "kim chooses a password within 15 minutes at http://localhost:8080/"; !strings.Contains(out.String(), want) {
		t.Errorf("operator add: got %q, want %q in it", out.String(), want)
	}
	do(operatorCommand, "list")
	if !strings.Contains(out.String(), "kim ") || !strings.Contains(out.String(), "ADMINISTRATION") {
		t.Errorf("operator list: got %q, want kim with ADMINISTRATION", out.String())
	}
	do(auditCommand, "verify")
	if !strings.Contains(out.String(), " entries hold") {
		t.Errorf("audit verify: got %q, want that all entries hold", out.String())
	}
	const taken = "login: The login kim is taken."
	if err := operatorCommand(t.Context(), c, []string{"add", "kim"}, &out); err == nil || err.Error() != taken {
		t.Errorf("operator add of a login that is there: got %v, want %q", err, taken)
	}
	if err := operatorCommand(t.Context(), c, []string{"add", "lee", "-groups", "administrators,nobody"}, &out); err == nil ||
		!strings.HasPrefix(err.Error(), `groups: there is no "nobody", but `) {
		t.Errorf("operator add to a group that is not there: got %v, want a refusal with those that are", err)
	}
	const nobody = `there is no operator "nobody-there"; nightshift operator list shows all`
	if err := operatorCommand(t.Context(), c, []string{"reset", "nobody-there"}, &out); err == nil || err.Error() != nobody {
		t.Errorf("reset of an unknown operator: got %v, want %q", err, nobody)
	}
	const unbuilt = "This version has no code for this workflow, so it cannot run."
	if err := runCommand(t.Context(), c, []string{"operationMgt"}, &out); err == nil || err.Error() != unbuilt {
		t.Errorf("run of a workflow without code: got %v, want %q", err, unbuilt)
	}
}

// What is not understood is refused before anything is started or written; --help says how each command is written.
func TestCommandsNotUnderstood(t *testing.T) {
	t.Parallel()
	for _, c := range commands() {
		var out strings.Builder
		if err := run(t.Context(), []string{c.name, "--help"}, &out); err != nil || !strings.Contains(out.String(), "nightshift "+c.name) || !strings.Contains(out.String(), c.meaning) {
			t.Errorf("%s --help: got %q, %v; want how it is written and what it does", c.name, out.String(), err)
		}
	}
	for line, want := range map[string]string{
		"srve": "unknown command", "serve now": `takes nothing more, but there is "now"`, "migrate --dry-run": "takes nothing more", "config all": "takes nothing more",
		"run": "nightshift run <workflow>", "run cleanup twice": `"twice" is not understood`, "audit": "nightshift audit verify", "key": "nightshift key replace",
		"operator": "operator add <login>", "operator remove kim": "operator add <login>", "operator add": "operator add <login>", "operator add -label": "operator add <login>",
		"monitor -all": "nightshift monitor",
	} {
		if err := run(t.Context(), strings.Fields(line), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nightshift %s: got %v, want %q", line, err, want)
		}
	}
	d := dbtest.New(t)
	c := settingsFor(t, d)
	for _, args := range [][]string{{"--size", "huge"}, {"--seed", "x"}, {"small"}} {
		if err := demoCommand(t.Context(), c, args, io.Discard); err == nil || !strings.Contains(err.Error(), args[len(args)-1]) {
			t.Errorf("demo %v: got %v, want what is not understood", args, err)
		}
	}
	if err := operatorCommand(t.Context(), c, []string{"add", "kim", "lee"}, io.Discard); err == nil || !strings.Contains(err.Error(), `"lee" is not understood`) {
		t.Errorf("operator add of two: got %v, want a refusal", err)
	}
	c.databaseURL = "postgres://kim:hunter2@127.0.0.1:1/none"
	if err := migrateCommand(t.Context(), c, nil, io.Discard); err == nil || !strings.HasPrefix(err.Error(), "DATABASE_URL: ") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no PostgreSQL: got %v, want the name of the variable and no password", err)
	}
}

// Whoever has another key, or none, is refused by every command that would write, before it has migrated or written
// anything; a folder without a key gets none.
func TestCommandsRefuseAnotherKey(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	c := settingsFor(t, d)
	var out strings.Builder
	if err := operatorCommand(t.Context(), c, []string{"add", "kim"}, &out); err != nil {
		t.Fatal(err)
	}
	// To a migration that came anyway, the tables it makes are there already.
	if _, err := d.Pool.Exec(t.Context(), `UPDATE xtk.schema_version SET version = version - 1`); err != nil {
		t.Fatal(err)
	}
	other, none := c, settingsFor(t, d)
	other.key = []byte("another key of thirty-two bytes.")
	for _, stranger := range []config{other, none} {
		for name, try := range map[string]func() error{
			"serve":    func() error { return serveCommand(t.Context(), stranger, nil, &out) },
			"run":      func() error { return runCommand(t.Context(), stranger, []string{"cleanup"}, &out) },
			"migrate":  func() error { return migrateCommand(t.Context(), stranger, nil, &out) },
			"demo":     func() error { return demoCommand(t.Context(), stranger, nil, &out) },
			"operator": func() error { return operatorCommand(t.Context(), stranger, []string{"add", "lee"}, &out) },
			"audit":    func() error { return auditCommand(t.Context(), stranger, []string{"verify"}, &out) },
		} {
			if err := try(); !errors.Is(err, db.ErrOtherKey) {
				t.Errorf("%s: got %v, want ErrOtherKey", name, err)
			}
		}
	}
	if entries, err := os.ReadDir(none.dataDir); err != nil || len(entries) != 0 {
		t.Errorf("the stranger's folder: got %v, %v, want it empty", entries, err)
	}
	if _, err := d.Pool.Exec(t.Context(), `UPDATE xtk.schema_version SET version = version + 1`); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := auditCommand(t.Context(), c, []string{"verify"}, &out); err != nil || !strings.Contains(out.String(), " entries hold, from 1 on") {
		t.Errorf("audit verify: got %q, %v; want that all entries hold", out.String(), err)
	}
	if err := keyCommand(t.Context(), none, []string{"replace"}, &out); err != nil {
		t.Errorf("key replace: %s", err)
	}
	if err := auditCommand(t.Context(), c, []string{"verify"}, &out); !errors.Is(err, db.ErrOtherKey) {
		t.Errorf("audit verify with the key that was given up: got %v, want ErrOtherKey", err)
	}
	out.Reset()
	if err := auditCommand(t.Context(), none, []string{"verify"}, &out); err != nil || !strings.HasPrefix(out.String(), "1 entries hold") {
		t.Errorf("audit verify with the new key: got %q, %v; want its one entry", out.String(), err)
	}
}

// monitor reads a database as it is: it prints what is missing, one a line, with an error of its own, and the rest as a table
// or as JSON.
func TestMonitorCommand(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	c := settingsFor(t, d)
	monitor := func(args ...string) (string, error) {
		t.Helper()
		var out strings.Builder
		err := monitorCommand(t.Context(), c, args, &out)
		return out.String(), err
	}
	if got, err := monitor("-missing"); !errors.Is(err, errMissing) || strings.Count(got, "no node is up\n") != len(db.Modules()) {
		t.Errorf("nothing is up: got %q, %v, want a line for each module", got, err)
	}
	session, err := pgx.Connect(t.Context(), d.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close(t.Context()) })
	n := db.Node{Name: "a", Host: "h", PID: 1, Version: "test", Affinities: []string{}, Expected: db.Modules(), Started: time.Now()}
	if err := db.JoinNode(t.Context(), session, &n); err != nil {
		t.Fatal(err)
	}
	if got, err := monitor("-missing"); got != "" || err != nil {
		t.Errorf("all is there: got %q, %v, want nothing", got, err)
	}
	if _, err := d.Pool.Exec(t.Context(), `INSERT INTO xtk.engine_node (name, host, pid, version, modules) VALUES ('b', 'h-2', 7, 'v', '{engine,mail}')`); err != nil {
		t.Fatal(err)
	}
	if got, err := monitor("-missing"); !errors.Is(err, errMissing) || got != "engine of b (h-2, pid 7), never heard\nmail of b (h-2, pid 7), never heard\n" {
		t.Errorf("a node is lost: got %q, %v", got, err)
	}
	if got, err := monitor(); err != nil || !strings.Contains(got, " alert") || strings.Contains(got, " 0001 ") || !strings.Contains(got, "Mail sender") || !strings.Contains(got, "Load average, 1 min") {
		t.Errorf("as a table: got %q, %v, want an alert, the modules and the indicators", got, err)
	}
	got, err := monitor("--json")
	var document struct{ State, At string }
	if err != nil || json.Unmarshal([]byte(got), &document) != nil || document.State != "alert" {
		t.Errorf("as JSON: got %q, %v, want a document with an alert", got, err)
	}
	if _, err := monitor("-missing", "-json"); err == nil {
		t.Error("both at once: got no error")
	}
	c.databaseURL = ""
	if got, err := monitor("-missing"); err == nil || errors.Is(err, errMissing) || got != "" {
		t.Errorf("no database: got %q, %v, want another error than that something is missing", got, err)
	}
}
