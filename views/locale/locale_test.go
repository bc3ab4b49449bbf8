package locale

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func topics(t *testing.T, lang Lang) map[string]map[string]string {
	t.Helper()
	found := map[string]map[string]string{}
	entries, err := files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		topic, ok := strings.CutPrefix(entry.Name(), string(lang)+"_")
		if !ok {
			continue
		}
		content, err := files.ReadFile(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, new(map[string]string)); err != nil {
			t.Fatalf("%s: %s", entry.Name(), err)
		}
		found[topic] = keys(t, entry.Name(), string(content))
	}
	return found
}

// keys reads a file's keys by hand, because a JSON decoder hides one that stands twice.
func keys(t *testing.T, name, content string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^\s*("(?:[^"\\]|\\.)*"):\s*("(?:[^"\\]|\\.)*"),?$`).FindAllStringSubmatch(content, -1) {
		var key, text string
		if err := json.Unmarshal([]byte(match[1]), &key); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(match[2]), &text); err != nil {
			t.Fatal(err)
		}
		if _, twice := found[key]; twice {
			t.Errorf("%s: got %q twice, want it once", name, key)
		}
		found[key] = text
	}
	return found
}

func TestLanguagesSayTheSame(t *testing.T) {
	t.Parallel()
	english, korean := topics(t, English), topics(t, Korean)
	if got, want := slices.Sorted(maps.Keys(korean)), slices.Sorted(maps.Keys(english)); !slices.Equal(got, want) {
		t.Fatalf("topics in Korean: got %q, want %q", got, want)
	}
	for topic, texts := range english {
		for key, text := range texts {
			other, ok := korean[topic][key]
			if !ok {
				t.Errorf("ko_%s: got no %q, want it as in English", topic, key)
				continue
			}
			if got, want := places(other), places(text); !slices.Equal(got, want) {
				t.Errorf("ko_%s %q: got places %q, want %q", topic, key, got, want)
			}
			if other == "" || text == "" {
				t.Errorf("%s %q: got an empty text", topic, key)
			}
		}
		for key := range korean[topic] {
			if _, ok := texts[key]; !ok {
				t.Errorf("en_%s: got no %q, want it as in Korean", topic, key)
			}
		}
	}
}

var verb = regexp.MustCompile(`%(\[\d+\])?.`)

// places lists the arguments that a text uses, by their number.
func places(text string) []string {
	var found []string
	next := 1
	for _, match := range verb.FindAllStringSubmatch(text, -1) {
		switch {
		case match[0] == "%%":
		case !strings.HasSuffix(match[0], "s"):
			found = append(found, "bad verb "+match[0])
		case match[1] != "":
			found = append(found, strings.Trim(match[1], "[]"))
		default:
			found = append(found, string(rune('0'+next)))
			next++
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestNoBadVerb(t *testing.T) {
	t.Parallel()
	for _, lang := range All() {
		for topic, texts := range topics(t, lang) {
			for key, text := range texts {
				for _, place := range places(text) {
					if strings.HasPrefix(place, "bad") {
						t.Errorf("%s_%s %q: got %s, want %%s", lang, topic, key, place)
					}
				}
			}
		}
	}
}

func TestT(t *testing.T) {
	t.Parallel()
	if got, want := T(English, "no.such.key", 1), "⟦no.such.key⟧"; got != want {
		t.Errorf("a key without a text: got %q, want %q", got, want)
	}
	if got, want := N(English, "nodes", 1), "1 node"; got != want {
		t.Errorf("one: got %q, want %q", got, want)
	}
	if got, want := N(English, "nodes", 1204551), "1,204,551 nodes"; got != want {
		t.Errorf("many: got %q, want %q", got, want)
	}
	if got, want := N(Korean, "nodes", 2), "노드 2개"; got != want {
		t.Errorf("Korean: got %q, want %q", got, want)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]Lang{"ko-KR,ko;q=0.9,en": Korean, "fr, ko": Korean, "en": English, "": English, "fr": English} {
		if got := Parse(header); got != want {
			t.Errorf("Parse(%q): got %s, want %s", header, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1204551: "1,204,551", -12345: "-12,345"} {
		if got := Number(n); got != want {
			t.Errorf("Number(%d): got %s, want %s", n, got, want)
		}
	}
}
