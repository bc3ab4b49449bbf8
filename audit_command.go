package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"nightshift/db"
)

// auditCommand recomputes the hash chain of the audit trail; a row changed, removed, moved or slipped in is an error.
func auditCommand(ctx context.Context, c config, args []string, out io.Writer) error {
	if len(args) != 1 || args[0] != "verify" {
		return errors.New("nightshift audit verify")
	}
	return onDatabase(ctx, c, func(d *db.DB) error {
		count, firstBad, err := d.VerifyAudit(ctx)
		if err != nil {
			return err
		}
		if firstBad != 0 {
			return fmt.Errorf("the audit trail is broken at entry %d, after %d that hold", firstBad, count)
		}
		seq, hash, err := d.AuditTail(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%d entries hold, from %d on; the last is %d, %x (keep it elsewhere: entries cut off at the end show against it)\n",
			count, seq-count+1, seq, hash)
		return err
	})
}
