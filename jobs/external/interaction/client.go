// Package interaction speaks with the execution instances that propose the offers of this instance: they get the
// catalogue of the live environments.
package interaction

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"nightshift/jobs/external/instance"
	"nightshift/jobs/external/outbound"
)

// Path is where an execution instance takes a catalogue.
const Path = "/api/v1/interaction/catalogue"

// Catalogue is what changed in one live environment. Every name in it, that of the environment included, begins with the
// sender's prefix, so that the receiver can tell it from the objects of others.
type Catalogue struct {
	Prefix      string      `json:"prefix"`
	Environment Environment `json:"environment"`
	Categories  []Category  `json:"categories"` // parents before their children
	Spaces      []Space     `json:"spaces"`
	Offers      []Offer     `json:"offers"`
}

// Objects is how many objects of the catalogue are sent.
func (c Catalogue) Objects() int { return len(c.Categories) + len(c.Spaces) + len(c.Offers) }

// Environment is the live environment.
type Environment struct {
	Name              string `json:"name"`
	Label             string `json:"label"`
	TargetSchema      string `json:"target_schema"`
	PropositionSchema string `json:"proposition_schema"`
	Anonymous         bool   `json:"anonymous"`
}

// Category is one of the categories, with the name of its parent (nil: at the top).
type Category struct {
	Name             string     `json:"name"`
	Label            string     `json:"label"`
	Parent           *string    `json:"parent"`
	Enabled          bool       `json:"enabled"`
	StartDate        *time.Time `json:"start_date"`
	EndDate          *time.Time `json:"end_date"`
	Themes           []string   `json:"themes"`
	WeightMultiplier float64    `json:"weight_multiplier"`
	MultiplierFrom   *time.Time `json:"multiplier_from"`
	MultiplierTo     *time.Time `json:"multiplier_to"`
}

// Space is a place where offers are shown.
type Space struct {
	Name           string          `json:"name"`
	Label          string          `json:"label"`
	Channel        int16           `json:"channel"`
	Unitary        bool            `json:"unitary"`
	Fields         json.RawMessage `json:"fields"`
	DefaultStatus  string          `json:"default_status"`
	AcceptedStatus string          `json:"accepted_status"`
	DisableStorage bool            `json:"disable_storage"`
}

// Offer is an offer with all of its representations and weights.
type Offer struct {
	Name       string          `json:"name"`
	Label      string          `json:"label"`
	Code       *string         `json:"code"`
	Category   *string         `json:"category"`
	Enabled    bool            `json:"enabled"` // false: not to be proposed any more
	DisabledAt *time.Time      `json:"disabled_at"`
	StartDate  *time.Time      `json:"start_date"`
	EndDate    *time.Time      `json:"end_date"`
	Filter     json.RawMessage `json:"filter"`
	Rules      json.RawMessage `json:"rules"`
	Views      []View          `json:"views"`
	Weights    []Weight        `json:"weights"`
}

// View is how an offer looks on a space.
type View struct {
	Space   string          `json:"space"`
	Content json.RawMessage `json:"content"`
}

// Weight is a weight of an offer, on one space or on all (nil).
type Weight struct {
	Label     string          `json:"label"`
	Weight    float64         `json:"weight"`
	StartDate *time.Time      `json:"start_date"`
	EndDate   *time.Time      `json:"end_date"`
	Space     *string         `json:"space"`
	Filter    json.RawMessage `json:"filter"`
}

// Counts is what an instance has taken.
type Counts struct {
	Categories int `json:"categories"`
	Spaces     int `json:"spaces"`
	Offers     int `json:"offers"`
}

// Client calls one execution instance.
type Client struct{ *instance.Client }

// New checks the account's address and prepares a client; it does not connect yet. Waits are the pauses between the
// attempts of a call.
func New(account instance.Account, waits []time.Duration) (*Client, error) {
	client, err := instance.New(account, waits)
	if err != nil {
		return nil, err
	}
	return &Client{client}, nil
}

// Send hands a catalogue over. The instance takes all of it or nothing; sending twice is harmless. An answer that does not
// count what was sent is an error.
func (c *Client) Send(ctx context.Context, catalogue Catalogue) error {
	var taken Counts
	if err := c.Post(ctx, Path, catalogue, &taken); err != nil {
		return err
	}
	if want := (Counts{len(catalogue.Categories), len(catalogue.Spaces), len(catalogue.Offers)}); taken != want {
		return &outbound.UnfitError{Path: Path, Why: fmt.Sprintf("it counts %+v of %+v", taken, want)}
	}
	return nil
}

// Names are all names in a catalogue that the prefix belongs to, references to other objects included.
func (c Catalogue) Names() []string {
	names := []string{c.Environment.Name}
	add := func(name *string) {
		if name != nil {
			names = append(names, *name)
		}
	}
	for _, one := range c.Categories {
		names = append(names, one.Name)
		add(one.Parent)
	}
	for _, one := range c.Spaces {
		names = append(names, one.Name)
	}
	for _, one := range c.Offers {
		names = append(names, one.Name)
		add(one.Category)
		for _, view := range one.Views {
			names = append(names, view.Space)
		}
		for _, weight := range one.Weights {
			add(weight.Space)
		}
	}
	return names
}

// Stranger is a name in the catalogue that does not begin with its prefix; empty: there is none.
func (c Catalogue) Stranger() string {
	for _, name := range c.Names() {
		if c.Prefix == "" || !strings.HasPrefix(name, c.Prefix) {
			return name
		}
	}
	return ""
}
