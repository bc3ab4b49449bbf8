package delivery

import (
	"context"
	"errors"

	"nightshift/jobs"
)

// part is a step of a workflow whose steps do not depend on each other.
type part struct {
	name string
	do   func(context.Context) error
}

// allParts runs every part, whatever became of the others; all failures are returned together.
func allParts(ctx context.Context, r *jobs.Run, parts []part) error {
	names := make([]string, len(parts))
	for i, one := range parts {
		names[i] = one.name
	}
	if err := r.Steps(ctx, names...); err != nil {
		return err
	}
	var failed []error
	for _, one := range parts {
		err := r.Step(ctx, one.name, one.do)
		if stopped := r.Checkpoint(ctx); stopped != nil {
			return stopped
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
