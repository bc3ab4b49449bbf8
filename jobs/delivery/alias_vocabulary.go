package delivery

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxHops is how often an alias may lead to a value whose label is an alias itself.
const maxHops = 5

// kindOfSpelling is what an enumeration knows of a spelling.
type kindOfSpelling int

const (
	untouched kindOfSpelling = iota // right as it is, or waiting for somebody to qualify it
	replaced
	unknown
	circular
)

type enumValue struct {
	id          int64
	name, label string
}

type enumAlias struct {
	id, valueID int64 // valueID 0: nobody has said yet what it stands for
	label       string
	fresh       bool // changed since the last cleansing: applies to rows of any age
}

// vocabulary is an enumeration as the cleansing sees it. Spellings are compared folded.
type vocabulary struct {
	values  map[int64]enumValue
	exact   map[string]bool
	spelled map[string]string // folded label or name → the spelling it should have
	valueOf map[string]int64
	aliases map[string]enumAlias
}

// fold makes spellings comparable that differ in case, in spaces or in the composition of their letters.
func fold(text string) string {
	return cases.Fold().String(norm.NFC.String(strings.Join(strings.Fields(text), " ")))
}

func newVocabulary(values []enumValue, aliases []enumAlias) vocabulary {
	v := vocabulary{
		values: map[int64]enumValue{}, exact: map[string]bool{}, spelled: map[string]string{},
		valueOf: map[string]int64{}, aliases: map[string]enumAlias{},
	}
	for _, value := range values {
		v.values[value.id] = value
		v.exact[value.label], v.exact[value.name] = true, true
		v.spelled[fold(value.label)], v.valueOf[fold(value.label)] = value.label, value.id
	}
	for _, value := range values {
		if _, taken := v.spelled[fold(value.name)]; !taken {
			v.spelled[fold(value.name)], v.valueOf[fold(value.name)] = value.name, value.id
		}
	}
	for _, alias := range aliases {
		if v.values[alias.valueID].label == "" {
			alias.valueID = 0
		}
		if other, taken := v.aliases[fold(alias.label)]; !taken || other.valueID == 0 {
			v.aliases[fold(alias.label)] = alias
		}
	}
	return v
}

// judge says what to do with a spelling. An assigned alias goes before an equal value, so that chains end at the
// last value.
func (v vocabulary) judge(spelling string) (kindOfSpelling, string) {
	folded := fold(spelling)
	alias, isAlias := v.aliases[folded]
	if isAlias && alias.valueID != 0 {
		target, ok := v.follow(alias)
		switch {
		case !ok:
			return circular, ""
		case target == spelling:
			return untouched, ""
		}
		return replaced, target
	}
	if v.exact[spelling] {
		return untouched, ""
	}
	if right, ok := v.spelled[folded]; ok {
		return replaced, right
	}
	if isAlias || folded == "" {
		return untouched, ""
	}
	return unknown, ""
}

// follow goes from an alias to the label that it ends at. A circle, or a chain of more than five hops, has no end.
func (v vocabulary) follow(alias enumAlias) (string, bool) {
	for range maxHops {
		label := v.values[alias.valueID].label
		next, ok := v.aliases[fold(label)]
		if !ok || next.valueID == 0 || next.valueID == alias.valueID {
			return label, true
		}
		alias = next
	}
	return "", false
}

// fresh reports whether a spelling is an alias that was mapped since the last cleansing.
func (v vocabulary) fresh(spelling string) bool { return v.aliases[fold(spelling)].fresh }

// freshAliases counts the mapped aliases that apply to rows of any age.
func (v vocabulary) freshAliases() int {
	count := 0
	for _, alias := range v.aliases {
		if alias.fresh && alias.valueID != 0 {
			count++
		}
	}
	return count
}

// counted says which alias or value a spelling is a use of; both 0: of none.
func (v vocabulary) counted(spelling string) (aliasID, valueID int64) {
	folded := fold(spelling)
	if alias, ok := v.aliases[folded]; ok {
		return alias.id, 0
	}
	return 0, v.valueOf[folded]
}
