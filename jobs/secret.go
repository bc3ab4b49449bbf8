package jobs

// Unseal reads a secret of an external account, which the database holds encrypted with the instance's key.
func (r *Run) Unseal(sealed []byte) (string, error) { return r.db.Unseal(sealed) }
