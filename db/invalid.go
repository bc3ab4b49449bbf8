package db

import (
	"errors"
	"fmt"
	"slices"
)

// Invalid refuses a value that a person entered. Key names a text of the console, Args fill it in. Others are the further
// fields of the same form that cannot be taken.
type Invalid struct {
	Field, Key string
	Args       []any
	Others     []*Invalid
}

func (i *Invalid) Error() string { return fmt.Sprintf("%s: %s %v", i.Field, i.Key, i.Args) }

// faults collects what is wrong with a form: for each field the first that was found.
type faults []*Invalid

// when notes a field that cannot be taken.
func (f *faults) when(wrong bool, field, key string, args ...any) {
	if wrong && !slices.ContainsFunc(*f, func(i *Invalid) bool { return i.Field == field }) {
		*f = append(*f, &Invalid{Field: field, Key: key, Args: args})
	}
}

// also takes over what another check has found.
func (f *faults) also(err error) {
	if found := new(Invalid); errors.As(err, &found) {
		for _, i := range append([]*Invalid{found}, found.Others...) {
			f.when(true, i.Field, i.Key, i.Args...)
		}
	}
}

// err is the first fault with the others in it, or nil.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	first := *f[0]
	first.Others = f[1:]
	return &first
}
