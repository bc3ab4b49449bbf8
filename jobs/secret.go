package jobs

// Unseal reads the secret of the external account of that name, which the database holds encrypted with the instance's key.
func (r *Run) Unseal(account string, sealed []byte) (string, error) {
	return r.db.Unseal(account, sealed)
}
