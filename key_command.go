package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"nightshift/db"
)

// keyCommand has an instance go on after its key was lost, with the key of this process, and says what is lost.
func keyCommand(ctx context.Context, c config, args []string, out io.Writer) (err error) {
	if len(args) != 1 || args[0] != "replace" {
		return errors.New("nightshift key replace")
	}
	url, _, stop, err := database(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	d, err := db.Open(ctx, url)
	if err != nil {
		return c.unreachable(err)
	}
	defer d.Close()
	if err := db.Migrate(ctx, url); err != nil {
		return err
	}
	if err := d.ReplaceKey(ctx, commandLine("nightshift key replace"), c.keySource()); err != nil {
		return err
	}
	closed, err := d.ClosedSecrets(ctx)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "From now on the key of this process is the instance's: keep it, and give it to all nodes.")
	if len(closed) > 0 {
		_, _ = fmt.Fprintf(out, "The secrets of these external accounts have to be typed again: %s\n", strings.Join(closed, ", "))
	}
	_, err = fmt.Fprintln(out, "What the lost key sealed of the audit trail cannot be verified any more, and its links in messages, to opt out or to the mirror page, are refused.")
	return err
}
