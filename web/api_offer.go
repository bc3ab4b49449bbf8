package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
)

// offerPackage is what changed in a live environment of the instance that sends it. Each name in it begins with the prefix.
type offerPackage struct {
	Prefix      string           `json:"prefix"`
	Environment *offerEnv        `json:"environment"`
	Categories  *[]offerCategory `json:"categories"`
	Spaces      *[]offerSpace    `json:"spaces"`
	Offers      *[]offer         `json:"offers"`
}

type offerEnv struct {
	Name              string `json:"name"`
	Label             string `json:"label"`
	TargetSchema      string `json:"target_schema"`
	PropositionSchema string `json:"proposition_schema"`
	Anonymous         bool   `json:"anonymous"`
}

type offerCategory struct {
	Name             string      `json:"name"`
	Label            string      `json:"label"`
	Parent           *string     `json:"parent"`
	Enabled          *bool       `json:"enabled"`
	StartDate        *time.Time  `json:"start_date"`
	EndDate          *time.Time  `json:"end_date"`
	Themes           []string    `json:"themes"`
	WeightMultiplier json.Number `json:"weight_multiplier"`
	MultiplierFrom   *time.Time  `json:"multiplier_from"`
	MultiplierTo     *time.Time  `json:"multiplier_to"`
}

type offerSpace struct {
	Name           string          `json:"name"`
	Label          string          `json:"label"`
	Channel        *int16          `json:"channel"`
	Unitary        bool            `json:"unitary"`
	Fields         json.RawMessage `json:"fields"`
	DefaultStatus  string          `json:"default_status"`
	AcceptedStatus string          `json:"accepted_status"`
	DisableStorage bool            `json:"disable_storage"`
}

type offer struct {
	Name       string          `json:"name"`
	Label      string          `json:"label"`
	Code       *string         `json:"code"`
	Category   *string         `json:"category"`
	Enabled    *bool           `json:"enabled"`
	DisabledAt *time.Time      `json:"disabled_at"`
	StartDate  *time.Time      `json:"start_date"`
	EndDate    *time.Time      `json:"end_date"`
	Filter     json.RawMessage `json:"filter"`
	Rules      json.RawMessage `json:"rules"`
	Views      *[]offerView    `json:"views"`
	Weights    *[]offerWeight  `json:"weights"`
}

type offerView struct {
	Space   string          `json:"space"`
	Content json.RawMessage `json:"content"`
}

type offerWeight struct {
	Label     string          `json:"label"`
	Weight    json.Number     `json:"weight"`
	StartDate *time.Time      `json:"start_date"`
	EndDate   *time.Time      `json:"end_date"`
	Space     *string         `json:"space"`
	Filter    json.RawMessage `json:"filter"`
}

// offersTaken says how many objects of each kind a package had, and what they have changed.
type offersTaken struct {
	Categories int `json:"categories"`
	Spaces     int `json:"spaces"`
	Offers     int `json:"offers"`
	db.OfferChanges
}

// takeOffers takes the live offers of another instance, a package all of it or nothing. What was refused is kept, too: here
// somebody may see why, there it is only an error of a workflow.
func (s *Server) takeOffers(c echo.Context) error {
	ctx := c.Request().Context()
	var in offerPackage
	sent, err := readOffers(c, &in)
	var changes db.OfferChanges
	if err == nil {
		if changes, err = s.db.TakeOffers(ctx, s.caller(c), s.actor(c), sent); err != nil {
			err = offerProblem(err, in)
		}
	}
	if problem := new(apiProblem); errors.As(err, &problem) {
		if err := s.db.RefuseOffers(ctx, s.actor(c), sent, problem.detail); err != nil {
			s.logger.WarnContext(ctx, "a refused package of offers was not noted", "error", err)
		}
	}
	if err != nil {
		return err
	}
	return s.answerJSON(c, http.StatusOK, offersTaken{sent.Counts[0], sent.Counts[1], sent.Counts[2], changes})
}

// readOffers reads a package, and writes each part of it anew for the database. Of one that is refused it returns what is
// known.
func readOffers(c echo.Context, in *offerPackage) (sent db.OfferPackage, err error) {
	if err := readStrictJSON(c, in); err != nil {
		return sent, err
	}
	sent.Prefix = in.Prefix
	if in.Environment != nil {
		sent.Name = in.Environment.Name
	}
	sent.Counts = [3]int{many(in.Categories), many(in.Spaces), many(in.Offers)}
	if err := in.check(); err != nil {
		return sent, err
	}
	for _, part := range []struct {
		into *[]byte
		from any
	}{{&sent.Environment, in.Environment}, {&sent.Categories, in.Categories}, {&sent.Spaces, in.Spaces}, {&sent.Offers, in.Offers}} {
		if *part.into, err = json.Marshal(part.from); err != nil {
			return sent, fmt.Errorf("write the package anew: %w", err)
		}
	}
	return sent, nil
}

// many is how many objects a list has; one that is not there has none.
func many[T any](list *[]T) int {
	if list == nil {
		return 0
	}
	return len(*list)
}

// offerProblem says why a package is not taken, and what its sender can do.
func offerProblem(err error, in offerPackage) error {
	var missing *db.MissingObject
	var circle *db.CircleOfParents
	switch {
	case errors.As(err, &missing):
		return &apiProblem{status: http.StatusConflict, code: "incomplete",
			detail: missing.Error() + ", which is neither in the package nor here: send the whole environment"}
	case errors.As(err, &circle):
		return badRequest(circle.Error() + ": change them where the environment is designed")
	case errors.Is(err, db.ErrForeignEnvironment):
		return &apiProblem{status: http.StatusForbidden, code: "not_yours", detail: "the environment " + in.Environment.Name +
			" is of this instance, or another operator brought it: sign on as that operator, or send under another prefix"}
	case errors.Is(err, db.ErrContent):
		return badRequest("the package has a number, a date or a content that the database does not hold")
	}
	return err
}
