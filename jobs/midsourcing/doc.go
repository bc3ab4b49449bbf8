// Package midsourcing has the workflows of an instance that sends for others.
package midsourcing
