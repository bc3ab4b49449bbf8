// Package dbtest gives each test a PostgreSQL database of its own, copied from a template in some 20 ms.
//
// TEST_DATABASE_URL names a running cluster by the URL of a superuser. Without it the test process starts a private
// cluster in memory, which goes with the process.
package dbtest
