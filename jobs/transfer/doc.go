// Package transfer has the workflows of an instance whose deliveries a mid-sourcing server sends.
package transfer
