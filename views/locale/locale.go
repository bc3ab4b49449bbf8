// Package locale holds every text that the console itself says, in English and in Korean.
//
// A file is named <language>_<topic>.json and maps keys to texts. A topic has a file in each language, with the
// same keys and the same places for arguments; a test holds that.
package locale

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed *.json
var files embed.FS

// Lang is a language of the console, by its BCP 47 tag.
type Lang string

// The languages of the console.
const (
	English Lang = "en"
	Korean  Lang = "ko"
)

// All returns the languages in the order in which they are offered.
func All() []Lang { return []Lang{English, Korean} }

// Parse reads a language tag or an Accept-Language header; what it does not know is English.
func Parse(text string) Lang {
	for tag := range strings.SplitSeq(strings.ToLower(text), ",") {
		switch tag, _, _ := strings.Cut(strings.TrimSpace(tag), ";"); {
		case strings.HasPrefix(tag, "ko"):
			return Korean
		case strings.HasPrefix(tag, "en"):
			return English
		}
	}
	return English
}

// texts are read once, at the first use.
var texts = sync.OnceValue(func() map[Lang]map[string]string {
	all, err := load()
	if err != nil {
		panic(err)
	}
	return all
})

func load() (map[Lang]map[string]string, error) {
	all := map[Lang]map[string]string{}
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("list texts: %w", err)
	}
	for _, entry := range entries {
		tag, _, _ := strings.Cut(entry.Name(), "_")
		if !slices.Contains(All(), Lang(tag)) {
			return nil, fmt.Errorf("texts %s: unknown language %q", entry.Name(), tag)
		}
		if err := merge(all, Lang(tag), entry.Name()); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// merge adds a file's texts to those of its language. A key stands in one file only.
func merge(all map[Lang]map[string]string, lang Lang, name string) error {
	content, err := files.ReadFile(path.Clean(name))
	if err != nil {
		return fmt.Errorf("read texts %s: %w", name, err)
	}
	var some map[string]string
	if err := json.Unmarshal(content, &some); err != nil {
		return fmt.Errorf("read texts %s: %w", name, err)
	}
	if all[lang] == nil {
		all[lang] = map[string]string{}
	}
	for key, text := range some {
		if _, twice := all[lang][key]; twice {
			return fmt.Errorf("texts %s: %q stands in another file too", name, key)
		}
		all[lang][key] = text
	}
	return nil
}

// T is the text of a key. Places for arguments are %s or %[2]s; whole numbers get their separators (1,204,551).
// A key that does not exist shows as ⟦key⟧, so that it is seen and never an error.
func T(lang Lang, key string, args ...any) string {
	text, ok := texts()[lang][key]
	if !ok {
		return "⟦" + key + "⟧"
	}
	if len(args) == 0 {
		return strings.ReplaceAll(text, "%%", "%")
	}
	shown := make([]any, len(args))
	for i, arg := range args {
		shown[i] = show(arg)
	}
	return fmt.Sprintf(text, shown...)
}

// Has reports whether a key has a text, for keys that are made from data (an option's name, a step's key).
func Has(key string) bool {
	_, ok := texts()[English][key]
	return ok
}

// N is the text for a number of things: key_one for 1, key_many for all others. The number is the first argument.
func N[I int | int64](lang Lang, key string, n I, args ...any) string {
	form := "_many"
	if n == 1 {
		form = "_one"
	}
	return T(lang, key+form, append([]any{int64(n)}, args...)...)
}

func show(arg any) any {
	switch n := arg.(type) {
	case int:
		return Number(int64(n))
	case int64:
		return Number(n)
	}
	return arg
}

// Number writes a whole number with separators: 1,204,551.
func Number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return sign + digits
}
