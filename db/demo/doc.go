// Package demo fills an empty database with a believable marketing platform, for trying Nightshift out, for tests and
// for measuring.
//
// Everything in it is invented, and three things deserve to be known:
//
//   - The people do not exist. Their addresses end in domains that are reserved for examples, so no mail can reach anybody.
//   - The past of runs never happened. Sixty days of runs (forty in the small size) are written as rows, so that lists,
//     bars and the tape have something to show; each carries {"invented": true} in its result and ran on the node "demo".
//     Only workflows that this version can run get a past. The audit is never invented. The last run of the database
//     cleanup was slower than usual, so that an alarm is open.
//   - Rows lie on both sides of every limit that the database cleanup knows, so its first run has work in every step
//     and leaves the rows just inside the limits alone.
//
// The same seed, size and hour give the same rows. Dates count from the hour in which the database was filled.
package demo
