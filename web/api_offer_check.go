package web

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// offerPrefix is the name of an account at the sender, and an underscore.
var offerPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}_$`)

// propositionStatuses are those that a proposition may have, and so a space may give it.
var propositionStatuses = []string{"generated", "scheduled", "presented", "interested", "accepted", "rejected"}

// check holds a package against its description. It refuses the whole for one name that is not the sender's.
func (in offerPackage) check() error {
	switch {
	case !offerPrefix.MatchString(in.Prefix):
		return badRequest("prefix is needed: letters, digits, _ and -, 65 at most, the last one _")
	case in.Environment == nil, in.Categories == nil, in.Spaces == nil, in.Offers == nil:
		return badRequest("environment, categories, spaces and offers are needed, [] for none")
	}
	k := offerCheck{prefix: in.Prefix}
	k.name("environment", in.Environment.Name)
	k.texts("environment", in.Environment.Label, in.Environment.TargetSchema, in.Environment.PropositionSchema)
	k.categories(*in.Categories)
	k.spaces(*in.Spaces)
	k.offers(*in.Offers)
	return k.err
}

// offerCheck keeps the first thing that is wrong with a package.
type offerCheck struct {
	prefix string
	err    error
}

// must keeps what is wrong where a condition does not hold; where names the object.
func (k *offerCheck) must(holds bool, where, what string) {
	if !holds && k.err == nil {
		k.err = badRequest(where + ": " + what)
	}
}

// name checks the name of an object, or one by which another names it.
func (k *offerCheck) name(where, name string) {
	k.must(len(name) > len(k.prefix) && strings.HasPrefix(name, k.prefix), where,
		fmt.Sprintf("the name %.100q does not begin with the prefix %s; nothing of the package is taken", name, k.prefix))
	k.must(len(name) <= 300 && !strings.ContainsFunc(name, unicode.IsControl), where, "a name has 300 bytes at most and no control characters")
}

func (k *offerCheck) texts(where string, all ...string) {
	for _, text := range all {
		k.must(utf8.RuneCountInString(text) <= 1000, where, "a text has 1000 characters at most")
	}
}

// all checks what the objects of a list have in common: names that are the sender's, each once.
func (k *offerCheck) all(noun string, n int, object func(int) (name, label string)) {
	seen := make(map[string]bool, n)
	for i := range n {
		name, label := object(i)
		where := fmt.Sprintf("%s %d", noun, i)
		k.name(where, name)
		k.texts(where, label)
		k.must(!seen[name], where, "the name "+name+" is there twice")
		seen[name] = true
	}
}

func (k *offerCheck) categories(all []offerCategory) {
	k.all("category", len(all), func(i int) (string, string) { return all[i].Name, all[i].Label })
	for i, one := range all {
		where := fmt.Sprintf("category %d", i)
		if one.Parent != nil {
			k.name(where, *one.Parent)
		}
		k.must(one.Enabled != nil, where, "enabled is needed")
		k.must(one.WeightMultiplier != "", where, "weight_multiplier is needed")
		k.must(one.Themes != nil, where, "themes is needed, [] for none")
		k.texts(where, one.Themes...)
	}
}

func (k *offerCheck) spaces(all []offerSpace) {
	k.all("space", len(all), func(i int) (string, string) { return all[i].Name, all[i].Label })
	for i, one := range all {
		where := fmt.Sprintf("space %d", i)
		k.must(one.Channel != nil, where, "channel is needed")
		k.must(given(one.Fields), where, "fields is needed, [] for none")
		for _, status := range []string{one.DefaultStatus, one.AcceptedStatus} {
			k.must(slices.Contains(propositionStatuses, status), where, "default_status and accepted_status are one of "+join(propositionStatuses))
		}
	}
}

func (k *offerCheck) offers(all []offer) {
	k.all("offer", len(all), func(i int) (string, string) { return all[i].Name, all[i].Label })
	for i, one := range all {
		where := fmt.Sprintf("offer %d", i)
		if one.Category != nil {
			k.name(where, *one.Category)
		}
		if one.Code != nil {
			k.texts(where, *one.Code)
		}
		k.must(one.Enabled != nil, where, "enabled is needed")
		k.must(given(one.Rules), where, "rules is needed, [] for none")
		k.must(one.Views != nil && one.Weights != nil, where, "views and weights are needed, [] for none")
		if k.err != nil {
			return
		}
		shown := map[string]bool{}
		for _, view := range *one.Views {
			k.name(where, view.Space)
			k.must(!shown[view.Space], where, "the space "+view.Space+" is there twice")
			k.must(given(view.Content), where, "content is needed of each view")
			shown[view.Space] = true
		}
		for _, weight := range *one.Weights {
			k.texts(where, weight.Label)
			k.must(weight.Weight != "", where, "weight is needed of each weight")
			if weight.Space != nil {
				k.name(where, *weight.Space)
			}
		}
	}
}

// given reports whether a member is there, and not null.
func given(value json.RawMessage) bool { return len(value) > 0 && string(value) != "null" }
