package views

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"nightshift/views/locale"
)

// rendered parses a page of the fixtures.
func rendered(t *testing.T, name string, lang locale.Lang) (*html.Node, string) {
	t.Helper()
	var b strings.Builder
	if err := shown(night(t, lang, Light))[name].Render(t.Context(), &b); err != nil {
		t.Fatalf("%s: %s", name, err)
	}
	root, err := html.Parse(strings.NewReader(b.String()))
	if err != nil {
		t.Fatalf("%s: %s", name, err)
	}
	return root, b.String()
}

// elements walks over all elements of a page.
func elements(root *html.Node) []*html.Node {
	var found []*html.Node
	for node := range root.Descendants() {
		if node.Type == html.ElementNode {
			found = append(found, node)
		}
	}
	return found
}

func attribute(node *html.Node, name string) (string, bool) {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func words(node *html.Node) string {
	var b strings.Builder
	for child := range node.Descendants() {
		if child.Type == html.TextNode {
			b.WriteString(child.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

// Every page of both languages keeps the rules that script, content policy and readers rely on.
func TestPagesKeepTheRulesOfTheHouse(t *testing.T) {
	t.Parallel()
	for _, lang := range locale.All() {
		for name := range shown(night(t, lang, Light)) {
			t.Run(string(lang)+"/"+name, func(t *testing.T) {
				t.Parallel()
				root, text := rendered(t, name, lang)
				if i := strings.Index(text, "⟦"); i >= 0 {
					t.Errorf("got a key without a text: %s", text[i:i+40])
				}
				if strings.Contains(text, "%!") {
					t.Errorf("got a badly filled text, near %s", text[strings.Index(text, "%!"):][:40])
				}
				checkElements(t, elements(root))
			})
		}
	}
}

func checkElements(t *testing.T, all []*html.Node) {
	t.Helper()
	ids, labels, titles := map[string]int{}, map[string]bool{}, 0
	for _, node := range all {
		if id, ok := attribute(node, "id"); ok {
			ids[id]++
		}
		if target, ok := attribute(node, "for"); ok {
			labels[target] = true
		}
		if node.Data == "h1" {
			titles++
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("id %q: got %d elements, want 1", id, n)
		}
	}
	if titles != 1 {
		t.Errorf("got %d h1, want 1", titles)
	}
	for _, node := range all {
		checkElement(t, node, labels)
	}
}

func checkElement(t *testing.T, node *html.Node, labels map[string]bool) {
	t.Helper()
	for _, a := range node.Attr {
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			t.Errorf("<%s %s>: got an inline %s, want none", node.Data, a.Key, a.Key)
		}
		if strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:") {
			t.Errorf("<%s %s=%q>: got script in an address", node.Data, a.Key, a.Val)
		}
	}
	switch node.Data {
	case "script":
		if src, _ := attribute(node, "src"); !strings.HasPrefix(src, "/static/") {
			t.Errorf("script: got source %q, want our own file", src)
		}
	case "style":
		t.Error("got a style element, want none")
	case "form":
		if method, _ := attribute(node, "method"); method != "get" && method != "post" {
			t.Errorf("form: got method %q, want get or post", method)
		}
	case "button", "a", "summary":
		label, _ := attribute(node, "aria-label")
		if words(node) == "" && label == "" {
			t.Errorf("<%s>: got no words", node.Data)
		}
	case "input", "select", "textarea":
		checkLabel(t, node, labels)
	}
}

// checkLabel holds that every input has a label: around it, for it, or its own.
func checkLabel(t *testing.T, node *html.Node, labels map[string]bool) {
	t.Helper()
	kind, _ := attribute(node, "type")
	id, _ := attribute(node, "id")
	_, own := attribute(node, "aria-label")
	if kind == "hidden" || own || labels[id] {
		return
	}
	for up := node.Parent; up != nil; up = up.Parent {
		if up.Data == "label" {
			return
		}
	}
	name, _ := attribute(node, "name")
	t.Errorf("<%s name=%s>: got no label", node.Data, name)
}

// Text from outside is text, wherever it stands.
func TestHostileTextIsShownAsText(t *testing.T) {
	t.Parallel()
	const hostile = `"><img src=x onerror=alert(1)><script>alert(2)</script>` + "` ** {{.}} \u202e"
	page := night(t, locale.English, Light)
	page.Instance, page.Operator.Name = hostile, hostile
	run := failedOf(page)
	run.Label, run.StartedBy, run.Failure.Message, run.Failure.Detail = hostile, hostile, hostile, hostile
	run.Steps[0].Said, run.Steps[0].Key, run.Effects[0].Table = hostile, hostile, hostile
	run.Log.Query = hostile
	list := workflowsOf(page)
	list.Query, list.Trouble = hostile, hostile
	list.Packages[0].Rows[0].Label, list.Packages[0].Rows[0].Reason = hostile, hostile
	var b strings.Builder
	if err := RunPage(run).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if err := WorkflowsPage(list).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range elements(root) {
		_, handler := attribute(node, "onerror")
		if node.Data == "img" || handler || (node.Data == "script" && words(node) != "") {
			t.Errorf("got <%s>, made of a text from outside", node.Data)
		}
	}
}

// A reader who may not order is offered no order.
func TestReaderIsOfferedNoOrder(t *testing.T) {
	t.Parallel()
	page := night(t, locale.English, Light)
	page.Operator.Admin = false
	run := runOf(page)
	run.Page, run.Can = page, nil
	var b strings.Builder
	if err := RunPage(run).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"/cleanup/stop", "/cleanup/pause", `href="/operators"`, `href="/audit"`, `href="/options"`} {
		if strings.Contains(b.String(), word) {
			i := strings.Index(b.String(), word)
			t.Errorf("page of a reader: got %s, want none, near %s", word, b.String()[max(0, i-60):i+40])
		}
	}
}

// The part that the event stream sends replaces what the page has, id by id.
func TestLivePartsMatchThePage(t *testing.T) {
	t.Parallel()
	run := runOf(night(t, locale.English, Light))
	var page, part strings.Builder
	if err := RunPage(run).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	if err := RunLive(Live{Run: run, Done: true}).Render(t.Context(), &part); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"run-state", "run-verdict", "run-tape", "run-steps", "run-effects"} {
		mark := `id="` + id + `"`
		if strings.Count(page.String(), mark) != 1 || strings.Count(part.String(), mark) != 1 {
			t.Errorf("%s: got %d in the page and %d in the part, want 1 in each", id, strings.Count(page.String(), mark), strings.Count(part.String(), mark))
		}
	}
	for _, want := range []string{`data-append`, `data-id="9006"`, `data-done`} {
		if !strings.Contains(part.String(), want) {
			t.Errorf("part: got no %s", want)
		}
	}
	if !strings.Contains(page.String(), `data-live="/runs/8841/stream"`) || !strings.Contains(page.String(), `data-after="9006"`) {
		t.Error("page: got no address of the stream, or not the last line's id")
	}
}

// On an instance where nothing was started yet the packages with something to start stand open; later they are folded.
func TestFirstDayShowsWhatCanStart(t *testing.T) {
	t.Parallel()
	waits := Package{Rows: []WorkflowRow{{State: NotBuilt}, {State: Edited}}}
	lacks := Package{Rows: []WorkflowRow{{State: NotBuilt}, {State: NotHere}}}
	list := Workflows{Page: night(t, locale.English, Light), View: ViewAll, Packages: []Package{waits, lacks}}
	if list.folded(waits) || !list.folded(lacks) {
		t.Errorf("first day: folded is %t, %t, want false, true", list.folded(waits), list.folded(lacks))
	}
	quiet := WorkflowRow{State: Started, Last: LastRun{ID: 1, At: list.Now.Add(-24 * time.Hour)}}
	list.Packages = append(list.Packages, Package{Rows: []WorkflowRow{quiet}})
	if !list.folded(waits) {
		t.Error("later: a package without news is open, want it folded")
	}
}

// A narrow screen has room for two kinds of changes: those that the run made.
func TestLeastIsLeftOut(t *testing.T) {
	t.Parallel()
	for want, effect := range map[string]Effect{"added": {Deleted: 3, Updated: 1}, "updated": {Deleted: 2, Added: 9}, "deleted": {Updated: 4, Added: 1}} {
		if got := (Run{Effects: []Effect{effect}}).least(); got != want {
			t.Errorf("%+v: got %s left out, want %s", effect, got, want)
		}
	}
	if got := (Run{}).least(); got != "added" {
		t.Errorf("no changes: got %s left out, want added", got)
	}
}
